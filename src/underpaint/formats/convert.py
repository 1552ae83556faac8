"""From one annotation format to another: read, say what is lost, write whole or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from underpaint.core.classes import ClassTable
from underpaint.core.errors import DataError
from underpaint.formats.adapt import Losses, adapt
from underpaint.formats.annotated import classes_of
from underpaint.formats.check import check_hints
from underpaint.formats.dataset import open_dataset
from underpaint.formats.excess import refuse_excess
from underpaint.formats.folder import DataFolder
from underpaint.formats.hints import read_any_hints, with_backgrounds
from underpaint.formats.images import image_size
from underpaint.formats.merge import merge_hints
from underpaint.formats.registry import FORMATS, Format, Reading, Writing, format_named, recognise
from underpaint.formats.rest import fill_rest
from underpaint.hints.types import Hints


@dataclass(frozen=True)
class Conversion:
    """What a conversion will write.

    Args:
        source: The formats that were read.
        target: The format to write.
        classes: The class table.
        hints: By image, as they were read.
        losses: What the target holds of them.
        data: The data set, or None where annotation files alone were given.
    """

    source: str
    target: Format
    classes: ClassTable
    hints: Mapping[str, Hints]
    losses: Losses
    data: DataFolder | None

    def write(self, out: Path) -> None:
        """Write the file or folder, whole or not at all.

        Raises:
            DataError: ``out`` exists, has another ending than the format's, or the disk refuses.
            HintError: an area that needs the size of its image, which is not known.
        """
        check_target(out, self.target)
        adapted = [adapt(one, self.target, self.data) for one in self.hints.values()]
        files = {name: f"{name}{path.suffix}" for name, path in self.data.images.items()} if self.data else {}
        root = self.data.root if self.data else Path()
        said = [one for one in adapted if one.kinds()]
        if not said:
            fix = "choose another format, or see docs/formats.md for what each holds"
            raise DataError(f"{self.target.title} can hold nothing of these hints", where=out, fix=fix)
        self.target.write(out, said, Writing(self.classes, files, root))


def plan_conversion(source: Path, *, to: str, rest: str | None = None) -> Conversion:
    """Read annotations and count what a format can hold of them; nothing is written.

    Args:
        source: A data set (its annotations, or else its masks), or an annotation file or folder by itself.
        to: Name of the target format.
        rest: Class of what no annotation covers; see `fill_rest`.

    Raises:
        DataError: an unknown format, or nothing that can be read.
        FormatError, HintError: as the readers.
    """
    target = format_named(to)
    form = None if _is_data(source) else recognise(source)
    data = open_dataset(source, rest=rest) if form is None else None
    if form is None and data is not None:
        title, classes, hints = _of_data(data)
    else:
        assert form is not None
        title, classes, hints = _alone(source, form, rest)
    if rest is not None:
        hints = {name: fill_rest(one, rest, classes) for name, one in hints.items()}
    losses = Losses()
    for one in hints.values():
        losses.count(one, target)
    return Conversion(title, target, classes, hints, losses, data)


def _is_data(source: Path) -> bool:
    """Whether a folder is a data set; a folder of annotations by themselves is none."""
    if not source.is_dir():
        return False
    try:
        open_dataset(source)
    except DataError:
        return not any(form.name != "masks" and form.sniff(source) for form in FORMATS)
    return True


def _of_data(data: DataFolder) -> tuple[str, ClassTable, dict[str, Hints]]:
    if data.annotations:
        hints, report = read_any_hints(data.annotations, data)
        return ", ".join(dict.fromkeys(form for _, form in report.sources)), data.classes, hints
    if not data.masks:
        raise DataError("the data set has neither annotations nor masks", where=data.root)
    made = {}
    for name in sorted(data.masks.keys() & data.images.keys()):
        mask = data.masks[name].relative_to(data.root).as_posix()
        made[name] = Hints(name, size=image_size(data.images[name]), mask=mask, source="masks")
    return "masks of the data set", data.classes, made


def _alone(source: Path, form: Format, rest: str | None) -> tuple[str, ClassTable, dict[str, Hints]]:
    """Annotations without their photographs: names, classes and sizes are those that the file states."""
    root = source if source.is_dir() else source.parent
    found = [(path, recognise(path)) for path in with_backgrounds([source])]
    classes = classes_of(root, found, {}, rest)
    hints: dict[str, Hints] = {}
    for path, one_form in found:
        for name, one in one_form.hints(path, Reading(classes, root)).items():
            check_hints(one, classes, f"{path}, image {name!r}")
            if one.size is not None:
                refuse_excess(one, one.size, path)
            hints[name] = merge_hints(hints[name], one) if name in hints else one
    if not any(one.kinds() for one in hints.values()):
        fix = "give the data set's folder: some formats need the photographs"
        raise DataError("the annotations by themselves say nothing", where=source, fix=fix)
    return form.title, classes, {one.image: one for one in hints.values()}


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
