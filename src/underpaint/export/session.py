"""Runs an exported network with ONNX Runtime."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from underpaint.core.errors import ConfigError, RunError


class OnnxForward:
    """An exported network as a function from (N, 3, H, W) RGB in [0, 1] to (N, C, H, W) logits, on the CPU.

    Args:
        model: Path of the file, or its bytes.

    Raises:
        ConfigError: onnxruntime is not installed.
        RunError: The file was not written by `export_onnx`.
    """

    def __init__(self, model: Path | bytes) -> None:
        runtime = extra("onnxruntime")
        options = runtime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        # Without spinning, waiting threads leave the cores to torch, which works between two passes.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._where = None if isinstance(model, bytes) else model
        source = model if isinstance(model, bytes) else str(model)
        try:
            self._session: Any = runtime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # ONNX Runtime's errors share no base class
            what = "ONNX Runtime cannot load the network: the file is damaged, or no network"
            raise RunError(what, where=self._where, fix="remove the file, which is then exported again") from error

    def __call__(self, rgb: Tensor) -> Tensor:
        """(N, C, H, W) logits of (N, 3, H, W) RGB in [0, 1].

        Raises:
            RunError: The file has other inputs or outputs than the networks that `export_onnx` writes.
        """
        try:
            (logits,) = self._session.run(["logits"], {"rgb": rgb.contiguous().numpy()})
            return torch.from_numpy(logits)
        except Exception as error:  # ONNX Runtime's errors share no base class
            raise RunError(
                "ONNX Runtime cannot run the network: the file was not written by underpaint export",
                where=self._where,
                fix="remove the file, which is then exported again",
            ) from error


def extra(name: str) -> ModuleType:
    """Import a package of the optional group ``export``. Raises `ConfigError` with the command that installs it."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ConfigError(
            f"the package {name} is needed: {error}", where="engine", fix="pip install underpaint[export]"
        ) from None
