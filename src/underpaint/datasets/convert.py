"""From one annotation format to another: read, say what is lost, write whole or not at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from underpaint.annotations.format import Format, Reading, Writing
from underpaint.annotations.registry import FORMATS, format_named, recognise, writable
from underpaint.core.classes import BACKGROUND, ClassTable, Meaning, Numbering
from underpaint.core.errors import DataError, listing
from underpaint.datasets.adapt import Losses, adapt
from underpaint.datasets.annotated import Found, classes_of
from underpaint.datasets.folder import DataFolder
from underpaint.datasets.hints import HintsReport, read_any_hints, with_backgrounds
from underpaint.datasets.open import open_dataset
from underpaint.hints.check import check_hints
from underpaint.hints.excess import refuse_excess
from underpaint.hints.layers import HIDDEN, hidden
from underpaint.hints.merge import merge_hints
from underpaint.hints.rest import fill_all
from underpaint.hints.types import Hints
from underpaint.hints.words import class_words
from underpaint.imagefiles.images import find_files, image_size
from underpaint.imagefiles.masks import SUFFIXES, mask_size
from underpaint.imagefiles.numbering import table_alone


@dataclass(frozen=True)
class Conversion:
    """What a conversion will write.

    Args:
        source: The formats that were read.
        target: The format to write.
        classes: The class table.
        hints: By image, as they were read.
        losses: What the target holds of them.
        data: The data set; of annotation files alone it has no photographs.
        ids: The number of each class in the files that were read, where the target has such numbers as well.
        left_out: What was not read at all, in lines of text: shapes that the readers leave out, and images without a
            photograph.
        notes: How some of it was read, and what became of the rest.
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
        """Write the file or folder, whole or not at all.

        Raises:
            DataError: ``out`` exists, has another ending than the format's, or the disk refuses.
            HintError: an area that needs the size of its image, which is not known.
        """
        check_target(out, self.target)
        adapted = [adapt(one, self.target, self.data) for one in self.hints.values()]
        files = {name: f"{name}{path.suffix}" for name, path in self.data.images.items()}
        said = [one for one in adapted if one.kinds()]
        if not said:
            fix = "choose another format, or see docs/formats.md for what each holds"
            raise DataError(f"{self.target.title} can hold nothing of these hints", where=out, fix=fix)
        self.target.write(out, said, Writing(self.classes, files, self.data.labels, self.ids))


def plan_conversion(source: Path, *, to: str, rest: str | None = None, instances: str | None = None) -> Conversion:
    """Read annotations and count what a format can hold of them; nothing is written.

    The classes are those that the annotations name, in their numbers. A class of the data set that nothing names is
    among them only where a person's class list has it, or where ``rest`` asks for it.

    Args:
        source: A data set (its annotations, or else its masks), or an annotation file or folder by itself.
        to: Name of the target format.
        rest: Class of what no annotation covers; see `fill_rest`.
        instances: Class of the objects, where label images hold a number for each and 0 behind them.

    Raises:
        DataError: an unknown format or one that is not written, or nothing that can be read.
        FormatError, HintError: as the readers.
    """
    target = writable(to)
    read = _alone(source, instances) if _by_itself(source) else _of_data(open_dataset(source, rest=rest), instances)
    hints = read.hints
    if instances is not None and not read.masks:
        raise DataError(
            "--instances is for label images with a number for each object", where=source, fix="leave it out"
        )
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


@dataclass(frozen=True)
class _Read:
    """What was read: hints by image, the files with their formats, and the data set; ``masks`` where numbers stand.

    ``left_out`` says what was not read, ``notes`` how some of it was.
    """

    hints: dict[str, Hints]
    found: Found
    data: DataFolder
    masks: bool = False
    left_out: Sequence[str] = ()
    notes: Sequence[str] = ()


def _by_itself(source: Path) -> bool:
    """Whether a file or folder holds annotations by themselves, and is no data set."""
    if not source.is_dir():
        return True
    try:
        open_dataset(source)
    except DataError:
        return any(form.sniff(source) for form in FORMATS) and not (source / "images").is_dir()
    return False


