"""What a stage makes: a folder named by the hash of what went in, written whole or not at all, used again."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from underpaint.core.atomic import atomic_folder
from underpaint.core.digest import fingerprint

TRAINING_ROOMS = (
    "core", "hints", "formats", "records.py", "kernels", "losses", "models", "data", "local", "cam", "methods",
    "predict", "training",
)  # fmt: skip
"""The code that weights, and labels made between two stages, depend on."""


def artifact_path(store: Path, name: str, inputs: Any) -> Path:
    """Where the artifact made from ``inputs`` lies, or would lie."""
    return store / f"{name}-{fingerprint(name, inputs)}"


def make_artifact(store: Path, name: str, inputs: Any, make: Callable[[Path], None]) -> Path:
    """The artifact that ``make`` writes from ``inputs``; made only if the store does not hold it yet.

    Two processes that make the same one at the same time both write it whole; the later takes the earlier's place.

    Args:
        store: Folder of artifacts; several runs may share it.
        name: Readable part of the folder's name.
        inputs: Everything that the result depends on, as JSON values.
        make: Writes into the empty folder that it is given.
    """
    target = artifact_path(store, name, inputs)
    if not target.is_dir():
        with atomic_folder(target) as temporary:
            make(temporary)
            text = json.dumps(inputs, sort_keys=True, indent=1, default=str)
            (temporary / "inputs.json").write_text(text + "\n", encoding="utf-8")
    return target
