"""The iterations of mean-field inference on the CPU. Every iteration uses the same lattices and the same memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from underpaint.kernels import meanfield_step as steps
from underpaint.kernels.bilateral.coordinates import image_features
from underpaint.kernels.bilateral.filter import blur, collect
from underpaint.kernels.bilateral.lattice import Lattice
from underpaint.kernels.jit import prepare
from underpaint.kernels.meanfield import CrfParameters, KeptKernels
from underpaint.kernels.vectors import empty_rows

Floats = NDArray[np.float32]

LEAST = 1e-5
"""Probabilities are clipped to this before the logarithm, as in the published methods that use a dense CRF."""


def infer(
    distributions: Sequence[Floats], image: NDArray[np.uint8], parameters: CrfParameters, kept: KeptKernels | None
) -> list[Floats]:
    """As `meanfield.mean_fields`, for arguments that have been checked."""
    threads = prepare(steps.step, purpose="mean-field inference", seconds=10)
    classes, height, width = distributions[0].shape
    kernels = _kernels_of(image, parameters, classes, kept or KeptKernels()) if parameters.iterations else None
    results = []
    for given in distributions:
        rows = empty_rows(height * width, classes)
        planes = np.ascontiguousarray(given, dtype=np.float32).reshape(classes, -1)
        steps.load(planes, LEAST, threads, rows)
        if kernels is not None:
            _iterate(rows, classes, kernels, parameters.iterations, threads)
        else:
            rows /= rows.sum(axis=1, keepdims=True)
        results.append(np.moveaxis(rows.reshape(height, width, -1)[..., :classes], -1, 0))
    return results


class Kernels(NamedTuple):
    """Both kernels of an image: the lattices, the pixels in them, memory for the sums, and factors of the messages."""

    lattices: tuple[Lattice, Lattice]
    embeddings: tuple[steps.Embedding, steps.Embedding]
    buffers: tuple[list[Floats], list[Floats]]
    scales: tuple[float, float]


def _kernels_of(image: NDArray[np.uint8], parameters: CrfParameters, classes: int, kept: KeptKernels) -> Kernels:
    """Return the kept kernels if they belong to this image and these settings; otherwise build and keep new ones."""
    settings = (parameters, classes)
    if kept.kernels is None or kept.image is None or kept.settings != settings or not np.array_equal(kept.image, image):
        kept.kernels = None  # otherwise the memory of both would be needed at once
        kept.kernels = _kernels(image, parameters, classes)
        kept.image, kept.settings = image.copy(), settings
    return kept.kernels


def _kernels(image: NDArray[np.uint8], parameters: CrfParameters, classes: int) -> Kernels:
    smoothness = _lattice(image, parameters.gaussian_xy, None)
    appearance = _lattice(image, parameters.bilateral_xy, parameters.bilateral_rgb)
    one, two = _embed(smoothness, classes), _embed(appearance, classes)
    scales = parameters.gaussian_compat * smoothness.factor, parameters.bilateral_compat * appearance.factor
    buffers = _buffers(smoothness, one.entries), _buffers(appearance, two.entries)
    return Kernels((smoothness, appearance), (one, two), buffers, scales)


def _iterate(rows: Floats, classes: int, kernels: Kernels, iterations: int, threads: int) -> None:
    """Replace the clipped unary probabilities by the distribution after all iterations."""
    (smoothness, appearance), (one, two) = kernels.lattices, kernels.embeddings
    tiles, scales = smoothness.tiles, kernels.scales
    nothing = np.empty((0, rows.shape[1]), np.float32)
    steps.step(rows, classes, tiles, one, two, nothing, nothing, scales, False, threads)
    for i in range(1, iterations + 1):
        blurred = (
            _blur(smoothness, one.entries, kernels.buffers[0], threads),
            _blur(appearance, two.entries, kernels.buffers[1], threads),
        )
        steps.step(rows, classes, tiles, one, two, *blurred, scales, i == iterations, threads)


def _lattice(image: NDArray[np.uint8], sigma_xy: float, sigma_rgb: float | None) -> Lattice:
    rgb = torch.from_numpy(np.ascontiguousarray(image)).movedim(-1, 0).float()
    features = image_features(rgb, sigma_xy=sigma_xy, sigma_rgb=sigma_rgb)
    return Lattice.build(features.numpy(), width=image.shape[1])


def _embed(lattice: Lattice, classes: int) -> steps.Embedding:
    """Normalise a lattice symmetrically. This changes its weights in place, so it must not be used otherwise."""
    weights = lattice.weights
    sums = lattice.filter(np.ones((1, len(weights)), np.float32))[0]
    weights /= np.sqrt(sums + np.float32(1e-20))[:, None]  # the constant of the authors' code
    entries = empty_rows(len(lattice.vertex), classes)
    return steps.Embedding(lattice.corners, weights, lattice.starts, lattice.vertex, entries)


def _buffers(lattice: Lattice, entries: Floats) -> list[Floats]:
    """Allocate memory for the vertices, reused in every iteration: new memory pages would cost more than the sums.

    The entries are not needed while the vertices are blurred. Their memory serves as the second buffer if the number of
    axes is even, because then the result is not left in it.
    """
    vertices = empty_rows(lattice.vertices + 1, entries.shape[1])
    if len(lattice.axes()) % 2 == 0:
        return [vertices, entries[: len(vertices)]]
    return [vertices, empty_rows(*vertices.shape)]


def _blur(lattice: Lattice, entries: Floats, buffers: list[Floats], threads: int) -> Floats:
    vertices, spare = buffers
    collect(entries, lattice.first, lattice.order, threads, vertices)
    for axis in lattice.axes():
        blur(vertices, lattice.neighbours[axis], threads, spare)
        vertices, spare = spare, vertices
    return vertices
