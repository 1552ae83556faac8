import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from pydantic import ValidationError
from torch import Tensor, nn

from underpaint.core.errors import ConfigError, DataError
from underpaint.kernels.meanfield import CrfParameters, mean_field
from underpaint.models.config import ModelConfig
from underpaint.models.network import Network
from underpaint.predict import PredictConfig, Predictor

Pixels = NDArray[np.uint8]


def _softmax_of_colours(network: Network, rgb: Pixels) -> NDArray[np.float64]:
    """What the local network says, in NumPy."""
    colours = (rgb / 255 - network.mean.numpy()) / network.std.numpy()
    head = network.head
    assert isinstance(head, nn.Conv2d)
    assert head.bias is not None
    logits = colours @ head.weight.detach().numpy()[:, :, 0, 0].T + head.bias.detach().numpy()
    powers = np.exp(logits)
    return np.moveaxis(powers / powers.sum(axis=2, keepdims=True), 2, 0)


def test_probabilities_are_the_softmax_of_the_logits(local: Network, photo: Pixels) -> None:
    rgb = photo[:37, :50]
    seen = Predictor(local, PredictConfig()).probabilities(rgb)
    assert seen.shape == (5, 37, 50)
    np.testing.assert_allclose(seen, _softmax_of_colours(local, rgb), atol=1e-6)


@pytest.mark.parametrize("flip", [False, True])
def test_tiles_of_a_local_network_change_nothing(local: Network, photo: Pixels, flip: bool) -> None:
    whole = Predictor(local, PredictConfig(flip=flip)).probabilities(photo)
    tiled = Predictor(local, PredictConfig(flip=flip, tile=256, overlap=0)).probabilities(photo)
    np.testing.assert_array_equal(tiled, whole)


@pytest.mark.parametrize("scales", [(1.0,), (0.5, 1.0), (0.5, 1.5, 2.0)])
def test_no_seam_where_the_overlap_covers_the_receptive_field(
    strided: Network, photo: Pixels, scales: tuple[float, ...]
) -> None:
    whole = Predictor(strided, PredictConfig(scales=scales, flip=True)).probabilities(photo)
    tiled = Predictor(strided, PredictConfig(scales=scales, flip=True, tile=256, overlap=64)).probabilities(photo)
    np.testing.assert_allclose(tiled, whole, atol=2e-5)


def test_without_overlap_the_seam_shows(strided: Network, photo: Pixels) -> None:
    whole = Predictor(strided, PredictConfig()).probabilities(photo)
    tiled = Predictor(strided, PredictConfig(tile=256, overlap=0)).probabilities(photo)
    assert np.abs(tiled - whole).max() > 0.01


def test_scales_and_mirror_images_are_averaged(strided: Network, photo: Pixels) -> None:
    def single(rgb: Pixels, scale: float) -> NDArray[np.float32]:
        return Predictor(strided, PredictConfig(scales=(scale,))).probabilities(rgb)

    rgb = photo[:60, :90]
    views = [single(rgb, scale) for scale in (1.0, 0.5)]
    views += [single(np.ascontiguousarray(rgb[:, ::-1]), scale)[:, :, ::-1] for scale in (1.0, 0.5)]
    seen = Predictor(strided, PredictConfig(scales=(1.0, 0.5), flip=True)).probabilities(rgb)
    np.testing.assert_allclose(seen, np.mean(views, axis=0), atol=1e-6)


@pytest.mark.parametrize("config", [PredictConfig(tile=256, overlap=32), PredictConfig(scales=(0.5, 1.0), flip=True)])
def test_index_is_the_most_probable_class(strided: Network, photo: Pixels, config: PredictConfig) -> None:
    predictor = Predictor(strided, config)
    probabilities = predictor.probabilities(photo)
    ranked = np.sort(probabilities, axis=0)
    clear = ranked[-1] - ranked[-2] > 1e-5  # the order of equals is rounding
    index = predictor.index(photo)
    assert clear.mean() > 0.99
    assert index.dtype == np.uint8
    np.testing.assert_array_equal(index[clear], probabilities.argmax(axis=0)[clear])


