"""Uncertainty maps: the variance head with tiles, scales and mirror images, compared with one plain forward pass."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn import functional as F

from underpaint.core.errors import ConfigError
from underpaint.core.outputs import RECORD
from underpaint.methods.box_uncertainty.losses import expected_logits
from underpaint.models.config import ModelConfig
from underpaint.models.network import Network
from underpaint.predict import PredictConfig, UncertaintyPredictor, draw_uncertainty
from underpaint.predict.uncertainty import uncertainty
from underpaint.records import Head


@pytest.fixture(scope="module")
def network() -> Network:
    torch.manual_seed(0)
    return Network(ModelConfig(weights="none", width=32), 3, needs={Head.VARIANCE}).eval()


def plain(network: Network, rgb: np.ndarray) -> np.ndarray:
    """(H, W): one pass over the image, its border repeated to multiples of 16."""
    height, width = rgb.shape[:2]
    wide = np.pad(rgb, ((0, -height % 16), (0, -width % 16), (0, 0)), mode="edge")
    image = network.normalised(torch.from_numpy(wide).permute(2, 0, 1)[None].float() / 255)
    with torch.inference_mode():
        variance = network(image).variance
    return np.asarray(F.interpolate(variance, scale_factor=4, mode="bilinear")[0, 0, :height, :width])


def cells(full: np.ndarray) -> np.ndarray:
    height, width = full.shape
    rows, columns = range(0, height, 4), range(0, width, 4)
    return np.array([[full[i : i + 4, j : j + 4].mean() for j in columns] for i in rows])


def test_it_is_the_mean_of_one_pass_over_cells(network: Network, photo: np.ndarray) -> None:
    rgb = photo[:90, :71]
    found = UncertaintyPredictor(network, PredictConfig()).coarse(rgb)
    assert found.shape == (23, 18)
    assert found.dtype == np.float32
    assert (found > 0).all()
    np.testing.assert_allclose(found, cells(plain(network, rgb)), rtol=1e-4)


def test_passes_are_averaged(network: Network, photo: np.ndarray) -> None:
    rgb = photo[:64, :96]
    found = UncertaintyPredictor(network, PredictConfig(flip=True)).coarse(rgb)
    mirrored = plain(network, np.ascontiguousarray(rgb[:, ::-1]))[:, ::-1]
    np.testing.assert_allclose(found, cells((plain(network, rgb) + mirrored) / 2), rtol=1e-4)


def test_tiles_leave_no_cell_out(network: Network, photo: np.ndarray) -> None:
    """The network sees the whole image in its pooled features, so that tiles change its numbers, but little."""
    tiled = UncertaintyPredictor(network, PredictConfig(tile=256, overlap=64)).coarse(photo)
    whole = UncertaintyPredictor(network, PredictConfig()).coarse(photo)
    assert tiled.shape == whole.shape == (128, 88)
    np.testing.assert_allclose(tiled, whole, rtol=0.2)


def test_a_picture_and_numbers_for_every_photograph(network: Network, photo: np.ndarray, tmp_path: Path) -> None:
    album, out = tmp_path / "album", tmp_path / "out"
    for name, rgb in (("b.v2.png", photo[:20, :30]), ("trip/a.png", photo[40:57, :9])):
        (album / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rgb).save(album / name)
    (album / "broken.jpg").write_bytes(b"no photograph")
    predictor = UncertaintyPredictor(network, PredictConfig())
    calls: list[tuple[int, int]] = []
    summary = draw_uncertainty(predictor, album, out, on_progress=lambda done, total: calls.append((done, total)))
    assert summary.written == 2
    assert list(summary.skipped) == ["broken"]
    assert calls == [(0, 3), (1, 3), (2, 3), (3, 3)]
    files = (path for path in out.rglob("*") if path.is_file() and path.name != RECORD)
    assert sorted(path.relative_to(out).as_posix() for path in files) == [
        "b.v2.npy",
        "b.v2.png",
        "trip/a.npy",
        "trip/a.png",
    ]
    np.testing.assert_array_equal(np.load(out / "trip/a.npy", allow_pickle=False), predictor.coarse(photo[40:57, :9]))
    with Image.open(out / "b.v2.png") as picture:
        assert picture.size == (30, 20)


def test_uncertainty_is_the_share_that_the_expected_softmax_takes_from_the_logits() -> None:
    variance = torch.tensor([0.0, 0.3, 1.0, 10.0, 1e6]).view(-1, 1)
    mean = torch.full((5, 2), 3.0)
    kept = expected_logits(mean, variance)[:, 0] / mean[:, 0]
    np.testing.assert_allclose(uncertainty(variance[:, 0].numpy()), 1 - kept.numpy(), atol=1e-6)
    np.testing.assert_allclose(uncertainty(np.array([1, 10], np.float32)), np.array([0.153, 0.550]), atol=1e-3)


def test_the_picture_has_one_scale_for_all_photographs(network: Network, photo: np.ndarray, tmp_path: Path) -> None:
    """Without uncertainty the picture is the image in grey: a flat map is not stretched to the full colour scale."""
    (tmp_path / "album").mkdir()
    Image.fromarray(photo[:32, :48]).save(tmp_path / "album" / "a.png")
    sure = copy.deepcopy(network)
    assert sure.variance_head is not None
    assert sure.variance_head.bias is not None
    torch.nn.init.constant_(sure.variance_head.bias, -30.0)
    draw_uncertainty(UncertaintyPredictor(sure, PredictConfig()), tmp_path / "album", tmp_path / "out")
    grey = photo[:32, :48].mean(axis=2)
    with Image.open(tmp_path / "out" / "a.png") as picture:
        np.testing.assert_allclose(np.asarray(picture).mean(axis=2), grey, atol=1)


def test_another_network_is_an_error() -> None:
    other = Network(ModelConfig(weights="none", width=32), 3)
    with pytest.raises(ConfigError, match=r"no variance head\n.*box-uncertainty"):
        UncertaintyPredictor(other, PredictConfig())
