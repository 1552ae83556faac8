"""Checkpoints: safetensors and JSON files, written completely or not at all, and checked when they are read."""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor

from underpaint.core.atomic import atomic_folder
from underpaint.core.errors import RunError, UnderpaintError
from underpaint.core.json_text import read_json
from underpaint.core.regular import TEXT_BYTES, read_regular
from underpaint.models.tensors import MAX_BYTES, read_tensors

log = logging.getLogger(__name__)

PARTS = ("weights", "optimiser", "average", "teacher")
"""The possible parts of a checkpoint; each is a file."""

KEEP = 2
"""Number of checkpoints that are kept: the last one, and one before it in case the last one is damaged."""

Tensors = dict[str, Tensor]


@dataclass(frozen=True)
class Logged:
    """State of the event log. With it, a resumed run writes the same lines as a run that was not interrupted.

    Args:
        since: Optimiser step of the last line.
        sums: Sum of each loss term over the steps after that line.
    """

    since: int
    sums: Mapping[str, float]


@dataclass(frozen=True)
class Checkpoint:
    """Everything that the training loop needs to continue as if it had not stopped.

    Args:
        step: Number of optimiser steps done.
        weights: State of the network.
        optimiser: State of the optimiser as a flat mapping with keys ``"<parameter>.<name>"``.
        average: State of the weight average, or None.
        teacher: State of the average that makes labels (`Learner.teacher`), or None.
        logged: State of the event log.
    """

    step: int
    weights: Tensors
    optimiser: Tensors
    average: Tensors | None
    teacher: Tensors | None
    logged: Logged


def save_checkpoint(folder: Path, checkpoint: Checkpoint, inputs: str) -> Path:
    """Write ``folder/step-N`` and remove all checkpoints but the last two.

    Args:
        folder: Folder of the checkpoints of the stage; its parent must exist.
        checkpoint: The checkpoint to write.
        inputs: Fingerprint of everything that the weights depend on.

    Returns:
        The folder of the new checkpoint.

    Raises:
        DataError: The checkpoint could not be written; earlier checkpoints are unchanged.
    """
    target = folder / f"step-{checkpoint.step:08d}"
    parts: dict[str, Tensors | None] = {name: getattr(checkpoint, name) for name in PARTS}
    with atomic_folder(target, root=folder.parent) as temporary:
        digests = {}
        for name, tensors in parts.items():
            if tensors is not None:
                content = tensor_bytes(tensors)
                (temporary / f"{name}.safetensors").write_bytes(content)
                digests[name] = hashlib.sha256(content).hexdigest()
        logged = {"since": checkpoint.logged.since, "sums": dict(checkpoint.logged.sums)}
        state = {"step": checkpoint.step, "inputs": inputs, "sha256": digests, "logged": logged}
        # The keys are not sorted: the event log and the curves have the loss terms in this order.
        (temporary / "state.json").write_text(json.dumps(state) + "\n", encoding="utf-8")
    for old in _numbered(folder)[:-KEEP]:
        shutil.rmtree(old)
    return target


def tensor_bytes(tensors: Tensors) -> bytes:
    """The content of a safetensors file. Tensors with shared memory or strides are copied first."""
    return save({name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()})


def load_checkpoint(folder: Path, inputs: str) -> Checkpoint | None:
    """Read the last undamaged checkpoint of a folder. A damaged checkpoint is reported, and the one before it is read.

    Checkpoints that were made from other inputs (images or code that changed since) are reported and removed. The stage
    then starts again from its first step: otherwise the weights would depend on both the old and the new inputs.

    Args:
        folder: Folder of the checkpoints of the stage.
        inputs: Fingerprint of everything that the weights depend on.

    Returns:
        The checkpoint, or None if there is no checkpoint of these inputs.

    Raises:
        RunError: There are checkpoints, but all are damaged.
    """
    found = []
    for path in _numbered(folder):
        if _made_from(path) in (inputs, None):
            found.append(path)
        else:
            log.warning("%s was made from other photographs or by other code, and is removed", path)
            shutil.rmtree(path, ignore_errors=True)
    for path in reversed(found):
        try:
            return _read(path)
        except (OSError, ValueError, LookupError, TypeError, AttributeError, OverflowError, UnderpaintError) as error:
            log.warning("checkpoint %s is damaged (%s); trying the one before it", path, error)
    if found:
        raise RunError(f"none of the {len(found)} checkpoints is whole", where=folder, fix="start a new run")
    return None


def _numbered(folder: Path) -> list[Path]:
    return sorted(folder.glob("step-*"))


def _made_from(path: Path) -> str | None:
    """Fingerprint of the inputs of a checkpoint, or None if it cannot be read."""
    try:
        return str(read_json(path / "state.json", max_bytes=TEXT_BYTES)["inputs"])
    except (OSError, ValueError, LookupError, TypeError, UnderpaintError):
        return None


def _read(path: Path) -> Checkpoint:
    state: dict[str, Any] = read_json(path / "state.json", max_bytes=TEXT_BYTES)
    parts: dict[str, Tensors] = {}
    for name, digest in state["sha256"].items():
        if name not in PARTS:
            raise ValueError(f"it has a part {str(name)[:40]!r}")
        file = path / f"{name}.safetensors"
        if hashlib.sha256(read_regular(file, max_bytes=MAX_BYTES)).hexdigest() != digest:
            raise ValueError(f"{file.name} has another checksum")
        parts[name] = read_tensors(file)
    logged = Logged(int(state["logged"]["since"]), state["logged"]["sums"])
    averages = parts.get("average"), parts.get("teacher")
    return Checkpoint(int(state["step"]), parts["weights"], parts["optimiser"], *averages, logged)


def optimiser_tensors(optimiser: torch.optim.Optimizer) -> Tensors:
    """State of the optimiser as a flat mapping. Learning rates and other settings come from the configuration."""
    state = optimiser.state_dict()["state"]
    return {f"{index}.{name}": torch.as_tensor(value) for index, held in state.items() for name, value in held.items()}


def restore_optimiser(optimiser: torch.optim.Optimizer, tensors: Tensors) -> None:
    """Restore the state of an optimiser from a flat mapping.

    Raises:
        RunError: The tensors belong to other parameters.
    """
    state: dict[int, dict[str, Tensor]] = {}
    shapes = [parameter.shape for group in optimiser.param_groups for parameter in group["params"]]
    for key, value in tensors.items():
        index, _, name = key.partition(".")
        fits = index.isdecimal() and int(index) < len(shapes) and value.shape in (shapes[int(index)], torch.Size())
        if not fits:
            raise RunError(f"the optimiser's state {key[:40]!r} fits no parameter", fix="start a new run")
        state.setdefault(int(index), {})[name] = value
    whole = optimiser.state_dict()
    optimiser.load_state_dict({"state": state, "param_groups": whole["param_groups"]})
