"""Lists every annotation format, in the order in which they are tried."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib import import_module
from pathlib import Path

from underpaint.annotations.format import Format
from underpaint.core.errors import DataError, nearest
from underpaint.core.paths import nearest_path

FOLDERS = (
    "jsonl",
    "strokes",
    "coco",
    "labelme",
    "yolo",
    "label_studio",
    "cvat",
    "via",
    "geojson",
    "cityscapes",
    "whats_the_point",
    "scribblesup",
    "voc_xml",
    "tags_csv",
    "boxes_csv",
    "label_png",
)
"""The folder of each format in `underpaint.annotations`. Its `FORMAT` is all that the program knows of the format."""

FORMATS: tuple[Format, ...] = tuple(import_module(f"underpaint.annotations.{folder}").FORMAT for folder in FOLDERS)

WRITABLE = tuple(one for one in FORMATS if one.writer is not None)
"""The formats that can be written. The others are those of data sets, whose files no annotation tool opens."""


def format_named(name: str) -> Format:
    """The format with this name. Raises `DataError` with the names that exist."""
    return _named(name, FORMATS)


def writable(name: str) -> Format:
    """The format with this name, to be written.

    Raises:
        DataError: the format does not exist or is read only. The error names the formats that can be written.
    """
    read_only = next((one for one in FORMATS if one.name == name and one.writer is None), None)
    if read_only is not None:
        names = ", ".join(one.name for one in WRITABLE)
        what = f"underpaint reads {read_only.title} and does not write them"
        raise DataError(what, accepted=names, fix="choose a format that your tool reads")
    return _named(name, WRITABLE)


def _named(name: str, among: Sequence[Format]) -> Format:
    found = next((one for one in among if one.name == name), None)
    if found is None:
        names = [one.name for one in among]
        raise DataError(f"no format {name!r}", accepted=", ".join(names), fix=nearest(name, names) or None)
    return found


def formats_of(path: Path, among: Sequence[Format] | None = None) -> list[Format]:
    """The formats that a file or folder looks like. A `Format.general` one counts only where there is no other.

    Pictures beside annotation files are the images, and a table of boxes is no table of tags.
    """
    found = [one for one in (FORMATS if among is None else among) if one.sniff(path)]
    return [one for one in found if not one.general] or found


def recognise(path: Path) -> Format:
    """The format of a file or folder, judged by its content.

    Raises:
        DataError: the path is missing, of no known format, or a folder with files of several formats.
    """
    if not path.exists():
        raise DataError("the hints are missing", where=path, fix=nearest_path(path))
    found = formats_of(path)
    if len(found) == 1:
        return found[0]
    if found:
        titles = ", ".join(one.title for one in found)
        fix = "name one of the files, or a sub-folder"
        raise DataError(f"several formats at once: {titles}", where=path, accepted="hints of one format", fix=fix)
    what = "no hints in the folder" if path.is_dir() else f"hints of an unknown format: {path.name}"
    raise DataError(what, where=path, accepted=accepted())


def with_second_files(paths: Iterable[Path]) -> list[Path]:
    """The paths, each followed by the second file that belongs to it (`Format.beside`), every path once."""
    beside = [one.beside for one in FORMATS if one.beside is not None]
    every: list[Path] = []
    for path in paths:
        every += [path, *(second for place in beside if (second := place(path)).is_file())]
    return list(dict.fromkeys(every))


def accepted() -> str:
    """All formats with their files, for messages."""
    return "; ".join(f"{one.title} ({one.layout})" for one in FORMATS)