def _of_data(data: DataFolder, instances: str | None) -> _Read:
    if data.annotations and instances is None:
        hints, report = read_any_hints(data.annotations, data)
        return _Read(hints, _with_formats(data.annotations), data, left_out=report.losses(), notes=report.notes())
    if not data.masks:
        lacks = "neither annotations nor masks" if instances is None else "no masks"
        raise DataError(f"the data set has {lacks}", where=data.root)
    made = {}
    for name in sorted(data.masks.keys() & data.images.keys()):
        one = replace(data.mask_hints(name), size=image_size(data.images[name]))
        made[name] = one if instances is None else replace(one, numbering=_one_an_object(data.classes, instances))
    strays = sorted(data.masks.keys() - data.images.keys())
    left_out = [f"{len(strays)} masks have no photograph: {listing(strays)}"] if strays else []
    return _Read(made, [], data, masks=True, left_out=left_out)


def _one_an_object(classes: ClassTable, thing: str) -> Numbering:
    """The numbering of masks that hold a number for each object of the class ``thing``, and 0 behind them."""
    classes.indices([thing], "--instances")
    behind = None if classes.background is None else classes.names[classes.background]
    return Numbering((Meaning(0, behind),), others=thing)


def _alone(source: Path, instances: str | None) -> _Read:
    """Annotations without their photographs: names, classes and sizes are those that the file states."""
    form = recognise(source)
    root = source if source.is_dir() else source.parent
    if form.name == "masks":
        return _label_images(source) if instances is None else _object_images(source, instances)
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
                refuse_excess(one, one.size, path)
            hints[name] = merge_hints(hints[name], one) if name in hints else one
    if not any(one.kinds() for one in hints.values()):
        fix = "give the data set's folder: some formats need the photographs"
        raise DataError("the annotations by themselves say nothing", where=source, fix=fix)
    alone = DataFolder(root, classes, {}, {}, {})
    return _Read(
        {one.image: one for one in hints.values()}, found, alone, left_out=report.losses(), notes=report.notes()
    )


def _label_images(folder: Path) -> _Read:
    """A folder of label images with the class list beside them, as `predict` and this command write them."""
    classes = table_alone(folder)
    data = DataFolder(folder, classes, {}, {}, {})
    form = format_named("masks")
    hints = {}
    for name, one in form.read(folder, Reading(classes, folder)).items():
        hints[name] = replace(one, size=mask_size(folder / str(one.mask)))
    return _Read(hints, [(folder, form)], data, masks=True)


def _object_images(folder: Path, thing: str) -> _Read:
    """A folder of label images with a number for each object, which needs no class list."""
    data = DataFolder(folder, ClassTable.of([BACKGROUND, thing]), {}, {}, {})
    numbering = _one_an_object(data.classes, thing)
    hints = {
        name: Hints(name, size=mask_size(file), mask=file.relative_to(folder).as_posix(), numbering=numbering)
        for name, file in find_files(folder, SUFFIXES).items()
    }
    return _Read(hints, [(folder, format_named("masks"))], data, masks=True)


def _with_formats(paths: Sequence[Path]) -> Found:
    return [(path, recognise(path)) for path in with_backgrounds(paths)]


def _classes(read: _Read, rest: str | None) -> ClassTable:
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
    """The numbers of the classes in the files that were read; the first file that numbers a class counts."""
    ids: dict[str, int] = {}
    for path, form in found:
        ids = {**(form.ids(path) if form.ids is not None else {}), **ids}
    return ids


def check_target(out: Path, form: Format) -> None:
    """Refuse to overwrite, and a file name by which the file would not be known again.

    Raises:
        DataError: ``out`` exists, or a single file has another ending than the format's.
    """
    if out.exists():
        raise DataError("there is something under this name already", where=out, fix="choose a new name, or remove it")
    endings = [word for word in form.layout.split() if word.startswith(".")]
    if form.one_file and out.suffix.lower() not in endings:
        raise DataError(f"{form.title} is one file", where=out, accepted=f"a name that ends in {' or '.join(endings)}")
