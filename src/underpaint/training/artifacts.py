"""Artifacts of stages: folders named by the hash of their inputs, written completely and checked with checksums."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

from underpaint.core.atomic import atomic_folder
from underpaint.core.digest import READING_PACKAGES, file_digest, fingerprint
from underpaint.core.errors import UnderpaintError
from underpaint.core.json_text import read_json

log = logging.getLogger(__name__)

TRAINING_CODE = (
    *READING_PACKAGES, "records.py", "kernels", "losses", "models", "data",
    "features", "methods", "predict", "training",
)  # fmt: skip
"""The packages whose code decides the weights of a stage and the labels made between two stages."""

CHECKSUMS = "checksums.json"
"""File with the SHA-256 of every other file of an artifact, by its path below the folder."""

_whole: set[Path] = set()
"""Artifacts that this process has written or checked."""


def artifact_path(store: Path, name: str, inputs: Any) -> Path:
    """The path of the artifact that is made from ``inputs``, whether it exists or not."""
    return store / f"{name}-{fingerprint(name, inputs)}"


def make_artifact(store: Path, name: str, inputs: Any, make: Callable[[Path], None]) -> Path:
    """Make an artifact, unless the store already holds it undamaged.

    If two processes make the same artifact at the same time, both write it completely, and the later one replaces the
    earlier one. A damaged artifact is reported and made again.

    Args:
        store: Folder of artifacts; several runs may share it.
        name: Readable part of the folder's name.
        inputs: Everything that the result depends on, as JSON values.
        make: Writes the files of the artifact into the empty folder that is passed to it.

    Returns:
        The folder of the artifact.
    """
    target = artifact_path(store, name, inputs)
    if not is_whole(target):
        with atomic_folder(target, root=store) as temporary:
            make(temporary)
            text = json.dumps(inputs, sort_keys=True, indent=1, default=str)
            (temporary / "inputs.json").write_text(text + "\n", encoding="utf-8")
            (temporary / CHECKSUMS).write_text(json.dumps(_digests(temporary), indent=1) + "\n", encoding="utf-8")
        _whole.add(target.absolute())
    return target


def is_whole(artifact: Path) -> bool:
    """Whether an artifact exists with exactly the bytes that were written. A damaged artifact is reported.

    A process reads the files of an artifact only once.
    """
    key = artifact.absolute()
    if key not in _whole and artifact.is_dir():
        damage = _damage(artifact)
        if damage is None:
            _whole.add(key)
        else:
            log.warning("%s is damaged (%s) and is made again", artifact, damage)
    return key in _whole and artifact.is_dir()


def _damage(artifact: Path) -> str | None:
    """A description of what differs from the checksums, or None."""
    try:
        stated = read_json(artifact / CHECKSUMS)
        seen = _digests(artifact)
    except (OSError, UnderpaintError) as error:
        return f"its checksums cannot be read: {error}"
    if not isinstance(stated, dict):
        return f"{CHECKSUMS} is no table"
    changed = sorted(name for name in stated.keys() | seen.keys() if stated.get(name) != seen.get(name))
    return f"{changed[0]} is not what was written" if changed else None


def _digests(artifact: Path) -> dict[str, str]:
    files = sorted(path for path in artifact.rglob("*") if path.is_file() and path.name != CHECKSUMS)
    return {path.relative_to(artifact).as_posix(): file_digest(path) for path in files}
