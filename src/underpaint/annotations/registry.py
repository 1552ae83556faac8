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
"""The folder of each format in `underpaint.annotations`. The rest of the program uses only its `FORMAT`."""

FORMATS: tuple[Format, ...] = tuple(import_module(f"underpaint.annotations.{folder}").FORMAT for folder in FOLDERS)

WRITABLE = tuple(one for one in FORMATS if one.writer is not None)
"""The formats that can be written. The others belong to data sets, and no annotation tool opens their files."""


def format_named(name: str) -> Format:
    """The format with this name. Raises `DataError` with the names that exist."""
    return _named(name, FORMATS)


def writable(name: str) -> Format:
    """The format with this name, if it can be written.

    Raises:
        DataError: The format does not exist or is only read. The message names the formats that can be written.
    """
    read_only = next((one for one in FORMATS if one.name == name and one.writer is None), None)
    if read_only is not None:
        names = ", ".join(one.name for one in WRITABLE)
        what = f"underpaint reads {read_only.title}, but does not write them"
        raise DataError(what, accepted=names, fix="choose a format that your tool reads")
    return _named(name, WRITABLE)


def _named(name: str, among: Sequence[Format]) -> Format:
    found = next((one for one in among if one.name == name), None)
    if found is None:
        names = [one.name for one in among]
        raise DataError(f"there is no format {name!r}", accepted=", ".join(names), fix=nearest(name, names) or None)
    return found


def formats_of(path: Path, among: Sequence[Format] | None = None) -> list[Format]:
    """The formats as which a file or folder is recognised, without `Format.general` ones if there is another.

    For example, pictures beside annotation files are images and not label images, and a table of boxes is not a table
    of tags.
    """
    found = [one for one in (FORMATS if among is None else among) if one.sniff(path)]
    return [one for one in found if not one.general] or found


def recognise(path: Path) -> Format:
    """The format of a file or folder, judged by its content.

    Raises:
        DataError: The path is missing, its format is unknown, or a folder has files of several formats.
    """
    if not path.exists():
        raise DataError("the hints are missing", where=path, fix=nearest_path(path))
    found = formats_of(path)
    if len(found) == 1:
        return found[0]
    if found:
        titles = ", ".join(one.title for one in found)
        fix = "name one of the files, or a sub-folder"
        raise DataError(f"files of several formats: {titles}", where=path, accepted="hints of one format", fix=fix)
    what = "the folder has no hints" if path.is_dir() else f"the format of the hints is unknown: {path.name}"
    raise DataError(what, where=path, accepted=accepted())


def with_second_files(paths: Iterable[Path]) -> list[Path]:
    """The paths, each followed by the second file that belongs to it (`Format.second_file`), every path once."""
    second_files = [one.second_file for one in FORMATS if one.second_file is not None]
    every: list[Path] = []
    for path in paths:
        every += [path, *(second for place in second_files if (second := place(path)).is_file())]
    return list(dict.fromkeys(every))


def accepted() -> str:
    """All formats with their files, for messages."""
    return "; ".join(f"{one.title} ({one.layout})" for one in FORMATS)
