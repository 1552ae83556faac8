"""Mean field against the authors' library (literal values), a full matrix, and the exact kernel."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from underpaint.core.errors import ConfigError, DataError
from underpaint.kernels.bilateral.coordinates import image_features
from underpaint.kernels.bilateral.lattice_torch import TorchLattice
from underpaint.kernels.meanfield import CrfParameters, KeptKernels, mean_field, mean_fields

Floats = NDArray[np.float32]
STRONG = CrfParameters(3, 3, 80, 13, 10)
WEAK = CrfParameters(3, 0.5, 80, 13, 1.0, iterations=5)


def small() -> tuple[Floats, NDArray[np.uint8]]:
    row, column = np.mgrid[:5, :6]
    image = np.stack([40 * row + 5 * column, 200 - 30 * column, 100 + 20 * (row > 2)], axis=-1).astype(np.uint8)
    p = np.stack([1 + row, 1 + column, 2 + (row * column) % 3]).astype(np.float32)
    return p / p.sum(0), image


def scene(classes: int = 4, height: int = 24, width: int = 30) -> tuple[Floats, NDArray[np.uint8]]:
    """Two-coloured image with noise, probabilities that follow it loosely."""
    draw = np.random.default_rng(0)
    row, column = np.mgrid[:height, :width]
    region = (row - height / 2) ** 2 + (column - width / 2) ** 2 < (height / 3) ** 2
    image = np.where(region[..., None], (200, 80, 40), (40, 120, 180)) + draw.normal(0, 6, (height, width, 3))
    logits = draw.normal(0, 1, (classes, height, width))
    logits[1] += np.where(region, 1.5, 0)
    logits[0] += np.where(region, 0, 1.5)
    p = np.exp(logits)
    return (p / p.sum(0)).astype(np.float32), image.clip(0, 255).astype(np.uint8)


def normalised(affinity: NDArray[np.float64]) -> NDArray[np.float64]:
    root = np.sqrt(affinity.sum(1))
    return np.asarray(affinity / root[:, None] / root[None], dtype=np.float64)


def plain_mean_field(
    p: Floats, messages: NDArray[np.float64], cost: NDArray[np.float64], iterations: int
) -> NDArray[np.float64]:
    """The definition with a full matrix between pixels, costs counted as in the paper."""
    unary = -np.log(np.clip(p.reshape(len(p), -1).astype(float), 1e-5, 1))
    q = np.exp(-unary) / np.exp(-unary).sum(0)
    for _ in range(iterations):
        energy = unary + cost @ (q @ messages.T)
        q = np.exp(-(energy - energy.min(0)))
        q /= q.sum(0)
    return np.asarray(q.reshape(p.shape), dtype=np.float64)


def gaussian(image: NDArray[np.uint8], xy: float, rgb: float | None) -> NDArray[np.float64]:
    colours = torch.from_numpy(image).movedim(-1, 0).double()
    features = image_features(colours, sigma_xy=xy, sigma_rgb=rgb).T
    return np.asarray(torch.exp(-0.5 * torch.cdist(features, features) ** 2).numpy(), dtype=np.float64)


def on_lattice(image: NDArray[np.uint8], xy: float, rgb: float | None) -> NDArray[np.float64]:
    colours = torch.from_numpy(image).movedim(-1, 0).double()
    lattice = TorchLattice.build(image_features(colours, sigma_xy=xy, sigma_rgb=rgb))
    return np.asarray(lattice.filter(torch.eye(colours[0].numel(), dtype=torch.float64)).T.numpy())


def test_equals_the_authors_library() -> None:
    """pydensecrf2 1.1, on `small`: DenseCRF2D(6, 5, 3), setUnaryEnergy(-log p), addPairwiseGaussian(3, compat=0.5),
    addPairwiseBilateral(80, 13, image, compat=1), inference(5). ``[:, 1::2, ::2]``."""
    p, image = small()
    expected = [
        [[0.419177, 0.182768, 0.14345], [0.701065, 0.501109, 0.332123]],
        [[0.167052, 0.33776, 0.628953], [0.094821, 0.326208, 0.538026]],
        [[0.413771, 0.479472, 0.227597], [0.204113, 0.172684, 0.129851]],
    ]
    np.testing.assert_allclose(mean_field(p, image, WEAK)[:, 1::2, ::2], expected, atol=2e-6)


@pytest.mark.parametrize("parameters", [STRONG, WEAK], ids=["strong", "weak"])
@pytest.mark.parametrize("classes", [2, 4, 9])
def test_equals_the_full_matrix_of_the_lattice(parameters: CrfParameters, classes: int) -> None:
    p, image = scene(classes)
    messages = parameters.gaussian_compat * normalised(on_lattice(image, parameters.gaussian_xy, None))
    rgb = parameters.bilateral_rgb
    messages += parameters.bilateral_compat * normalised(on_lattice(image, parameters.bilateral_xy, rgb))
    expected = plain_mean_field(p, messages, 1 - np.eye(classes), parameters.iterations)
    np.testing.assert_allclose(mean_field(p, image, parameters), expected, atol=2e-4)


def test_is_near_the_exact_kernel() -> None:
    p, image = scene()
    messages = 3 * normalised(gaussian(image, 3, None)) + 10 * normalised(gaussian(image, 80, 13))
    expected = plain_mean_field(p, messages, 1 - np.eye(4), 10)
    q = mean_field(p, image, STRONG)
    assert (q.argmax(0) == expected.argmax(0)).mean() > 0.98
    assert np.abs(q - expected).mean() < 0.02


@pytest.mark.parametrize("iterations", [0, 1, 4])
def test_with_weights_of_zero_the_clipped_unary_comes_back(iterations: int) -> None:
    p, image = scene()
    p[0, 3, 4] = 0
    q = mean_field(p, image, CrfParameters(3, 0, 80, 13, 0, iterations=iterations))
    clipped = p.clip(1e-5, 1)
    np.testing.assert_allclose(q, clipped / clipped.sum(0), rtol=1e-5)


def test_sums_to_one_and_survives_large_costs() -> None:
    p, image = scene()
    q = mean_field(p, image, CrfParameters(3, 400, 80, 13, 500))
    assert np.isfinite(q).all()
    np.testing.assert_allclose(q.sum(0), 1, rtol=1e-5)


def test_memory_layout_precision_and_threads_do_not_matter() -> None:
    p, image = scene(height=100, width=130)
    expected = mean_field(p, image, STRONG)
    strided = np.ascontiguousarray(np.moveaxis(p, 0, -1))
    assert np.array_equal(mean_field(np.moveaxis(strided, -1, 0), image[::-1][::-1], STRONG), expected)
    assert np.array_equal(mean_field(p.astype(np.float64), image, STRONG), expected)
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        assert np.array_equal(mean_field(p, image, STRONG), expected)
    finally:
        torch.set_num_threads(threads)


def test_label_noise_is_cleaned() -> None:
    _, image = scene()
    truth = (image[..., 0] > 120).astype(np.int64)
    noisy = np.where(np.random.default_rng(1).random(truth.shape) < 0.15, 1 - truth, truth)
    p = np.where(noisy == np.arange(2)[:, None, None], 0.7, 0.3).astype(np.float32)
    cleaned = mean_field(p, image, CrfParameters(3, 3, 50, 5, 10)).argmax(0)
    assert (cleaned == truth).mean() > 0.99 > (noisy == truth).mean()


def test_errors() -> None:
    p, image = scene()
    with pytest.raises(DataError, match="the image has shape"):
        mean_field(p, image[:-1], WEAK)
    with pytest.raises(DataError, match="float64"):
        mean_field(p, image / 255, WEAK)  # type: ignore[arg-type]  # the error under test
    with pytest.raises(DataError, match="not all finite"):
        mean_field(np.where(p > 0.5, np.nan, p), image, WEAK)
    with pytest.raises(DataError, match="the probabilities have shape"):
        mean_field(p.astype(np.int64), image, WEAK)
    with pytest.raises(ConfigError, match="bilateral_rgb is 0"):
        CrfParameters(3, 3, 80, 0, 10)


def test_several_distributions_share_the_lattices_and_nothing_else() -> None:
    p, image = scene()
    other = p[::-1].copy()
    found = mean_fields([p, other, p], image, STRONG)
    assert np.array_equal(found[0], mean_field(p, image, STRONG))
    assert np.array_equal(found[1], mean_field(other, image, STRONG))
    assert np.array_equal(found[2], found[0])
    assert not np.array_equal(found[1], found[0])
    with pytest.raises(DataError, match="shapes"):
        mean_fields([p, p[:2]], image, STRONG)


def test_kept_kernels_change_nothing_and_are_those_of_the_last_image() -> None:
    (p, image), kept = scene(), KeptKernels()
    other = p[::-1].copy()
    mean_field(p, image, STRONG, kept)
    first = kept.kernels
    assert np.array_equal(mean_field(other, image, STRONG, kept), mean_field(other, image, STRONG))
    assert kept.kernels is first
    turned = np.ascontiguousarray(image[::-1])
    for given, pixels, parameters in (
        (p, turned, STRONG),
        (p, turned, WEAK),
        (p[:3], turned, WEAK),
        (p, image, STRONG),
    ):
        found = mean_field(given, pixels, parameters, kept)
        assert np.array_equal(found, mean_field(given, pixels, parameters))
    pixels = image.copy()
    mean_field(p, pixels, STRONG, kept)
    pixels[:] = turned
    assert np.array_equal(mean_field(p, pixels, STRONG, kept), mean_field(p, turned, STRONG))