@pytest.mark.parametrize("size", [(301, 262), (8, 8), (1, 1), (2, 7)])
def test_coarse_probabilities_are_means_of_cells(strided: Network, photo: Pixels, size: tuple[int, int]) -> None:
    rgb = photo[: size[0], : size[1]]
    predictor = Predictor(strided, PredictConfig(tile=256, overlap=32))
    fine = predictor.probabilities(rgb)
    index, coarse = predictor.index_and_coarse(rgb)
    np.testing.assert_array_equal(index, predictor.index(rgb))
    assert coarse.shape == (5, -(-size[0] // 4), -(-size[1] // 4))
    assert coarse.dtype == np.float16
    for row in range(coarse.shape[1]):
        for column in range(coarse.shape[2]):
            cell = fine[:, 4 * row : 4 * row + 4, 4 * column : 4 * column + 4]
            np.testing.assert_allclose(coarse[:, row, column], cell.mean(axis=(1, 2)), atol=1e-3)


@pytest.mark.parametrize("size", [(1, 1), (1, 340), (512, 1), (17, 16)])
def test_any_size_is_taken(local: Network, photo: Pixels, size: tuple[int, int]) -> None:
    rgb = photo[: size[0], : size[1]]
    seen = Predictor(local, PredictConfig(scales=(0.25, 1.0), flip=True)).index(rgb)
    assert seen.shape == size


@pytest.mark.parametrize("scales", [(1.0,), (0.5, 2.0), (4.0,)])
def test_the_network_never_sees_more_than_a_tile(local: Network, photo: Pixels, scales: tuple[float, ...]) -> None:
    seen: list[tuple[int, ...]] = []

    def forward(rgb: Tensor) -> Tensor:
        seen.append(tuple(rgb.shape))
        return torch.zeros(1, 5, *rgb.shape[2:])

    config = PredictConfig(scales=scales, tile=512)
    Predictor(local, config, forward=forward).index(photo)
    assert max(side for shape in seen for side in shape[2:]) <= 512
    assert {shape[0] for shape in seen} == {1}


def test_the_forward_given_takes_the_networks_place(local: Network) -> None:
    def forward(rgb: Tensor) -> Tensor:
        return torch.cat([-rgb.sum(1, keepdim=True), torch.zeros(1, 3, *rgb.shape[2:]), rgb.mean(1, keepdim=True)], 1)

    rgb = np.zeros((2, 3, 3), np.uint8)
    rgb[0] = 255
    seen = Predictor(local, PredictConfig(), forward=forward).probabilities(rgb)
    bottom = np.exp([-3, 0, 0, 0, 1]) / np.exp([-3, 0, 0, 0, 1]).sum()
    np.testing.assert_allclose(seen[:, 0, 1], bottom, rtol=1e-5)
    np.testing.assert_allclose(seen[:, 1, 1], 0.2, rtol=1e-5)


def test_the_crf_runs_on_each_tile(local: Network, photo: Pixels) -> None:
    rgb = photo[:40, :56]
    plain = Predictor(local, PredictConfig()).probabilities(rgb)
    sharpened = Predictor(local, PredictConfig(crf=True)).probabilities(rgb)
    np.testing.assert_allclose(sharpened, mean_field(plain, rgb, CrfParameters(3, 3, 83, 5, 4)), atol=1e-5)
    assert np.abs(sharpened - plain).max() > 0.1


def test_the_crf_takes_a_single_pixel(local: Network) -> None:
    assert Predictor(local, PredictConfig(crf=True)).index(np.zeros((1, 1, 3), np.uint8)).shape == (1, 1)


def test_the_crf_on_tiles_reaches_every_pixel(local: Network, photo: Pixels) -> None:
    seen = Predictor(local, PredictConfig(crf=True, tile=256, overlap=32)).probabilities(photo[:80])
    np.testing.assert_allclose(seen.sum(axis=0), 1, atol=1e-4)


def test_the_real_network_is_normalised_and_padded(photo: Pixels) -> None:
    network = Network(ModelConfig(weights="none"), 3).eval()
    predictor = Predictor(network, PredictConfig())
    rgb = photo[:64, :96]
    image = torch.from_numpy(rgb).permute(2, 0, 1)[None].float() / 255
    with torch.no_grad():
        normal = (image - network.mean.view(1, 3, 1, 1)) / network.std.view(1, 3, 1, 1)
        logits = network(normal).upsampled()
    np.testing.assert_allclose(predictor.probabilities(rgb), logits.softmax(1)[0].numpy(), atol=1e-5)
    edged = np.pad(rgb[:50, :81], ((0, 14), (0, 15), (0, 0)), mode="edge")
    expected = predictor.probabilities(edged)[:, :50, :81]
    np.testing.assert_allclose(predictor.probabilities(rgb[:50, :81]), expected, atol=1e-5)


@pytest.mark.parametrize(
    "rgb",
    [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 4), np.uint8), np.zeros((4, 4, 3)), np.zeros((0, 4, 3), np.uint8)],
)
def test_what_is_no_photograph_is_refused(local: Network, rgb: Pixels) -> None:
    with pytest.raises(DataError, match=r"accepted: \(H, W, 3\) uint8"):
        Predictor(local, PredictConfig()).index(rgb)


def test_the_engine_onnx_needs_a_forward(local: Network) -> None:
    with pytest.raises(ConfigError, match="choose_forward"):
        Predictor(local, PredictConfig(engine="onnx"))


@pytest.mark.parametrize(
    "settings",
    [{"scales": ()}, {"scales": (8,)}, {"scales": (0.1,)}, {"tile": 300}, {"tile": 128}, {"tile": 256, "overlap": 96}],
)
def test_settings_out_of_range_are_refused(settings: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        PredictConfig.parse(settings)
    with pytest.raises(ValidationError):
        PredictConfig.model_validate(settings)
