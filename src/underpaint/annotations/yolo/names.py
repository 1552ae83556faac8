"""Reads the files with the class names of YOLO's label files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from underpaint.annotations.parsing.sniff import holds
from underpaint.core.classes import read_names
from underpaint.core.errors import FormatError
from underpaint.core.json_text import read_text
from underpaint.core.paths import real
from underpaint.core.yaml_text import YamlTextError, parse_yaml

YAML = (".yaml", ".yml")

NAMED = r"(?m)^names\s*:"
"""A pattern that a YAML file with class names contains."""

NAMES = "obj.names"
"""The file with class names, one per line, in the first form of YOLO's data sets, which CVAT writes as "YOLO 1.1"."""

DARKNET = "_darknet.labels"
"""The file with class names, one per line, that Roboflow writes into the folder of each split ("YOLO Darknet")."""

MAX_NAMES = 1 << 18
"""The limit in bytes of a file of class names. The longest known one, of LVIS with 1,203 classes, has 30 kB."""


def states_names(path: Path) -> bool:
    """Whether a folder of labels has a file with class names; for a folder called ``labels`` also its parent."""
    folders = [path, path.parent] if path.name == "labels" else [path]
    return any(
        (folder / NAMES).is_file() or any(holds(file, NAMED) for file in files_beside(folder, YAML))
        for folder in folders
    )


def yolo_classes(path: Path) -> tuple[str, ...]:
    """The class names that belong to label files.

    They are the ``names`` of a YAML file, or else the lines of ``classes.txt`` or ``obj.names``, in the folder or in
    one of the two folders above it, or else those of `DARKNET` in the folder or in those below it. The result is empty
    where none of these files exists.

    Raises:
        FormatError: The file is not YAML, the names are invalid, or two of `DARKNET` differ.
    """
    if path.is_file():
        return _yaml_names(path)
    stated = yaml_classes(path)
    if stated:
        return stated
    for folder in (path, *real(path).parents[:2]):
        for file in (folder / "classes.txt", folder / NAMES):
            if file.is_file():
                listed, _ = read_names(file)
                return tuple(name for name in listed if name)
    return _darknet(path)


def _darknet(path: Path) -> tuple[str, ...]:
    files = [file for file in (path / DARKNET, *sorted(path.glob(f"*/{DARKNET}"))) if file.is_file()]
    lists = {tuple(name for name in read_names(file)[0] if name): file for file in files}
    if len(lists) > 1:
        raise FormatError("the splits number their classes differently", where=", ".join(map(str, lists.values())))
    return next(iter(lists), ())


def yaml_classes(path: Path) -> tuple[str, ...]:
    """The ``names`` of the first YAML file that has some, in the folder or in one of the two folders above it."""
    for folder in (path, *real(path).parents[:2]):
        for file in files_beside(folder, YAML):
            names = _yaml_names(file)
            if names:
                return names
    return ()


def files_beside(folder: Path, endings: Sequence[str]) -> list[Path]:
    """The files of a folder itself that have one of the endings, in the order of their names."""
    return sorted(file for file in folder.iterdir() if file.suffix.lower() in endings and file.is_file())


def _yaml_names(file: Path) -> tuple[str, ...]:
    """The ``names`` of a YAML file, a list or a map from numbers, as they are written; empty without such a key."""
    try:
        content = parse_yaml(read_text(file, max_bytes=MAX_NAMES), as_texts=True)
    except YamlTextError as error:
        raise FormatError(f"not YAML that can be read: {error}", where=file) from None
    names: Any = content.get("names") if isinstance(content, dict) else None
    if names is None:
        return ()
    if isinstance(names, dict):
        numbers = [str(number) for number in range(len(names))]
        names = [names[number] for number in numbers] if set(names) == set(numbers) else None
    if not isinstance(names, list) or not all(isinstance(name, str) and name for name in names):
        raise FormatError("'names' is not a list of class names", where=file, accepted="[cat, dog] or {0: cat, 1: dog}")
    return tuple(names)
