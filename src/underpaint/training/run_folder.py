"""The run folder: settings, versions, events, checkpoints, weights, pictures."""

from __future__ import annotations

import importlib.metadata
import json
import platform
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import Field

from underpaint.annotations.parsing.fields import finite
from underpaint.core.atomic import write_atomic
from underpaint.core.classes import ClassTable
from underpaint.core.config import Config, Settings, load_yaml
from underpaint.core.errors import DataError, RunError, UnderpaintError
from underpaint.core.json_text import read_json
from underpaint.core.paths import existing
from underpaint.core.regular import TEXT_BYTES, read_regular
from underpaint.core.version import __version__
from underpaint.training.beginning import require_unbegun, unbegun
from underpaint.training.config import RunConfig

PACKAGES = ("torch", "torchvision", "timm", "segmentation-models-pytorch", "lightning-fabric", "numba", "numpy")

CURVES, SAMPLES = PICTURES = ("curves.png", "samples.png")
"""Pictures that are drawn when all stages are done."""


ABOUT_BYTES = 64 << 20
"""Largest size in bytes of ``about.json``, which holds the names of the files of hints."""

EVENTS_BYTES = 1 << 30
"""Largest size in bytes of ``events.jsonl``, enough for ten million steps."""

PUT_BACK = "put back the file as the training wrote it, or train again"

Channel = Annotated[int, Field(ge=0, le=255)]


class ClassSettings(Config):
    """Content of ``classes.json``: names, colours, and the index of the background class."""

    names: tuple[str, ...]
    colours: tuple[tuple[Channel, Channel, Channel], ...]
    background: int | None


@dataclass(frozen=True)
class RunFolder:
    """A run on disk.

    Files: ``config.yaml`` (all settings), ``about.json`` (training data, versions, commit), ``classes.json``,
    ``events.jsonl``, ``curves.png``, ``samples.png``, ``stages/NAME/`` (checkpoints), ``artifacts/`` (results of the
    stages, unless runs share a store), ``tags.safetensors`` (the last network with a tag head, if the method trains
    one), ``weights.safetensors`` (the final network; it exists if all stages are trained).

    Args:
        root: The folder.
    """

    root: Path

    @classmethod
    def create(cls, root: Path, config: RunConfig, classes: ClassTable, about: Settings) -> RunFolder:
        """Start a new run in a folder that is missing, empty, or contains only the files of a start that was killed.

        Raises:
            RunError: The folder contains other files.
        """
        root.mkdir(parents=True, exist_ok=True)
        run = cls(root)
        require_unbegun(root)
        run._write("about.json", _json({**about, "versions": versions()}))
        run._write("classes.json", _json(_class_settings(classes)))
        run.keep_config(config)
        return run

    @property
    def unbegun(self) -> bool:
        """Whether the folder is empty, or contains only files that are written before the settings."""
        return unbegun(self.root)

    def keep_config(self, config: RunConfig) -> None:
        """Write the settings. They are the last file at the start of a run: if they exist, the start is complete."""
        self._write("config.yaml", yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False))

    def _write(self, name: str, text: str) -> None:
        write_atomic(self.root / name, text.encode(), root=self.root)

    @property
    def config(self) -> RunConfig:
        """All settings of the run."""
        path = self.file("config.yaml")
        with _as_written():
            return RunConfig.parse(load_yaml(path), path)

    @property
    def classes(self) -> ClassTable:
        """The class table that the network was trained with."""
        path = self.file("classes.json")
        with _as_written():
            held = ClassSettings.parse(read_json(path, max_bytes=TEXT_BYTES), path)
        try:
            return ClassTable(held.names, held.colours, held.background)
        except DataError as error:
            raise RunError(error.what, where=path, fix=PUT_BACK) from None

    @property
    def about(self) -> dict[str, Any]:
        """Content of ``about.json``: training data, hints, versions."""
        path = self.file("about.json")
        with _as_written():
            held = read_json(path, max_bytes=ABOUT_BYTES)
        if not isinstance(held, dict):
            raise RunError("the record of the run is no table of its data and versions", where=path, fix=PUT_BACK)
        return held

    def file(self, name: str) -> Path:
        """Path of a file of the run. Raises `RunError` if it is missing or not a regular file."""
        path = existing(self.root, "the run folder") / name
        if not path.is_file():
            raise RunError(
                f"not a run folder: {name} is missing", where=self.root, fix="give the -o folder of a training"
            )
        return path

    @property
    def trained(self) -> bool:
        """Whether all stages are done, so that the network can predict."""
        return (self.root / "weights.safetensors").is_file()

    @property
    def complete(self) -> bool:
        """Whether all stages are done and the pictures are drawn."""
        return self.trained and all((self.root / name).is_file() for name in PICTURES)


