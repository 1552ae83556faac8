"""A frozen encoder with fewer operations and the same outputs, for features that are computed and never trained.

Two changes of the network are exact except for rounding. First, batch normalisation with fixed statistics is a linear
function of each channel, so it is folded into the weights of the convolution before it. Second, networks from
TensorFlow pad an image of even size before a convolution of stride 2 by one pixel more on the right and at the bottom
than on the left and at the top. PyTorch has no such convolution: it copies the whole image into a larger one. On a
mirrored image, with mirrored kernels, the larger padding is on the left and at the top, and an ordinary symmetric
padding gives the same result, because the last padded pixel is then not used. So the whole network works on the image
mirrored on both axes, and its outputs are mirrored back.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from itertools import pairwise

import torch
from timm.layers.conv2d_same import Conv2dSame
from timm.layers.norm_act import BatchNormAct2d
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

TOLERANCE = 1e-4
"""Largest difference of an output from the output of the encoder as it is, as a share of its largest value."""

PROBE = (1, 64, 96)
"""Batch, height and width of the random image on which both are compared. Some of its feature maps have odd sizes."""


class Mirrored(nn.Module):
    """An encoder that works on mirrored images: its input and its outputs are mirrored on both axes."""

    def __init__(self, encoder: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, image: Tensor) -> list[Tensor]:
        """The encoder's outputs for (N, B, H, W); the first is the image itself."""
        outputs = self.encoder(image.flip((2, 3)))
        return [image, *(output.flip((2, 3)) for output in outputs[1:])]


def folded(encoder: nn.Module, bands: int) -> nn.Module:
    """A copy of an encoder in evaluation mode, with the same outputs and, where its structure allows, fewer operations.

    A change is kept only if all outputs for a random image stay within `TOLERANCE`, so that encoders of any structure
    may be given.

    Args:
        encoder: Maps (N, B, H, W) to a list of feature maps, the first of which is the image.
        bands: B, number of bands of an image.
    """
    count, *size = PROBE
    image = torch.rand(count, bands, *size, generator=torch.Generator().manual_seed(0)) * 2 - 1
    image = image.to(next(encoder.parameters()).device)
    best = copy.deepcopy(encoder)
    for change in (_without_norms, _mirrored):
        changed = change(copy.deepcopy(best), image)
        if _same(encoder, changed, image):
            best = changed
    return best


@torch.inference_mode()
def _same(first: nn.Module, second: nn.Module, image: Tensor) -> bool:
    pairs = zip(first(image), second(image), strict=True)
    return all(torch.allclose(a, b, rtol=0, atol=TOLERANCE * float(a.abs().amax())) for a, b in pairs if a.numel())


def _without_norms(encoder: nn.Module, image: Tensor) -> nn.Module:
    """Batch normalisation that directly follows a convolution is folded into its weights; its activation stays."""
    for convolution, norm in _pairs(encoder, image):
        fused = fuse_conv_bn_eval(convolution, norm)
        convolution.weight, convolution.bias = fused.weight, fused.bias
        _replace(encoder, norm, norm.act)
    return encoder


@torch.inference_mode()
def _pairs(encoder: nn.Module, image: Tensor) -> list[tuple[nn.Conv2d, BatchNormAct2d]]:
    """Every convolution whose output the next layer, a batch normalisation with fixed statistics, receives."""
    calls: list[tuple[nn.Module, Tensor, Tensor]] = []

    def note(module: nn.Module, given: Sequence[Tensor], output: Tensor) -> None:
        calls.append((module, given[0], output))

    layers = [module for module in encoder.modules() if isinstance(module, nn.Conv2d | BatchNormAct2d)]
    hooks = [module.register_forward_hook(note) for module in layers]
    encoder(image)
    for hook in hooks:
        hook.remove()
    return [
        (first, second)
        for (first, _, made), (second, given, _) in pairwise(calls)
        if isinstance(first, nn.Conv2d) and isinstance(second, BatchNormAct2d) and made is given
    ]


def _replace(encoder: nn.Module, old: nn.Module, new: nn.Module) -> None:
    for parent in list(encoder.modules()):
        for name, child in list(parent.named_children()):
            if child is old:
                setattr(parent, name, new)


def _mirrored(encoder: nn.Module, image: Tensor) -> nn.Module:
    """The network of mirrored images, in which the padding of TensorFlow is an ordinary padding."""
    if not any(isinstance(module, Conv2dSame) for module in encoder.modules()):
        return encoder
    for module in encoder.modules():
        if isinstance(module, nn.Conv2d):
            module.weight = nn.Parameter(module.weight.detach().flip((2, 3)).contiguous(), requires_grad=False)
            if isinstance(module, Conv2dSame):
                module.__class__ = nn.Conv2d  # type: ignore[assignment]  # its parent, without the padding
                module.padding = tuple(side // 2 for side in module.kernel_size)
    return Mirrored(encoder)
