"""Makes a run folder, or resumes a run: settings, classes and hints must be the same, or the differences are listed."""

from __future__ import annotations

from pathlib import Path

from underpaint.core.classes import ClassTable
from underpaint.core.config import Config, Settings
from underpaint.core.errors import RunError
from underpaint.methods.base import Method
from underpaint.training.beginning import require_place
from underpaint.training.config import RunConfig
from underpaint.training.run_folder import RunFolder

SHARED_INPUTS = {
    "names": "other images",
    "content": "other hints or masks",
    "photographs": "other image files",
    "classes": "another class table",
    "code": "another version of underpaint",
}
"""The inputs that a run keeps to its end and all runs of a comparison share, by their names in ``about.json``, with
words for messages."""


def make_folder(out: Path, *, resume: bool) -> None:
    """Make the run folder if it does not exist, and check it.

    Raises:
        RunError: There is nothing to resume, the folder contains other files, or it cannot be used for a run.
    """
    require_place(out, resume=resume)
    try:
        str(out.absolute()).encode()
    except UnicodeEncodeError:
        raise RunError(
            "the path of the run folder is not UTF-8, so weights cannot be stored there",
            where=out,
            fix="choose a folder with another name",
        ) from None
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(
            f"the run folder cannot be used: {error.strerror or error}", where=out, fix="choose another folder"
        ) from error
    run = RunFolder(out)  # before the lock file is written, so that a folder that is not a run does not change
    if resume and not run.unbegun:
        run.file("config.yaml")


def check_resume(run: RunFolder, config: RunConfig, method: Method[Config], source: Settings) -> None:
    """Check that a run is resumed with the inputs with which it began, and store the settings that may change.

    Args:
        run: The run.
        config: The requested settings.
        method: The method of these settings, made for the class table of the data set.
        source: The record of data and hints, as for `RunFolder.create`.

    Raises:
        RunError: An input that affects the weights is different.
    """
    changed = _other_classes(run.classes, method.classes)
    changed += _differences(_resolved(run.config, method), _resolved(config, method))
    about = run.about
    # An unfinished stage starts again if images have changed. A finished training would keep its weights.
    keys = ("names", "content", *(["photographs"] if run.trained and "photographs" in about else []))
    changed += [SHARED_INPUTS[key] for key in keys if about.get(key) != source[key]]
    if changed:
        raise RunError(
            "a run must be resumed with the same settings, but these differ: " + "; ".join(changed),
            where=run.root,
            fix="repeat the command of the first start with --resume added, or start a new run",
        )
    if run.config != config and not run.trained:
        run.keep_config(config)


def _other_classes(own: ClassTable, asked: ClassTable) -> list[str]:
    """The differences between the class tables of a run and of the data set, by which the outputs are numbered."""
    if (own.names, own.background) == (asked.names, asked.background):
        return []
    same = set(own.names) == set(asked.names)
    what = "classes, whose numbers the network has learned" + (" (the same names in another order)" if same else "")
    before, after = (f"{', '.join(table.names)} (background: {_background(table)})" for table in (own, asked))
    return [f"{what}: {before} -> {after}"]


def _background(table: ClassTable) -> str:
    return "none" if table.background is None else table.names[table.background]


def _resolved(config: RunConfig, method: Method[Config]) -> Settings:
    """The settings that affect the weights, with defaults of the method that older runs did not write."""
    found = config.decisive()
    if config.method.name == method.name:
        settings = method.Settings.parse(config.method.settings, f"settings of method {method.name}")
        found["method"]["settings"] = settings.decisive()
    return found


def _differences(held: Settings, asked: Settings, prefix: str = "") -> list[str]:
    found = []
    for key in sorted(held.keys() | asked.keys()):
        before, after = held.get(key), asked.get(key)
        if isinstance(before, dict) and isinstance(after, dict):
            found += _differences(before, after, f"{prefix}{key}.")
        elif before != after:
            found.append(f"{prefix}{key}: {before} -> {after}")
    return found
