"""Converts one annotation format into another. It first states what would be lost, and then writes all or nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from underpaint.annotations.format import Format, Writing
from underpaint.annotations.registry import writable
from underpaint.core.classes import BACKGROUND, ClassTable
from underpaint.core.errors import DataError
from underpaint.datasets.adapt import Losses, adapt
from underpaint.datasets.annotated import Found
from underpaint.datasets.folder import DataFolder
from underpaint.datasets.objects import ObjectRule, hints_of_masks, object_format
from underpaint.datasets.open import open_dataset
from underpaint.datasets.source import Source, by_itself, of_data, without_data
from underpaint.hints.ignore import class_words
from underpaint.hints.layers import HIDDEN, hidden
from underpaint.hints.rest import fill_all
from underpaint.hints.types import Hints


@dataclass(frozen=True)
class Conversion:
    """A planned conversion.

    Args:
        source: The titles of the formats that were read.
        target: The format to write.
        classes: The class table.
        hints: The hints by image, as they were read.
        losses: The numbers of parts that the target format stores and loses.
        data: The data set. It has no images if only annotation files were given.
        ids: The number of each class in the files that were read, if the target has such numbers as well.
        left_out: Shapes that the readers left out, and hints without an image, as lines of text.
        notes: Remarks of the readers, and the effect of ``rest``, as lines of text.
    """

    source: str
    target: Format
    classes: ClassTable
    hints: Mapping[str, Hints]
    losses: Losses
    data: DataFolder
    ids: Mapping[str, int]
    left_out: Sequence[str] = ()
    notes: Sequence[str] = ()

    def write(self, out: Path) -> None:
        """Write the file or folder, either completely or not at all.

        Raises:
            DataError: ``out`` exists, has another ending than the format's files, or cannot be written.
            HintError: An area needs the size of its image, which is not known.
        """
        check_target(out, self.target)
        adapted = [adapt(one, self.target, self.data) for one in self.hints.values()]
        files = {name: f"{name}{path.suffix}" for name, path in self.data.images.items()}
        stored = [one for one in adapted if one.kinds()]
        if not stored:
            fix = "choose another format, or see docs/formats.md for what each can store"
            raise DataError(f"{self.target.title} cannot store any of these hints", where=out, fix=fix)
        self.target.write(out, stored, Writing(self.classes, files, self.data.labels, self.ids))


def plan_conversion(
    source: Path,
    *,
    to: str,
    rest: str | None = None,
    instances: str | None = None,
    objects: ObjectRule | None = None,
) -> Conversion:
    """Read annotations and count the parts that a format can store. Nothing is written.

    The classes are those that the annotations name, with their numbers. A class of the data set that no annotation
    names is included only if ``classes.txt`` lists it, or if it is ``rest``.

    Args:
        source: A data set (its annotations, or else its masks), or an annotation file or folder without a data set.
        to: The name of the target format.
        rest: The class of pixels without an annotation; see `fill_rest`.
        instances: The class of the objects, for label images with a number for each object and 0 for other pixels.
        objects: Make an object of each connected region of the masks; see `hints_of_masks`.

    Raises:
        DataError: The format is unknown, cannot be written or has no objects, or there is nothing to read.
        FormatError, HintError: As the readers.
    """
    target = writable(to) if objects is None else object_format(to)
    read = without_data(source, instances) if by_itself(source) else of_data(open_dataset(source, rest=rest), instances)
    hints = read.hints
    if instances is not None and not read.masks:
        raise DataError(
            "--instances is for label images with a number for each object", where=source, fix="leave it out"
        )
    if objects is not None:
        if not read.masks:
            raise DataError("objects need masks, and there are none", where=source, fix="leave out objects")
        if rest is not None:
            raise DataError("--rest cannot be used together with objects", where="--rest", fix="leave it out")
        hints = hints_of_masks(hints.values(), read.data, target, objects)
    classes = read.data.classes if read.masks else _classes(read, rest)
    notes = list(read.notes)
    if rest is not None:
        hints, filled = fill_all(hints, rest, classes)
        notes += filled
    losses = Losses()
    for one in hints.values():
        losses.count(one, target)
    unseen = 0 if target.ordered else sum(hidden(one) for one in hints.values())
    if unseen:
        notes.append(f"{unseen} {HIDDEN}; {target.title} has no order of areas, so they are not written")
    title = ", ".join(dict.fromkeys(form.title for _, form in read.found)) or "masks of the data set"
    ids = _ids(read.found) if target.ids is not None else {}
    return Conversion(title, target, classes, hints, losses, read.data, ids, read.left_out, notes)


def _classes(read: Source, rest: str | None) -> ClassTable:
    """The classes that the annotations declare or name, in the order of their numbers."""
    table, own = read.data.classes, (read.data.root / "classes.txt").is_file() and bool(read.data.images)
    lists = [form.classes(path) for path, form in read.found if form.classes is not None]
    declared = [name for names in lists for name in class_words(names, BACKGROUND)]
    named = {name for one in read.hints.values() for name in one.names()} | ({rest} if rest is not None else set())
    names = list(dict.fromkeys(declared))
    if rest is not None or (own and not declared):
        names = list(table.names)
    names += [name for name in table.names if name in named and name not in names]
    if rest is not None and rest not in names:
        names.insert(0, rest)
    colours = dict(zip(table.names, table.colours, strict=True))
    made = ClassTable.of(names, rest or BACKGROUND)
    return replace(made, colours=tuple(colours.get(name, made.colours[i]) for i, name in enumerate(names)))


def _ids(found: Found) -> dict[str, int]:
    """The numbers of the classes in the files that were read. The first file with a number for a class is used."""
    ids: dict[str, int] = {}
    for path, form in found:
        ids = {**(form.ids(path) if form.ids is not None else {}), **ids}
    return ids


def check_target(out: Path, form: Format) -> None:
    """Refuse to overwrite a file or folder, and refuse a file name with the wrong ending.

    Raises:
        DataError: ``out`` exists, or a single file has another ending than the format's.
    """
    if out.exists():
        raise DataError("a file or folder with this name exists", where=out, fix="choose a new name, or remove it")
    endings = [word for word in form.layout.split() if word.startswith(".")]
    if form.one_file and out.suffix.lower() not in endings:
        raise DataError(f"{form.title} is one file", where=out, accepted=f"a name that ends in {' or '.join(endings)}")