@contextmanager
def _as_written() -> Iterator[None]:
    """Add the fix to errors of files that a training wrote, which a user does not write anew."""
    try:
        yield
    except UnderpaintError as error:
        raise error if error.fix else error.with_fix(PUT_BACK) from None


class EventLog:
    """Writes ``events.jsonl``: one JSON object per line, appended and flushed.

    Args:
        path: The file.
        stage: The stage of the next events.
        step: Number of steps of the stage that are done. Later events of the stage in the file are removed, because
            their steps are done again.
    """

    def __init__(self, path: Path, stage: str, step: int) -> None:
        kept = [
            line for event, line in read_events(path) if event.get("stage") != stage or event.get("step", 0) <= step
        ]
        write_atomic(path, "".join(kept).encode(), root=path.parent)
        self._file = path.open("ab", buffering=0)
        self.path, self.stage = path, stage

    def write(self, kind: str, step: int, **values: object) -> None:
        """Append one event.

        Raises:
            RunError: The file cannot be written. The run can resume from its last checkpoint.
        """
        rest = (json.dumps({"event": kind, "stage": self.stage, "step": step, **values}) + "\n").encode()
        try:
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError as error:
            raise RunError(
                f"the event log could not be written: {error.strerror or error}",
                where=self.path,
                fix="free some space; the same command with --resume goes on from the last checkpoint",
            ) from error

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class Unlogged(EventLog):
    """The event log of a process that does not lead: it writes nothing."""

    def __init__(self) -> None:
        """No file is opened."""

    def write(self, kind: str, step: int, **values: object) -> None:
        """Nothing."""

    def close(self) -> None:
        """Nothing."""


def read_events(path: Path) -> Iterator[tuple[dict[str, Any], str]]:
    """Events with their lines. A line that is not an event is skipped, such as an incomplete last line.

    Raises:
        RunError: The file cannot be read.
    """
    if not path.exists():
        return
    try:
        content = read_regular(path, max_bytes=EVENTS_BYTES)
    except OSError as error:
        raise RunError(f"the events cannot be read: {error.strerror or error}", where=path, fix=PUT_BACK) from None
    for line in content.decode("utf-8", "replace").splitlines(keepends=True):
        try:
            event = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if _is_event(event):
            yield event, line


def _is_event(event: Any) -> bool:
    """Whether a line has the fields of every event, and finite numbers in the fields that curves are drawn from."""
    if not isinstance(event, dict) or not all(isinstance(event.get(key), str) for key in ("event", "stage")):
        return False
    numbers = [event.get("step"), *(value for key, value in event.items() if key == "lr" or key.startswith("loss/"))]
    return type(numbers[0]) is int and all(finite(number) is not None for number in numbers)


def versions() -> dict[str, str]:
    """Versions of the packages that affect the result, and the commit if underpaint runs from a git checkout."""
    held = {name: importlib.metadata.version(name) for name in PACKAGES}
    return {"underpaint": __version__, "commit": commit(), "python": platform.python_version(), **held}


def commit() -> str:
    """Commit of the git checkout that contains this file, with ``+`` if it has changes; empty if there is none."""
    here = Path(__file__).parent
    try:
        # An installed package may lie in the checkout of another project: test whether git tracks this file.
        subprocess.run(
            ["git", "ls-files", "--error-unmatch", Path(__file__).name], cwd=here, check=True, capture_output=True
        )
        described = subprocess.run(
            ["git", "describe", "--always", "--dirty=+", "--abbrev=12"],
            cwd=here,
            check=True,
            capture_output=True,
            text=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return ""
    return described.stdout.strip()


def _class_settings(classes: ClassTable) -> Settings:
    return {
        "names": list(classes.names),
        "colours": [list(c) for c in classes.colours],
        "background": classes.background,
    }


def _json(value: object) -> str:
    return json.dumps(value, indent=1, sort_keys=True, default=str) + "\n"
