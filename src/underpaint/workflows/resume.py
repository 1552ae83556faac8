"""Beginning a run folder, and going on in one: the same settings, classes and hints, or the differences by name."""

from __future__ import annotations

from pathlib import Path

from underpaint.core.classes import ClassTable
from underpaint.core.config import Config, Settings
from underpaint.core.errors import RunError
from underpaint.methods.base import Method
from underpaint.training.beginning import require_place
from underpaint.training.config import RunConfig
from underpaint.training.run_folder import RunFolder


def make_folder(out: Path, *, resume: bool) -> None:
    """Make the run folder where it is missing, unless there is something to resume in it.

    Raises:
        RunError: there is nothing to resume, the folder holds other things, or it would stop the run at its start or
            end.
    """
    require_place(out, resume=resume)
    try:
        str(out.absolute()).encode()
    except UnicodeEncodeError:
        raise RunError(
            "the path of the run folder is not UTF-8, in which weights cannot be kept",
            where=out,
            fix="choose a folder with another name",
        ) from None
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(
            f"the run folder cannot be used: {error.strerror or error}", where=out, fix="choose another folder"
        ) from error
    run = RunFolder(out)  # before the lock, which is a file: a folder that is no run stays as it is
    if resume and not run.unbegun:
        run.file("config.yaml")


def go_on(run: RunFolder, config: RunConfig, method: Method[Config], source: Settings) -> None:
    """Check that a run continues with the inputs with which it began, and store the settings that may change.

    Args:
        run: The run.
        config: Settings that are asked for.
        method: The method that they name, made for the class table of the data set.
        source: What is learned from, as `RunFolder.create` was given it.

    Raises:
        RunError: something on which weights depend is different.
    """
    changed = _other_classes(run.classes, method.classes)
    changed += _differences(_resolved(run.config, method), _resolved(config, method))
    about = run.about
    # A stage that is not done begins anew with changed photographs; one that is done would stay what it was.
    keys = ("names", "content", *(["photographs"] if run.trained and "photographs" in about else []))
    changed += [f"{key}: {about.get(key)} -> {source[key]}" for key in keys if about.get(key) != source[key]]
    if changed:
        raise RunError(
            "a run resumes with its own settings, but these differ: " + "; ".join(changed),
            where=run.root,
            fix="repeat the command of the first start with --resume added, or start a new run",
        )
    if run.config != config and not run.trained:
        run.keep_config(config)


def _other_classes(held: ClassTable, asked: ClassTable) -> list[str]:
    """How the class table of a run differs from the data's: the network's outputs have the numbers of the run's."""
    if (held.names, held.background) == (asked.names, asked.background):
        return []
    same = set(held.names) == set(asked.names)
    what = "classes, whose numbers the network has learned" + (" (the same names in another order)" if same else "")
    before, after = (f"{', '.join(table.names)} (background: {_background(table)})" for table in (held, asked))
    return [f"{what}: {before} -> {after}"]


def _background(table: ClassTable) -> str:
    return "none" if table.background is None else table.names[table.background]


def _resolved(config: RunConfig, method: Method[Config]) -> Settings:
    """The settings on which weights depend, with defaults of the method that older runs did not write."""
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
