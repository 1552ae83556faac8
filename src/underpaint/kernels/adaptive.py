"""Pixel-adaptive refinement: repeated averaging of masks over dilated neighbours of similar colour."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from underpaint.core.errors import ConfigError, DataError

COLOUR_SHARPNESS = 0.3
"""w1 of the authors' code: the unit of colour differences, in standard deviations of the neighbourhood."""

POSITION_WEIGHT = 0.01
"""w2 of the authors' code: weight of the term that depends on the distance alone."""

_EPS = 1e-8
"""Added to a standard deviation before a division by it, as in the authors' code."""

Offsets = list[tuple[int, int]]


@torch.no_grad()
def pixel_adaptive_refinement(
    masks: Tensor, rgb: Tensor, *, dilations: Sequence[int] = (1, 2, 4, 8, 12, 24), iterations: int = 10
) -> Tensor:
    """Replace every pixel's mask several times by an average over its neighbours, weighted by the similarity of colour.

    The neighbours are the eight around a pixel at each dilation. Outside the image the border pixels are repeated.
    ``w_ij = softmax_j(-mean_c (|I_i - I_j| / std_j(I_j) / 0.3)²) + 0.01 softmax_j(-(dist_ij / std_j(dist) / 0.3)²)``:
    the weights of a pixel sum to 1.01, so that one iteration multiplies a constant mask by 1.01. The weights do not
    depend on the units of ``rgb``. Images are processed one at a time, in memory for 8 floats per pixel and dilation
    and two copies of the masks of the image. There is no gradient.

    paper: Ru et al., "Learning Affinity from Attention", CVPR 2022 (PAR).

    Args:
        masks: (N, C, H, W), floating.
        rgb: (N, 3, H, W) in any range.
        dilations: Distances of the neighbours in pixels; the default is the paper's.
        iterations: Number of averages, 0 or more; 10 in the paper, 20 in WeCLIP.

    Returns:
        (N, C, H, W), in the type of ``masks``.

    Raises:
        DataError: shapes that do not fit together.
        ConfigError: no dilation, one below 1, or a negative number of iterations.
    """
    _check(masks, rgb, dilations, iterations)
    offsets = [(dy * d, dx * d) for d in dilations for dy in (-1, 0, 1) for dx in (-1, 0, 1) if (dy, dx) != (0, 0)]
    precision = torch.promote_types(masks.dtype, torch.float32)
    refined = torch.empty_like(masks, memory_format=torch.contiguous_format)
    compiled = masks.device.type == "cpu" and precision == torch.float32
    for n in range(len(masks)):
        weights = _weights(rgb[n].to(masks.device, precision), offsets, max(dilations))
        mask = masks[n].to(precision)
        if compiled:
            from underpaint.kernels.adaptive_numba import average  # numba takes long to import

            refined[n] = average(mask, weights, offsets, max(dilations), iterations)
            continue
        for _ in range(iterations):
            total = torch.zeros_like(mask)
            for weight, neighbour in zip(weights, _neighbours(mask, offsets, max(dilations)), strict=True):
                total.addcmul_(weight, neighbour)
            mask = total
        refined[n] = mask
    return refined


def _weights(image: Tensor, offsets: Offsets, reach: int) -> Tensor:
    """(O, H, W) weights of the neighbours of one image (3, H, W)."""
    total, squares = torch.zeros_like(image), torch.zeros_like(image)
    for neighbour in _neighbours(image, offsets, reach):
        difference = neighbour - image
        total += difference
        squares.addcmul_(difference, difference)
    count = len(offsets)
    variance = (squares - total**2 / count).clamp_(min=0) / (count - 1)
    scale = (variance.sqrt_() + _EPS) * COLOUR_SHARPNESS
    weights = image.new_empty(count, *image.shape[1:])
    for o, neighbour in enumerate(_neighbours(image, offsets, reach)):
        weights[o] = -((neighbour - image) / scale).square_().mean(dim=0)
    # This softmax is computed in place, because the tensor is the largest one here.
    weights.sub_(weights.amax(dim=0)).exp_().div_(weights.sum(dim=0))
    distance = image.new_tensor(offsets).square().sum(dim=1).sqrt()
    position = torch.softmax(-(distance / (distance.std() + _EPS) / COLOUR_SHARPNESS).square(), dim=0)
    return weights.add_(POSITION_WEIGHT * position[:, None, None])


def _neighbours(planes: Tensor, offsets: Offsets, reach: int) -> Iterator[Tensor]:
    """Views of (C, H, W) planes, shifted by each offset, with repeated border pixels."""
    height, width = planes.shape[-2:]
    padded = F.pad(planes[None], (reach, reach, reach, reach), mode="replicate")[0]
    for dy, dx in offsets:
        yield padded[:, reach + dy : reach + dy + height, reach + dx : reach + dx + width]


def _check(masks: Tensor, rgb: Tensor, dilations: Sequence[int], iterations: int) -> None:
    if masks.ndim != 4 or not masks.is_floating_point() or masks.numel() == 0:
        raise DataError(
            f"the masks have shape {tuple(masks.shape)} and type {masks.dtype}",
            accepted="floating (N, C, H, W), not empty",
        )
    wanted = (len(masks), 3, *masks.shape[2:])
    if tuple(rgb.shape) != wanted:
        raise DataError(
            f"rgb has shape {tuple(rgb.shape)}", accepted=wanted, fix="resize the image to the size of the masks"
        )
    if not dilations or min(dilations) < 1 or iterations < 0:
        raise ConfigError(
            f"the dilations are {tuple(dilations)} and the iterations {iterations}",
            accepted="at least one dilation, each 1 or more; 0 or more iterations",
        )
