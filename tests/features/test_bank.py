"""The bank: columns are what the network scores, tiles change nothing, and the store loses nothing but time."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from underpaint.core.cache import cache_folder
from underpaint.core.errors import ConfigError
from underpaint.core.parallel import stream
from underpaint.features import bank as bank_module
from underpaint.features.bank import FeatureBank, ImageFeatures, paired
from underpaint.features.store import FeatureStore, usual_store
from underpaint.models.config import ModelConfig
from underpaint.models.inference import FullSize
from underpaint.models.linear import DEEP, LinearHead, lab_of
from underpaint.models.network import Network

MODEL = ModelConfig(architecture="linear", weights="none")


def picture(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def network() -> Network:
    torch.manual_seed(0)
    return Network(MODEL, 4).eval()


@pytest.mark.parametrize("scale", [1.0, 1.5, 0.5])
def test_columns_times_weights_are_the_networks_scores(scale: float) -> None:
    torch.manual_seed(1)
    made = Network(MODEL.model_copy(update={"scale": scale}), 3).eval()
    assert isinstance(made.head, LinearHead)
    width = sum(made.decoder.channels)  # type: ignore[arg-type]  # a `Levels`
    weight, bias = torch.randn(3, width) / width**0.5, torch.randn(3)
    made.head.set_weights(weight, bias)
    rgb = picture(75, 101)
    rows, columns = np.array([0, 0, 74, 74, 31, 40]), np.array([0, 100, 0, 100, 57, 12])
    held = FeatureBank(made, None).features(rgb).columns(rows, columns).astype(np.float32)
    with torch.inference_mode():
        whole = FullSize(made)(torch.from_numpy(rgb).permute(2, 0, 1)[None].float() / 255)[0]
    found = held @ weight.numpy().T + bias.numpy()
    np.testing.assert_allclose(found, whole[:, rows, columns].T.numpy(), atol=5e-3)  # half precision in between


def test_the_head_is_one_layer_on_stacked_levels(network: Network) -> None:
    torch.manual_seed(2)
    levels = [
        torch.randn(1, f, h, w) for f, h, w in ((9, 24, 32), (24, 24, 32), (40, 12, 16), (112, 6, 8), (320, 3, 4))
    ]
    head = LinearHead([level.shape[1] for level in levels], 5)
    weight, bias = torch.randn(5, 505), torch.randn(5)
    head.set_weights(weight, bias)
    stacked = torch.cat([F.interpolate(level, (24, 32), mode="bilinear") for level in levels], dim=1)
    expected = torch.einsum("kf,nfhw->nkhw", weight, stacked) + bias.view(1, -1, 1, 1)
    torch.testing.assert_close(head(levels), expected, atol=1e-4, rtol=1e-5)


def test_the_last_levels_are_means_of_the_deepest_features(network: Network) -> None:
    bank = FeatureBank(network, None)
    levels = [level.float().numpy() for level in bank.features(picture(320, 384)).levels]
    deepest, around, whole = levels[-3:]
    assert deepest.shape[1:] == (10, 12)
    np.testing.assert_allclose(around[:, 0, 0], deepest[:, :5, :5].mean(axis=(1, 2)), rtol=1e-3, atol=2e-3)
    np.testing.assert_allclose(around[:, 5, 6], deepest[:, 1:10, 2:11].mean(axis=(1, 2)), rtol=1e-3, atol=2e-3)
    np.testing.assert_allclose(whole[:, 0, 0], deepest.mean(axis=(1, 2)), rtol=1e-3, atol=2e-3)
    dear = sum(level.shape[0] for level in levels[-3:])
    assert len(bank.penalties) == sum(level.shape[0] for level in levels)
    assert set(bank.penalties[-dear:]) == {DEEP}
    assert set(bank.penalties[:-dear]) == {1.0}


def test_lab_is_that_of_scikit_image() -> None:
    from skimage.color import rgb2lab

    rgb = picture(8, 9)
    expected = rgb2lab(rgb) / 100
    found = lab_of(torch.from_numpy(rgb).permute(2, 0, 1)[None].float() / 255)[0].permute(1, 2, 0)
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-5)


def test_tiles_give_what_the_whole_gives_but_near_the_limit_of_sight(
    network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    rgb = picture(300, 420, 3)
    whole = FeatureBank(network, None).features(rgb)
    monkeypatch.setattr(bank_module, "TILE", 256)
    monkeypatch.setattr(bank_module, "OVERLAP", 64)
    cut = FeatureBank(network, None).features(rgb)
    assert [level.shape for level in cut.levels] == [level.shape for level in whole.levels]
    torch.testing.assert_close(cut.levels[0], whole.levels[0])  # colour
    # The network is random, and sees 400 pixels around a cell at the deepest level: the shallow ones must agree.
    torch.testing.assert_close(cut.levels[1].float(), whole.levels[1].float(), atol=0.05, rtol=0.05)


def test_what_is_kept_is_read_again_and_not_compute(
    network: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = FeatureStore(tmp_path)
    first = FeatureBank(network, store).features(picture(40, 50))
    again = FeatureBank(network, store)
    monkeypatch.setattr(again, "_compute", None)  # calling it would fail
    held = again.features(picture(40, 50))
    for one, other in zip(first.levels, held.levels, strict=True):
        assert torch.equal(one, other)


def test_other_pixels_weights_or_scales_are_other_features(tmp_path: Path, network: Network) -> None:
    store = FeatureStore(tmp_path)
    FeatureBank(network, store).features(picture(40, 50))
    FeatureBank(network, store).features(picture(40, 50, seed=1))
    torch.manual_seed(9)
    FeatureBank(Network(MODEL, 1), store).features(picture(40, 50))
    FeatureBank.frozen(MODEL.model_copy(update={"scale": 1.5}), store).features(picture(40, 50))
    assert len(list(tmp_path.rglob("*.safetensors"))) == 4


@pytest.mark.parametrize("damage", [b"", b"not features", None])
def test_a_damaged_file_is_made_again(network: Network, tmp_path: Path, damage: bytes | None) -> None:
    store = FeatureStore(tmp_path)
    first = FeatureBank(network, store).features(picture(40, 50))
    (path,) = tmp_path.rglob("*.safetensors")
    path.write_bytes(path.read_bytes()[:-7] if damage is None else damage)
    again = FeatureBank(network, store).features(picture(40, 50))
    assert torch.equal(first.levels[-1], again.levels[-1])
    assert store.read(path.parent.parent.name, path.stem) is not None


def test_a_full_store_loses_what_was_not_read_for_longest(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path, limit=10_000)
    for name in "abcd":
        store.write("net", name * 4, [torch.zeros(1000, dtype=torch.float16)])
        store.read("net", "aaaa")  # never the oldest
    left = {path.stem for path in tmp_path.rglob("*.safetensors")}
    assert {"aaaa", "dddd"} <= left
    assert sum(path.stat().st_size for path in tmp_path.rglob("*.safetensors")) <= 10_000


def test_a_disk_that_refuses_costs_no_features(network: Network, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    store = FeatureStore(tmp_path / "file")
    assert FeatureBank(network, store).features(picture(40, 50)).width > 0
    assert store.failure is not None


def test_the_usual_store_lies_in_the_cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNDERPAINT_CACHE", str(tmp_path))
    store = usual_store()
    assert store is not None
    assert store.folder == cache_folder("features")


def test_features_of_another_version_are_never_taken(
    network: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = FeatureStore(tmp_path)
    FeatureBank(network, store).features(picture(40, 50))
    monkeypatch.setattr(bank_module, "code_digest", lambda *_: "another version")
    FeatureBank(network, store).features(picture(40, 50))
    assert len(list(tmp_path.rglob("*.safetensors"))) == 2


def test_tensors_that_cannot_be_features_are_computed_again(network: Network, tmp_path: Path) -> None:
    store = FeatureStore(tmp_path)
    first = FeatureBank(network, store).features(picture(40, 50))
    (path,) = tmp_path.rglob("*.safetensors")
    store.write(path.parent.parent.name, path.stem, [level[:3] for level in first.levels])
    again = FeatureBank(network, store).features(picture(40, 50))
    assert [level.shape for level in again.levels] == [level.shape for level in first.levels]


def test_a_stream_goes_on_with_what_is_kept(network: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pictures = [picture(40, 50, seed) for seed in range(5)]
    computed: list[int] = []
    plain = FeatureBank._compute

    def counted(self: FeatureBank, rgb: np.ndarray, padded: tuple[int, int]) -> list[torch.Tensor]:
        computed.append(1)
        return plain(self, rgb, padded)

    monkeypatch.setattr(FeatureBank, "_compute", counted)
    first = FeatureBank(network, FeatureStore(tmp_path)).stream(pictures, workers=1)
    next(first)
    next(first)
    first.close()  # interrupted
    again = list(FeatureBank(network, FeatureStore(tmp_path)).stream(pictures, workers=1))
    assert len(computed) == len(again) == 5


@pytest.mark.slow
def test_several_processes_give_the_same_bytes(
    network: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bank_module, "SERIAL_IMAGES", 1)
    pictures = [picture(40, 50, seed) for seed in range(6)]
    alone = list(FeatureBank(network, FeatureStore(tmp_path / "one")).stream(pictures, workers=1))
    together = list(FeatureBank(network, FeatureStore(tmp_path / "two")).stream(pictures, workers=2))
    for one, other in zip(alone, together, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(one.levels, other.levels, strict=True))
    kept = [{path.name: path.read_bytes() for path in (tmp_path / n).rglob("*.safetensors")} for n in ("one", "two")]
    assert kept[0] == kept[1]
    assert len(kept[0]) == 6


def test_an_encoder_without_the_levels_is_refused() -> None:
    with pytest.raises(ConfigError, match="lacks levels") as told:
        Network(ModelConfig(architecture="linear", encoder="vgg11", weights="none"), 2)
    assert "tf_efficientnet_lite0" in str(told.value)


def test_features_reach_other_processes() -> None:
    levels = (torch.rand(3, 4, 5).half(), torch.rand(2, 2, 2).half())
    given = [ImageFeatures(levels, (16, 20)) for _ in range(4)]
    for found in stream(_same, given, workers=2):
        assert found.padded == (16, 20)
        assert all(torch.equal(one, other) for one, other in zip(found.levels, levels, strict=True))


def _same(features: ImageFeatures) -> ImageFeatures:
    return features


class Ahead:
    """A bank that reads three images in advance; its features are the first pixel of the image."""

    penalties = np.ones(1)

    def __init__(self) -> None:
        self.closed = False

    def features(self, rgb: np.ndarray) -> ImageFeatures:
        return ImageFeatures((torch.tensor(int(rgb[0, 0, 0])),), (1, 1))

    def stream(self, images: Iterable[np.ndarray]) -> Generator[ImageFeatures, None, None]:
        waiting: list[np.ndarray] = []
        try:
            for rgb in images:
                waiting.append(rgb)
                if len(waiting) > 3:
                    yield self.features(waiting.pop(0))
            yield from map(self.features, waiting)
        finally:
            self.closed = True


def test_features_come_with_what_belongs_to_their_image() -> None:
    numbers = [7, 3, 200, 3, 11, 90]
    images = ((np.full((2, 2, 3), number, np.uint8), f"image {number}") for number in numbers)
    found = [(name, int(features.levels[0])) for name, features in paired(Ahead(), images)]
    assert found == [(f"image {number}", number) for number in numbers]


def test_whoever_stops_early_ends_the_stream_too() -> None:
    bank = Ahead()
    some = paired(bank, ((np.zeros((2, 2, 3), np.uint8), number) for number in range(9)))
    assert next(some)[0] == 0
    some.close()
    assert bank.closed
