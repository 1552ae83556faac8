"""Opens data sets that consist of images and annotation files, without lists of classes and splits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from underpaint.annotations.format import NAMELESS, Format, Reading
from underpaint.annotations.registry import FORMATS, format_named, formats_of, recognise
from underpaint.annotations.strokes import is_project
from underpaint.core.classes import BACKGROUND, ClassTable
from underpaint.core.errors import DataError
from underpaint.core.regular import open_regular
from underpaint.datasets.folder import ALL, DataFolder, own_classes
from underpaint.datasets.pictures import photographs
from underpaint.hints.ignore import class_words
from underpaint.imagefiles.images import SUFFIXES
from underpaint.imagefiles.naming import Names
from underpaint.imagefiles.spelling import split_word
from underpaint.imagefiles.walk import listing

ANNOTATIONS = ("annotations", "Annotations", "labels", "gtFine", "gtCoarse", "ann", "json")
"""Names of folders with annotation files."""

PAINT = "paint"
"""The name of the folder with the annotations of `underpaint paint`."""

ENDINGS = (".json", ".jsonl", ".geojson", ".xml", ".csv")
"""Endings of files that may have the annotations of many images."""

Found = list[tuple[Path, Format]]


def find_annotations(root: Path) -> Found:
    """Find the annotation files of a data set with their formats; for formats with a file for each image, the folders.

    Files in the folder itself, in the folders of `ANNOTATIONS`, and in all folders one level below are examined. If
    COCO files are called ``instances...``, those with other names (key points of the same objects) are left out. If
    there are annotations of `underpaint paint` (``paint/``), only these are used.

    Raises:
        DataError: There are files of several formats, or a pipe, a device or a broken link has the ending of such a
            file.
        FormatError: A file cannot be read.
    """
    if is_project(root / PAINT):
        return [(root / PAINT, format_named("paint"))]
    folders = [root, *(root / name for name in ANNOTATIONS if (root / name).is_dir())]
    below = [root / name for name in sorted([*listing(root).folders, *listing(root).links])]
    every = list(dict.fromkeys([*folders, *below]))
    files = [(file, form) for folder in every for file in _candidates(folder) for form in _holding(file)]
    each = [hits for folder in every if (hits := _folder(folder))]
    known = {form.title: path for path, form in [*files, *(hit for hits in each for hit in hits)]}
    if len(known) > 1:
        titles, places = zip(*sorted(known.items()), strict=True)
        what = f"{', '.join(titles)} ({', '.join(place.relative_to(root).as_posix() for place in places)})"
        fix = "name the ones to use with --hints, which may be given several times"
        raise DataError(f"annotations of several formats: {what}", where=root, fix=fix)
    found = files or next((hits for hits in each if hits[0][0] in folders), [])
    instances = [hit for hit in found if hit[0].name.startswith("instances")]
    return instances or found


def _candidates(folder: Path) -> list[Path]:
    """The files of a folder that may have the annotations of many images.

    Files with the ending of an image are skipped, because each would be opened once for every format. If each image has
    its own annotation file, files with the name of an image in the folder are skipped too.
    """
    by_ending = listing(folder).files
    names = sorted(name for ending, names in by_ending.items() if ending not in SUFFIXES for name in names)
    for name in (name for ending in ENDINGS for name in by_ending.get(ending, ())):
        _require_regular(folder / name)
    if not any(_per_image(form) and form.sniff(folder) for form in FORMATS):
        return [folder / name for name in names]
    stems = {name.rpartition(".")[0] for ending in SUFFIXES for name in by_ending.get(ending, ())}
    return [folder / name for name in names if stems and name.rpartition(".")[0] not in stems]


def _require_regular(path: Path) -> None:
    """Refuse a path with the name of an annotation file that is not a file, so that it is not overlooked."""
    if path.is_file():
        return
    try:
        open_regular(path, max_bytes=0).close()
    except OSError as error:
        fix = "replace it by the file, or remove it; --hints names the annotations to use"
        raise DataError(f"the annotations cannot be read: {error.strerror or error}", where=path, fix=fix) from None


def _per_image(form: Format) -> bool:
    return not form.one_file and not form.general


def _holding(file: Path) -> list[Format]:
    """The formats of a file with annotations of many images. Tables must have one of the format's file names."""
    named = [form for form in FORMATS if form.one_file and (not form.stems or file.stem in form.stems)]
    return formats_of(file, named)


def _folder(folder: Path) -> Found:
    return [(folder, form) for form in FORMATS if _per_image(form) and form.sniff(folder)]


