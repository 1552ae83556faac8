"""Pair sums over a window on a GPU: Triton where it works, else the torch back end."""

from __future__ import annotations

import importlib
import importlib.util
import logging

from torch import Tensor

from underpaint.kernels import windowed_torch
from underpaint.kernels.gaussian import HalfWindow

_log = logging.getLogger("underpaint")
_failed: list[str] = []


def filter_pairs(
    values: Tensor, rgb: Tensor, window: HalfWindow, source: Tensor | None, destination: Tensor | None
) -> tuple[Tensor, Tensor]:
    """As `windowed_torch.filter_pairs`, for float32 tensors on a GPU.

    Triton builds its launcher with the machine's C compiler and talks to the driver, so it can fail where torch works;
    then one warning says so and torch takes over for the rest of the process.
    """
    if not _failed and importlib.util.find_spec("triton") is not None:
        try:
            fused = importlib.import_module("underpaint.kernels.windowed_triton")
            filtered, disagreement = fused.filter_pairs(values, rgb, window, source, destination)
        except Exception as error:
            _failed.append(str(error))
            _log.warning("Triton does not work here, torch is used instead (several times slower): %s", error)
        else:
            return filtered, disagreement
    return windowed_torch.filter_pairs(values, rgb, window, source, destination)
