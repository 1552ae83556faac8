"""Reads the input of a conversion, a data set or annotations without a data set, as hints with their classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from underpaint.annotations.format import Format, Reading
from underpaint.annotations.registry import FORMATS, recognise, with_second_files
from underpaint.core.classes import BACKGROUND, ClassTable, Meaning, Numbering
from underpaint.core.errors import DataError, listing
from underpaint.datasets.annotated import Found, classes_of
from underpaint.datasets.folder import DataFolder
from underpaint.datasets.hints import read_any_hints
from underpaint.datasets.open import open_dataset
from underpaint.datasets.report import HintsReport
from underpaint.hints.check import check_hints, refuse_excess, refuse_size
from underpaint.hints.merge import merge_hints
from underpaint.hints.types import Hints
from underpaint.imagefiles.images import find_files, image_size
from underpaint.imagefiles.masks import SUFFIXES, mask_size
from underpaint.imagefiles.numbering import table_alone


@dataclass(frozen=True)
class Source:
    """The input of a conversion.

    Args:
        hints: The hints by image.
        found: The annotation files with their formats.
        data: The data set.
        masks: Whether masks were read, whose numbers the class table explains.
        left_out: The hints that were left out, as lines of text.
        notes: The remarks of the readers, as lines of text.
    """

    hints: dict[str, Hints]
    found: Found
    data: DataFolder
    masks: bool = False
    left_out: Sequence[str] = ()
    notes: Sequence[str] = ()


def by_itself(source: Path) -> bool:
    """Whether a file or folder has annotations but is not a data set."""
    if not source.is_dir():
        return True
    try:
        open_dataset(source)
    except DataError:
        return any(form.sniff(source) for form in FORMATS) and not (source / "images").is_dir()
    return False


def of_data(data: DataFolder, instances: str | None) -> Source:
    """The annotations of a data set, or else its masks.

    Args:
        data: The data set.
        instances: The class of the objects, for masks with a number for each object.

    Raises:
        DataError: There are neither annotations nor masks.
    """
    if data.annotations and instances is None:
        hints, report = read_any_hints(data.annotations, data)
        return Source(hints, _with_formats(data.annotations), data, left_out=report.losses(), notes=report.notes())
    if not data.masks:
        lacks = "neither annotations nor masks" if instances is None else "no masks"
        raise DataError(f"the data set has {lacks}", where=data.root)
    made = {}
    for name in sorted(data.masks.keys() & data.images.keys()):
        one = replace(data.mask_hints(name), size=image_size(data.images[name]))
        made[name] = one if instances is None else replace(one, numbering=_object_numbers(data.classes, instances))
    unmatched = sorted(data.masks.keys() - data.images.keys())
    left_out = [f"{len(unmatched)} masks have no image: {listing(unmatched)}"] if unmatched else []
    return Source(made, [], data, masks=True, left_out=left_out)


def _object_numbers(classes: ClassTable, thing: str) -> Numbering:
    """The numbering of masks with a number for each object of the class ``thing``, and 0 for all other pixels."""
    classes.indices([thing], "--instances")
    others = None if classes.background is None else classes.names[classes.background]
    return Numbering((Meaning(0, others),), others=thing)


def without_data(source: Path, instances: str | None) -> Source:
    """Annotations without their images. Names, classes and sizes are those in the file.

    Args:
        source: The annotation file or folder.
        instances: The class of the objects, for label images with a number for each object.

    Raises:
        DataError: The annotations cannot be read without their images.
        FormatError, HintError: As the readers.
    """
    form = recognise(source)
    root = source if source.is_dir() else source.parent
    if form.numbers:
        return _label_images(source, form) if instances is None else _object_images(source, form, instances)
    found = _with_formats([source])
    classes = classes_of(root, found, {})
    hints: dict[str, Hints] = {}
    report = HintsReport()
    for path, one_form in found:
        for name, one in one_form.hints(
            path, Reading(classes, root, left_out=report.left_out, remarks=report.remarks)
        ).items():
            check_hints(one, classes, f"{path}, image {name!r}")
            if one.size is not None:
                refuse_size(one, one.size, path)
                refuse_excess(one, one.size, path)
            hints[name] = merge_hints(hints[name], one) if name in hints else one
    if not any(one.kinds() for one in hints.values()):
        fix = "give the data set's folder: some formats need the images"
        raise DataError("the annotations cannot be read without the images", where=source, fix=fix)
    data = DataFolder(root, classes, {}, {}, {})
    return Source(
        {one.image: one for one in hints.values()}, found, data, left_out=report.losses(), notes=report.notes()
    )


def _label_images(folder: Path, form: Format) -> Source:
    """A folder of label images with a class list, as `predict` and `convert` write it."""
    classes = table_alone(folder)
    data = DataFolder(folder, classes, {}, {}, {})
    hints = {}
    for name, one in form.read(folder, Reading(classes, folder)).items():
        hints[name] = replace(one, size=mask_size(folder / str(one.mask)))
    return Source(hints, [(folder, form)], data, masks=True)


def _object_images(folder: Path, form: Format, thing: str) -> Source:
    """A folder of label images with a number for each object, which needs no class list."""
    data = DataFolder(folder, ClassTable.of([BACKGROUND, thing]), {}, {}, {})
    numbering = _object_numbers(data.classes, thing)
    hints = {
        name: Hints(name, size=mask_size(file), mask=file.relative_to(folder).as_posix(), numbering=numbering)
        for name, file in find_files(folder, SUFFIXES).items()
    }
    return Source(hints, [(folder, form)], data, masks=True)


def _with_formats(paths: Sequence[Path]) -> Found:
    return [(path, recognise(path)) for path in with_second_files(paths)]
