"""Random walk of class scores over pixels, along edges with affinities: semantic propagation as in PSA and IRN."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from underpaint.core.errors import ConfigError, DataError

Offset = tuple[int, int]


def half_disc(radius: int) -> list[Offset]:
    """The O offsets (dy, dx) with ``dy² + dx² < radius²`` that point down or to the right: every pair of pixels once.

    paper: Ahn and Kwak, "Learning Pixel-level Semantic Affinity", CVPR 2018 (radius 5: 34 offsets).

    Raises:
        ConfigError: a radius below 2, which contains no pair.
    """
    if radius < 2:
        raise ConfigError(f"radius is {radius}", accepted="2 or more pixels")
    ahead = [(0, dx) for dx in range(1, radius)]
    below = [(dy, dx) for dy in range(1, radius) for dx in range(1 - radius, radius)]
    return [(dy, dx) for dy, dx in ahead + below if dy**2 + dx**2 < radius**2]


def feature_affinities(features: Tensor, *, radius: int) -> Tensor:
    """``exp(-mean_f |f_i - f_j|)`` for every edge, as PSA learns it; differentiable.

    Args:
        features: (F, H, W).
        radius: Largest length of an edge in pixels, see `half_disc`.

    Returns:
        (O, H, W): affinity between a pixel and its neighbour at each of the O offsets of `half_disc`; 0 where the
        neighbour is outside the image.
    """
    edges = []
    for offset in half_disc(radius):
        here, there = _along(features, offset, [(0, 0), offset])
        edges.append(_placed(torch.exp(-(here - there).abs().mean(dim=0)), offset, features))
    return torch.stack(edges)


def boundary_affinities(boundary: Tensor, *, radius: int) -> Tensor:
    """One minus the strongest boundary on the straight path between two pixels, as in IRN; differentiable.

    The path consists of all pixels of the rectangle between the two pixels that are less than one pixel away from the
    line through them, both ends included, as in the authors' code.

    paper: Ahn, Cho and Kwak, "Weakly Supervised Learning of Instance Segmentation with Inter-pixel Relations", 2019.

    Args:
        boundary: (H, W) probabilities in 0..1.
        radius: Largest length of an edge in pixels, see `half_disc`.

    Returns:
        (O, H, W), as `feature_affinities`.
    """
    edges = []
    for offset in half_disc(radius):
        path = torch.stack(_along(boundary, offset, _path(offset)))
        edges.append(_placed(1 - path.amax(dim=0), offset, boundary))
    return torch.stack(edges)


def transition_matrix(affinities: Tensor, *, radius: int, exponent: float) -> Tensor:
    """Probabilities of one step: ``T_ij = a_ij^exponent / sum_i a_ij^exponent``, with ``a_ii = 1``.

    Args:
        affinities: (O, H, W) in 0..1 for the offsets of `half_disc`. Values for neighbours outside the image do not
            count.
        radius: Largest length of an edge in pixels.
        exponent: Power of the affinities, which makes them sharper; 8 in PSA, 10 in IRN.

    Returns:
        Sparse (H W, H W), whose columns sum to one.

    Raises:
        DataError: a number of offsets that does not belong to the radius, or affinities outside 0..1.
    """
    offsets = half_disc(radius)
    if affinities.ndim != 3 or len(affinities) != len(offsets):
        raise DataError(f"the affinities have shape {tuple(affinities.shape)}", accepted=f"({len(offsets)}, H, W)")
    if not bool(((affinities >= 0) & (affinities <= 1)).all()):
        raise DataError("the affinities are not all between 0 and 1", accepted="0..1")
    _, height, width = affinities.shape
    pixels = torch.arange(height * width, device=affinities.device)
    start, end, weight = [pixels], [pixels], [affinities.new_ones(height * width)]
    for offset, edge in zip(offsets, affinities, strict=True):
        here, there = _along(pixels.view(height, width), offset, [(0, 0), offset])
        start += [here.flatten(), there.flatten()]
        end += [there.flatten(), here.flatten()]
        weight += 2 * [_along(edge, offset, [(0, 0)])[0].flatten() ** exponent]
    rows, columns, values = torch.cat(start), torch.cat(end), torch.cat(weight)
    total = torch.zeros_like(weight[0]).index_add_(0, columns, values)
    size = 2 * (height * width,)
    places = torch.stack([rows, columns])
    return torch.sparse_coo_tensor(places, values / total[columns], size, check_invariants=False).coalesce()


@torch.no_grad()
def random_walk(scores: Tensor, affinities: Tensor, *, radius: int, exponent: float, steps: int) -> Tensor:
    """Scores after a walk: ``vec(scores) T^steps``, an average over the pixels where the walk may have begun.

    A constant map stays constant, and 0 steps change nothing. On small grids the dense matrix is raised to its power by
    squaring, on larger grids the sparse matrix is multiplied step by step, whichever needs fewer operations. The result
    has no gradient.

    paper: Ahn and Kwak 2018 (exponent 8, 256 steps at stride 8); Ahn, Cho and Kwak 2019 (exponent 10, 256 steps at
    stride 4, scores times one minus the boundary).

    Args:
        scores: (C, H, W).
        affinities: (O, H, W), from `feature_affinities` or `boundary_affinities`.
        radius: Largest length of an edge in pixels, 5 in both papers.
        exponent: Power of the affinities.
        steps: Length of the walk, 0 or more.

    Returns:
        (C, H, W).

    Raises:
        DataError: scores and affinities of different sizes, or an error of `transition_matrix`.
        ConfigError: a negative number of steps.
    """
    if scores.ndim != 3 or scores.shape[1:] != affinities.shape[1:]:
        raise DataError(
            f"the scores have shape {tuple(scores.shape)} and the affinities {tuple(affinities.shape)}",
            accepted="(C, H, W) and (O, H, W) of one size",
        )
    if steps < 0:
        raise ConfigError(f"steps is {steps}", accepted="0 or more")
    precision = torch.promote_types(scores.dtype, torch.float32)
    rows = scores.flatten(1).T.to(precision)
    step = transition_matrix(affinities.to(scores.device, precision), radius=radius, exponent=exponent)
    back = step.t().coalesce()
    pixels, classes = rows.shape
    if steps and math.log2(2 * steps) * pixels**3 < steps * len(back.values()) * classes:
        rows = torch.linalg.matrix_power(back.to_dense(), steps) @ rows
    elif rows.device.type == "cpu" and precision == torch.float32:
        from underpaint.kernels.randomwalk_numba import walk  # numba takes long to import

        rows = walk(back, rows, steps)
    else:
        for _ in range(steps):
            rows = back @ rows
    return rows.T.reshape(scores.shape).to(scores.dtype).contiguous()


def _along(planes: Tensor, offset: Offset, places: list[Offset]) -> list[Tensor]:
    """Views of ``planes`` (..., H, W) at each place, relative to the pixels that have a neighbour at ``offset``."""
    dy, dx = offset
    height, width = planes.shape[-2:]
    tall, wide, left = max(0, height - dy), max(0, width - abs(dx)), max(0, -dx)
    if not tall or not wide:
        return [planes[..., :tall, :wide] for _ in places]
    return [planes[..., y : y + tall, left + x : left + x + wide] for y, x in places]


def _placed(edge: Tensor, offset: Offset, planes: Tensor) -> Tensor:
    """Bring values of the pixels that have a neighbour to the size (H, W), with zeros for the other pixels."""
    dy, dx = offset
    height, width = planes.shape[-2:]
    if not edge.numel():
        return edge.new_zeros(height, width)
    return F.pad(edge, (max(0, -dx), max(0, dx), 0, dy))


def _path(offset: Offset) -> list[Offset]:
    """Pixels of the straight path from (0, 0) to the offset."""
    dy, dx = offset
    box = [(y, x) for y in range(dy + 1) for x in range(min(0, dx), max(0, dx) + 1)]
    return [(y, x) for y, x in box if (dy * x - dx * y) ** 2 < dy**2 + dx**2]
