"""Chooses whether torch runs a network, or ONNX Runtime runs its exported file."""

from __future__ import annotations

import hashlib
import importlib.util
import logging
from pathlib import Path
from typing import Literal

import torch

from underpaint.core.classes import ClassTable
from underpaint.core.digest import code_digest
from underpaint.core.errors import ConfigError, RunError, UnderpaintError
from underpaint.export.onnx_file import OPSET, check_file, export_onnx, metadata
from underpaint.export.session import OnnxForward
from underpaint.models.network import Network

log = logging.getLogger(__name__)

Engine = Literal["auto", "torch", "onnx"]


def choose_forward(
    network: Network, folder: Path, classes: ClassTable, *, engine: Engine = "auto"
) -> OnnxForward | None:
    """Return a function that runs instead of the network, or None for the network itself.

    ``auto`` uses ONNX Runtime on a CPU if it is installed: it ran the default network about 1.5 times as fast as torch
    (``benchmarks/prediction.py``). If the export fails, ``auto`` logs a warning and uses torch.

    Args:
        network: The network on the device on which it would run.
        folder: Folder in which the exported file ``network-HASH.onnx`` is stored. The hash is computed from weights and
            settings, so that the next call can use the file again.
        classes: The network's classes.
        engine: ``auto``, ``torch`` or ``onnx``.

    Raises:
        ConfigError: The engine is ``onnx``, and its packages are missing or the network is not on the CPU.
        RunError: The engine is ``onnx``, and the export fails.
        DataError: The engine is ``onnx``, and the folder cannot be written.
    """
    device = next(network.parameters()).device.type
    if engine == "torch" or (engine == "auto" and not (device == "cpu" and _installed())):
        return None
    if device != "cpu":
        raise ConfigError(f"the engine onnx was asked to run on {device}", accepted="auto or torch on this device")
    try:
        return _cached(network, folder / f"network-{_hash(network, classes)}.onnx", classes)
    except UnderpaintError as error:
        if engine == "onnx":
            raise
        log.warning("predicting with torch, which is slower, since the export failed: %s", error)
        return None


def _cached(network: Network, path: Path, classes: ClassTable) -> OnnxForward:
    if path.is_file():
        try:
            return check_file(network, path)
        except RunError as error:
            log.warning("exporting again: %s", error)
            path.unlink()  # the file has the name of this network's export, but is not that export
    export_onnx(network, path, classes=classes)
    return OnnxForward(path)


def _hash(network: Network, classes: ClassTable) -> str:
    """A hash of everything that the exported file depends on: 16 hexadecimal digits."""
    digest = hashlib.sha256()
    code = code_digest("models", "export")
    said = (code, torch.__version__, OPSET, network.config.model_dump_json(), metadata(classes))
    digest.update(repr(said).encode("utf-8", "backslashreplace"))
    for name, tensor in network.state_dict().items():
        digest.update(name.encode())
        digest.update(tensor.contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]


def _installed() -> bool:
    return all(importlib.util.find_spec(name) is not None for name in ("onnx", "onnxruntime"))