def open_annotated(root: Path, rest: str | None = None, hints: Sequence[Path] = ()) -> DataFolder | None:
    """Open a folder of images with annotations of any format; None if it has none and no hints are given.

    The classes are those of ``classes.txt``, or else those in the annotations, with a background class before them
    unless they have one. The splits are those of the folders (``train2017/``, ``images/val/``) or of the annotation
    files (``instances_val.json``). Without them every image is in the split ``train``.

    Args:
        root: The folder of the data set.
        rest: The class of pixels without an annotation. It replaces the background class.
        hints: Files or folders of hints. They name the classes if the folder has no annotations of its own.

    Raises:
        DataError: There are no images, or there are annotations of several formats and ``hints`` is empty.
        FormatError: Annotations cannot be read.
    """
    found = _own(root, hints)
    naming = found or [hit for hit in ((path, recognise(path)) for path in hints) if _names_classes(*hit)]
    if not naming:
        return None
    images = photographs(root)
    own = root / "classes.txt"
    classes = own_classes(own) if own.is_file() else classes_of(root, naming, images, rest)
    return DataFolder(root, classes, images, {}, _splits(naming, images), tuple(path for path, _ in found))


def _names_classes(path: Path, form: Format) -> bool:
    """Whether hints name their classes. All formats do, except label images without a class list."""
    return not form.numbers or (form.classes is not None and bool(form.classes(path)))


def _own(root: Path, hints: Sequence[Path]) -> Found:
    """The annotations of a data set; an empty list if there are several formats and hints are given instead."""
    try:
        return find_annotations(root)
    except DataError:
        if hints:
            return []
        raise


def with_annotations(data: DataFolder, hints: Sequence[Path] = ()) -> DataFolder:
    """Add the annotation files to a data set without masks, and their splits if it has no split lists of its own."""
    found = [] if data.masks else _own(data.root, hints)
    if not found:
        return data
    splits = _splits(found, data.images) if set(data.splits) == {ALL} else data.splits
    return replace(data, splits=splits, annotations=tuple(path for path, _ in found))


def _splits(found: Found, images: Mapping[str, Path]) -> dict[str, tuple[str, ...]]:
    return split_by_folders(images) or _split_by_files(found, images) or {"train": tuple(images)}


def classes_of(root: Path, found: Found, images: Mapping[str, Path], rest: str | None = None) -> ClassTable:
    """The classes that annotation files name, with a background class before them unless they have one.

    Raises:
        DataError: They do not name a class.
    """
    left_out: Counter[str] = Counter()
    names = dict.fromkeys(named_classes(root, found, images, left_out))
    if not names:
        raise _no_class(found, left_out)
    background = rest if rest is not None and rest not in names else BACKGROUND
    if rest not in names and background not in names:
        names = {background: None} | names
    if len(names) < 2 and BACKGROUND not in names:
        names = {BACKGROUND: None} | names
    return ClassTable.of(list(names), background)


def named_classes(
    root: Path, found: Found, images: Mapping[str, Path], left_out: Counter[str] | None = None
) -> list[str]:
    """The classes that annotation files declare, in the order of their numbers, or else the classes of their shapes.

    Args:
        root: The folder of the data set.
        found: The files with their formats.
        images: The image files by name.
        left_out: Counts the shapes that are left out and thus name no class; this function adds to it.
    """
    names: dict[str, None] = {}
    for path, form in found:
        declared = form.classes(path) if form.classes is not None else ()
        reading = Reading(NAMELESS, root, images, left_out=Counter() if left_out is None else left_out)
        names |= dict.fromkeys(class_words(declared, BACKGROUND) or _named(path, form, reading))
    return list(names)


def _named(path: Path, form: Format, reading: Reading) -> list[str]:
    """The classes that hints name, in alphabetical order, for files that declare none."""
    read = form.hints(path, reading)
    return sorted({name for hints in read.values() for name in hints.names()} - {*NAMELESS.names})


def _no_class(found: Found, left_out: Counter[str]) -> DataError:
    what = "the annotations name no class besides the background"
    if left_out:
        reasons = ", ".join(f"{reason} ({count})" for reason, count in left_out.most_common())
        what = f"all {left_out.total()} shapes were left out: {reasons}"
    fix = "annotate some of the images, or write the class names, one per line, to classes.txt"
    return DataError(what, where=", ".join(str(path) for path, _ in found), fix=fix)


def split_by_folders(images: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """The splits after which folders of the images are named, if there are any. Other images are in ``train``."""
    words = {name: [split_word(part) for part in name.split("/")[:-1]] for name in images}
    if not any(word for every in words.values() for word in every):
        return {}
    splits: dict[str, list[str]] = {}
    for name, every in words.items():
        splits.setdefault(next((word for word in every if word), "train"), []).append(name)
    return {split: tuple(names) for split, names in splits.items()}


def _split_by_files(found: Sequence[tuple[Path, Format]], images: Mapping[str, Path]) -> dict[str, tuple[str, ...]]:
    """The splits after which several annotation files are named, with the images that each file lists."""
    words = [split_word(path.stem) for path, _ in found]
    listed = [(path, form.images(path)) for path, form in found if form.images is not None]
    if len(found) < 2 or len(listed) < len(found) or not all(words):
        return {}
    splits: dict[str, tuple[str, ...]] = {}
    for word, matched in zip(words, Names(images).match(listed), strict=True):
        assert word is not None  # checked above
        splits[word] = (*splits.get(word, ()), *dict.fromkeys(matched.images.values()))
    return splits
