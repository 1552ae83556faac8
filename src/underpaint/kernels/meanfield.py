"""Mean-field inference of a fully connected CRF with a smoothness and an appearance kernel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from underpaint.core.errors import ConfigError, DataError
from underpaint.kernels import meanfield_numba as steps
from underpaint.kernels.crf_parameters import (
    AFA_MASK,
    DEEPLAB_MASK,
    LABEL_CLEANING,
    LEAST,
    PSEUDO_LABELS,
    RRM_MASK,
    TOCO_MASK,
    CrfParameters,
)
from underpaint.kernels.jit import prepare
from underpaint.kernels.lattice import image_features
from underpaint.kernels.meanfield_torch import mean_field_on
from underpaint.kernels.permutohedral import Lattice
from underpaint.kernels.permutohedral_filter import blur, collect
from underpaint.kernels.rows import empty_rows

__all__ = [
    "AFA_MASK",
    "DEEPLAB_MASK",
    "LABEL_CLEANING",
    "PSEUDO_LABELS",
    "RRM_MASK",
    "TOCO_MASK",
    "CrfParameters",
    "from_labels",
    "mean_field",
    "mean_fields",
]

Floats = NDArray[np.float32]


def mean_field(
    probabilities: Floats,
    image: NDArray[np.uint8],
    parameters: CrfParameters,
    *,
    compatibility: Floats | None = None,
    device: str = "cpu",
) -> Floats:
    """Distribution over the classes of each pixel after some iterations of mean field.

    ``Q <- u exp(sum_m w_m (K_m Q)) / Z``, begun at ``Q = u / Z``, where u are the probabilities clipped to 1e-5..1
    (they need not sum to one) and ``K_m = N^-1/2 A_m N^-1/2`` with ``N = diag(A_m 1)`` is a Gaussian affinity on the
    permutohedral lattice, normalised symmetrically, the own pixel included. Every step uses the same two lattices.

    paper: Kraehenbuehl and Koltun, "Efficient Inference in Fully Connected CRFs with Gaussian Edge Potentials", 2011;
    same result as the authors' library up to rounding.

    Args:
        probabilities: (C, H, W), from a network or from `from_labels`.
        image: (H, W, 3) uint8 RGB, as read from the file (not mean-subtracted).
        parameters: Kernels and iterations, for example `PSEUDO_LABELS`.
        compatibility: (C, C) symmetric cost of two classes beside each other; None: Potts (1 for different classes).
        device: "cpu" runs the compiled pass on all cores; another device runs in torch there.

    Returns:
        (C, H, W) float32, sums to one over the classes; a view with the classes innermost in memory.

    Raises:
        DataError: shapes or types that do not fit, probabilities that are not finite.
    """
    return mean_fields([probabilities], image, parameters, compatibility=compatibility, device=device)[0]


def mean_fields(
    distributions: Sequence[Floats],
    image: NDArray[np.uint8],
    parameters: CrfParameters,
    *,
    compatibility: Floats | None = None,
    device: str = "cpu",
) -> list[Floats]:
    """`mean_field` of several distributions over one image, whose lattices are built once.

    Args:
        distributions: Each (C, H, W), of one C.
        image: (H, W, 3) uint8 RGB.
        parameters: Kernels and iterations.
        compatibility: As in `mean_field`.
        device: As in `mean_field`.

    Returns:
        One (C, H, W) for each.

    Raises:
        DataError: as `mean_field`; distributions of different shapes.
    """
    shapes = {given.shape for given in distributions}
    if len(shapes) != 1:
        raise DataError(f"distributions of shapes {sorted(shapes)}", accepted="one or more, of one shape")
    for given in distributions:
        _check(given, image, compatibility)
    if device != "cpu":
        return [mean_field_on(device, given, image, parameters, compatibility) for given in distributions]
    threads = prepare(steps.step, purpose="mean-field inference", seconds=10)
    classes, height, width = distributions[0].shape
    kernels = _kernels(image, parameters, classes) if parameters.iterations else None
    found = []
    for given in distributions:
        rows = empty_rows(height * width, classes)
        planes = np.ascontiguousarray(given, dtype=np.float32).reshape(classes, -1)
        steps.load(planes, LEAST, threads, rows)
        if kernels is not None:
            _iterate(rows, classes, kernels, parameters.iterations, _matrix(compatibility, rows.shape[1]), threads)
        else:
            rows /= rows.sum(axis=1, keepdims=True)
        found.append(np.moveaxis(rows.reshape(height, width, -1)[..., :classes], -1, 0))
    return found


def from_labels(labels: NDArray[np.integer], *, classes: int, confidence: float, unknown: int | None = None) -> Floats:
    """Probabilities for `mean_field` from a label map.

    Args:
        labels: (H, W) integers 0..classes - 1.
        classes: Number of classes C, 2 or more.
        confidence: Probability of the label, the others share the rest; between 0 and 1 (IRN: 0.7).
        unknown: Value of pixels without a label, which get 1 / C for every class.

    Returns:
        (C, H, W) float32.

    Raises:
        DataError: a label outside the classes.
        ConfigError: a confidence outside 0..1.
    """
    if not 0 < confidence < 1 or classes < 2:
        raise ConfigError(f"confidence {confidence}, {classes} classes", accepted="between 0 and 1, 2 classes or more")
    known = np.ones_like(labels, dtype=bool) if unknown is None else labels != unknown
    strange = np.setdiff1d(labels[known], np.arange(classes))
    if strange.size:
        raise DataError(
            f"labels {strange[:5].tolist()} are not classes", accepted=f"0..{classes - 1}, unknown {unknown}"
        )
    probabilities = np.full((classes, *labels.shape), (1 - confidence) / (classes - 1), np.float32)
    np.put_along_axis(probabilities, np.where(known, labels, 0)[None].astype(np.int64), np.float32(confidence), axis=0)
    probabilities[:, ~known] = 1 / classes
    return probabilities


class _Kernels(NamedTuple):
    """Both kernels of an image: lattices, where the pixels lie in them, room for the sums, factors of the messages."""

    lattices: tuple[Lattice, Lattice]
    sides: tuple[steps.Side, steps.Side]
    rooms: tuple[list[Floats], list[Floats]]
    scales: tuple[float, float]


def _kernels(image: NDArray[np.uint8], parameters: CrfParameters, classes: int) -> _Kernels:
    smoothness = _lattice(image, parameters.gaussian_xy, None)
    appearance = _lattice(image, parameters.bilateral_xy, parameters.bilateral_rgb)
    one, two = _side(smoothness, classes), _side(appearance, classes)
    scales = parameters.gaussian_compat * smoothness.factor, parameters.bilateral_compat * appearance.factor
    rooms = _room(smoothness, one.entries), _room(appearance, two.entries)
    return _Kernels((smoothness, appearance), (one, two), rooms, scales)


def _iterate(rows: Floats, classes: int, kernels: _Kernels, iterations: int, matrix: Floats, threads: int) -> None:
    """Replace the clipped unary probabilities by the distribution after all iterations."""
    (smoothness, appearance), (one, two) = kernels.lattices, kernels.sides
    tiles, scales = smoothness.tiles, kernels.scales
    nothing = np.empty((0, rows.shape[1]), np.float32)
    steps.step(rows, classes, tiles, one, two, nothing, nothing, scales, nothing, False, threads)
    for i in range(1, iterations + 1):
        blurred = (
            _blur(smoothness, one.entries, kernels.rooms[0], threads),
            _blur(appearance, two.entries, kernels.rooms[1], threads),
        )
        steps.step(rows, classes, tiles, one, two, *blurred, scales, matrix, i == iterations, threads)


def _lattice(image: NDArray[np.uint8], sigma_xy: float, sigma_rgb: float | None) -> Lattice:
    rgb = torch.from_numpy(np.ascontiguousarray(image)).movedim(-1, 0).float()
    return Lattice.from_planes(
        image_features(rgb, sigma_xy=sigma_xy, sigma_rgb=sigma_rgb).numpy(), width=image.shape[1]
    )


def _side(lattice: Lattice, classes: int) -> steps.Side:
    """Normalise a lattice symmetrically; its weights are changed in place and serve for nothing else from here on."""
    weights = lattice.weights
    sums = lattice.filter_planes(np.ones((1, len(weights)), np.float32))[0]
    weights /= np.sqrt(sums + np.float32(1e-20))[:, None]  # the constant of the authors' code
    entries = empty_rows(len(lattice.vertex), classes)
    return steps.Side(lattice.corners, weights, lattice.starts, lattice.vertex, entries)


def _room(lattice: Lattice, entries: Floats) -> list[Floats]:
    """Memory for the vertices, used again in every iteration: fresh pages cost more than the sums.

    While the vertices are blurred the entries are free; they lend their memory where an even number of axes makes sure
    that the result does not stay there.
    """
    vertices = empty_rows(lattice.vertices + 1, entries.shape[1])
    if len(lattice.axes()) % 2 == 0:
        return [vertices, entries[: len(vertices)]]
    return [vertices, empty_rows(*vertices.shape)]


def _blur(lattice: Lattice, entries: Floats, room: list[Floats], threads: int) -> Floats:
    vertices, spare = room
    collect(entries, lattice.first, lattice.order, threads, vertices)
    for axis in lattice.axes():
        blur(vertices, lattice.neighbours[axis], threads, spare)
        vertices, spare = spare, vertices
    return vertices


def _matrix(compatibility: Floats | None, length: int) -> Floats:
    """Rows of minus the cost, padded with zeros; empty for Potts."""
    if compatibility is None:
        return np.empty((0, length), np.float32)
    matrix = np.zeros((len(compatibility), length), np.float32)
    matrix[:, : len(compatibility)] = -compatibility
    return matrix


def _check(probabilities: Floats, image: NDArray[np.uint8], compatibility: Floats | None) -> None:
    if probabilities.ndim != 3 or probabilities.size == 0 or not np.issubdtype(probabilities.dtype, np.floating):
        raise DataError(
            f"probabilities are {probabilities.shape} {probabilities.dtype}", accepted="floating (C, H, W), not empty"
        )
    classes, *size = probabilities.shape
    if image.dtype != np.uint8 or image.shape != (*size, 3):
        raise DataError(
            f"the image is {image.shape} {image.dtype}",
            accepted=f"uint8 {(*size, 3)}",
            fix="give the RGB image as read from its file, resized with the probabilities to one size",
        )
    if not np.isfinite(probabilities).all():
        raise DataError("the probabilities are not all finite", fix="look for NaN in the network's output")
    if compatibility is not None and (
        compatibility.shape != (classes, classes) or not np.allclose(compatibility, compatibility.T)
    ):
        raise DataError(f"compatibility is {compatibility.shape}", accepted=f"symmetric ({classes}, {classes})")
