"""Reads tensors from safetensors files and loads them into networks, with clear errors for damaged or wrong files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from underpaint.core.errors import RunError
from underpaint.core.regular import open_regular

MAX_BYTES = 16 << 30
"""Largest size in bytes of a file of weights, a hundred times that of the largest encoder for images."""

FIX = "copy the file again from where it was made, or train again"


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Read the tensors of a safetensors file. Such a file contains no code.

    Raises:
        RunError: The file is missing, not a regular file, incomplete, or not a safetensors file.
    """
    try:
        open_regular(path, max_bytes=MAX_BYTES).close()
        return load_file(path)
    except OSError as error:
        raise RunError(f"the weights cannot be read: {error.strerror or error}", where=path, fix=FIX) from None
    except (SafetensorError, ValueError, MemoryError, OverflowError, RuntimeError):
        raise RunError("the weights are cut, damaged, or no safetensors file", where=path, fix=FIX) from None


def load_into(network: nn.Module, tensors: Mapping[str, Tensor], source: Path) -> None:
    """Load tensors into a network.

    Args:
        network: The network; its weights are replaced.
        tensors: Tensors by the names of the network's state.
        source: File of the tensors, for messages.

    Raises:
        RunError: The names, shapes or types differ from the network's, or a number is not finite.
    """
    own = network.state_dict()
    missing, strange = sorted(own.keys() - tensors.keys()), sorted(tensors.keys() - own.keys())
    if missing or strange:
        what = f"the weights lack {len(missing)} tensors of the network and have {len(strange)} others"
        raise RunError(f"{what}, such as {(missing + strange)[0][:80]!r}", where=source, fix=_fits(source))
    for name, tensor in own.items():
        held = tensors[name]
        if held.shape != tensor.shape or held.dtype != tensor.dtype:
            seen, wanted = (f"{tuple(one.shape)} of {str(one.dtype)[6:]}" for one in (held, tensor))
            raise RunError(f"the tensor {name!r} is {seen}, in the network {wanted}", where=source, fix=_fits(source))
        if not bool(torch.isfinite(held).all()):
            raise RunError(f"the tensor {name!r} holds numbers that are not finite", where=source, fix=FIX)
    network.load_state_dict(dict(tensors))


def _fits(source: Path) -> str:
    return f"put back the weights that belong to the settings and classes beside them, or train again ({source.name})"
