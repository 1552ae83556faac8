"""Every annotation format that is read or written, with what it holds; new ones are added here, a line each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from underpaint.core.classes import ClassTable
from underpaint.core.errors import DataError, nearest
from underpaint.core.paths import nearest_path
from underpaint.formats import (
    boxes_csv,
    cityscapes,
    coco,
    cvat,
    geojson,
    jsonl,
    label_png,
    label_studio,
    labelme,
    scribblesup,
    tags_csv,
    via,
    voc_xml,
    whats_the_point,
    yolo,
)
from underpaint.formats.cityscapes_write import write_cityscapes
from underpaint.formats.cvat_write import write_cvat
from underpaint.formats.folder import BACKGROUND, DataFolder
from underpaint.formats.geojson_write import write_geojson
from underpaint.formats.label_studio_write import write_label_studio
from underpaint.formats.layers import HIDDEN, RAISED, hidden, raised
from underpaint.formats.numbering import listed_names
from underpaint.formats.parts import Part
from underpaint.formats.words import understood
from underpaint.hints.types import Hints

ByImage = dict[str, Hints]


@dataclass(frozen=True)
class Reading:
    """What a reader may ask for besides the file.

    Args:
        classes: The class table; formats that name their classes themselves do without it.
        root: The data set's folder, to which `Hints.mask` is relative.
        images: The photographs by name, for formats that need their sizes.
        complete_tags: A CSV that lists tags names all that are present.
        voc_base: Number of the first pixel in VOC XML.
        left_out: Where readers count what they leave out, by the reason.
        remarks: Where they count what they take in a way that a person may not have meant.
        lenient: Leave out, and count, what is of classes that the table lacks.
    """

    classes: ClassTable
    root: Path
    images: Mapping[str, Path] = field(default_factory=dict)
    complete_tags: bool = False
    voc_base: voc_xml.Base = "auto"
    left_out: Counter[str] = field(default_factory=Counter)
    remarks: Counter[str] = field(default_factory=Counter)
    lenient: bool = False

    @property
    def numbered(self) -> tuple[str, ...]:
        """What the numbers of a file mean that has no names; none where its classes are being looked for."""
        return () if self.classes == NAMELESS else self.classes.names


NAMELESS = ClassTable.of([BACKGROUND, "\0"])
"""The class table while the names of the classes are being looked for."""


@dataclass(frozen=True)
class Writing:
    """What a writer needs besides the hints.

    Args:
        classes: The class table; it gives the order of classes where a format numbers them.
        files: File name of each image by its name, relative to the image folder; an image that is not in it is written
            under its name as it stands.
        data: The data set to which `Hints.mask` belongs, for formats that hold label files.
        ids: The number of each class in the files that were read, for a format that keeps such numbers.
    """

    classes: ClassTable
    files: Mapping[str, str] = field(default_factory=dict)
    data: DataFolder | None = None
    ids: Mapping[str, int] = field(default_factory=dict)

    def file(self, image: str) -> str:
        """The file name of an image."""
        return self.files.get(image, image)


@dataclass(frozen=True)
class Format:
    """One format.

    Args:
        name: The word for it in commands.
        title: What people call it.
        layout: Where its files lie, for the documentation.
        sniff: Whether a file or folder is of this format, from its content.
        read: Hints by image, names as they stand in the file.
        write: Writes whole or not at all, replaces nothing half.
        holds: The parts that it can state: ``read(write(x)) == x`` for hints with these parts alone, to the rounding of
            numbers in text.
        as_pixels: Parts that are written as the pixels they cover.
        classes: The class names that a file declares, in its order; None where it declares none.
        images: The images that a file lists, read without its annotations; None where that is not worth while.
        ids: The number that a file gives to each class, where these are not the places of a list.
        ordered: Whether the format states which area lies above which.
    """

    name: str
    title: str
    layout: str
    sniff: Callable[[Path], bool]
    read: Callable[[Path, Reading], ByImage]
    write: Callable[[Path, Sequence[Hints], Writing], None]
    holds: frozenset[Part] = frozenset()
    as_pixels: frozenset[Part] = frozenset()
    classes: Callable[[Path], tuple[str, ...]] | None = None
    images: Callable[[Path], tuple[str, ...]] | None = None
    ids: Callable[[Path], Mapping[str, int]] | None = None
    ordered: bool = False

    def hints(self, path: Path, reading: Reading) -> ByImage:
        """What ``read`` returns, as the rest of the program takes it.

        Words of tools that stand for no class are understood (`words.understood`), and areas are in their order
        (`layers`), both counted among the remarks.
        """
        read = self.read(path, reading)
        return {name: self._layered(understood(one, reading.classes), reading) for name, one in read.items()}

    def _layered(self, hints: Hints, reading: Reading) -> Hints:
        found, moved = (hints, hidden(hints)) if self.ordered else raised(hints)
        if moved:
            reading.remarks[HIDDEN if self.ordered else RAISED] += moved
        return found

    @property
    def one_file(self) -> bool:
        """Whether one file holds the hints of many images; else a folder has a file for each."""
        return self.layout.startswith("one ")


FORMATS: tuple[Format, ...] = (
    Format(
        name="underpaint",
        title="hints file",
        layout="one .jsonl file",
        sniff=jsonl.is_hints_file,
        read=lambda path, reading: jsonl.read_hints(path, root=reading.root),
        write=lambda path, hints, _: jsonl.write_hints(path, hints),
        holds=frozenset(Part),
        ordered=True,
    ),
    Format(
        name="coco",
        title="COCO JSON",
        layout="one .json file",
        sniff=coco.is_coco,
        read=lambda path, reading: coco.read_coco(path, left_out=reading.left_out),
        write=lambda path, hints, writing: coco.write_coco(path, hints, writing.classes, writing.files, writing.ids),
        holds=frozenset({Part.POLYGONS, Part.BITMAPS, Part.BOXES, Part.CLICKS, Part.SIZES}),
        as_pixels=frozenset({Part.HOLES}),
        classes=coco.coco_classes,
        images=coco.coco_images,
        ids=coco.coco_ids,
    ),
    Format(
        name="labelme",
        title="labelme JSON",
        layout="a .json file an image",
        sniff=labelme.is_labelme,
        read=lambda path, reading: labelme.read_labelme(path, reading.images, left_out=reading.left_out),
        write=lambda path, hints, writing: labelme.write_labelme(path, hints, writing.files),
        holds=frozenset(
            {
                Part.POLYGONS,
                Part.BITMAPS,
                Part.BOXES,
                Part.CLICKS,
                Part.SCRIBBLES,
                Part.TAGS,
                Part.SIZES,
                Part.IGNORED,
            }
        ),
        as_pixels=frozenset({Part.HOLES}),
    ),
    Format(
        name="yolo",
        title="YOLO labels",
        layout="a .txt file an image, with data.yaml",
        sniff=yolo.is_yolo,
        read=lambda path, reading: yolo.read_yolo(
            path, yolo.yolo_classes(path) or reading.numbered, reading.images, left_out=reading.left_out
        ),
        write=lambda path, hints, writing: yolo.write_yolo(path, hints, writing.classes),
        holds=frozenset({Part.POLYGONS, Part.BOXES, Part.SIZES}),
        as_pixels=frozenset({Part.HOLES, Part.BITMAPS}),
        classes=yolo.yolo_classes,
    ),
    Format(
        name="label-studio",
        title="Label Studio tasks",
        layout="one .json file",
        sniff=label_studio.is_label_studio,
        read=lambda path, reading: label_studio.read_label_studio(path, left_out=reading.left_out),
        write=lambda path, hints, writing: write_label_studio(path, hints, file=writing.file),
        holds=frozenset(
            {Part.POLYGONS, Part.BITMAPS, Part.BOXES, Part.CLICKS, Part.TAGS, Part.SIZES, Part.SECONDS},
        ),
        as_pixels=frozenset({Part.HOLES}),
    ),
    Format(
        name="cvat",
        title="CVAT for images",
        layout="one .xml file",
        sniff=cvat.is_cvat,
        read=lambda path, reading: cvat.read_cvat(path, left_out=reading.left_out),
        write=lambda path, hints, writing: write_cvat(path, hints, classes=writing.classes.names, file=writing.file),
        holds=frozenset({Part.POLYGONS, Part.BITMAPS, Part.BOXES, Part.CLICKS, Part.SCRIBBLES, Part.TAGS, Part.SIZES}),
        as_pixels=frozenset({Part.HOLES}),
        classes=cvat.declared_classes,
        ordered=True,
    ),
    Format(
        name="via",
        title="VGG Image Annotator",
        layout="one .json file",
        sniff=via.is_via,
        read=lambda path, reading: via.read_via(path, left_out=reading.left_out),
        write=lambda path, hints, writing: via.write_via(path, hints, writing.files),
        holds=frozenset({Part.POLYGONS, Part.BOXES, Part.CLICKS, Part.SCRIBBLES, Part.TAGS}),
        as_pixels=frozenset({Part.HOLES, Part.BITMAPS}),
    ),
    Format(
        name="geojson",
        title="GeoJSON in pixels",
        layout="a .geojson file an image",
        sniff=geojson.is_geojson,
        read=lambda path, reading: geojson.read_geojson(path, left_out=reading.left_out),
        write=lambda path, hints, writing: write_geojson(path, hints, file=writing.file),
        holds=frozenset({Part.POLYGONS, Part.HOLES, Part.CLICKS, Part.SCRIBBLES, Part.IGNORED}),
        as_pixels=frozenset({Part.BITMAPS}),
    ),
    Format(
        name="cityscapes",
        title="Cityscapes labels",
        layout="a .png or .json file an image, in gtFine/",
        sniff=cityscapes.is_cityscapes,
        read=lambda path, reading: cityscapes.read_cityscapes(path, left_out=reading.left_out),
        write=lambda path, hints, _: write_cityscapes(path, hints),
        holds=frozenset({Part.SIZES}),
        as_pixels=frozenset({Part.POLYGONS, Part.HOLES, Part.BITMAPS, Part.IGNORED}),
        classes=lambda _: cityscapes.CLASSES.names,
        ordered=True,
    ),
    Format(
        name="whats-the-point",
        title="What's the Point clicks",
        layout="one .json file",
        sniff=whats_the_point.is_clicks,
        read=lambda path, _: whats_the_point.read_clicks(path),
        write=lambda path, hints, _: whats_the_point.write_clicks(path, hints),
        holds=frozenset({Part.CLICKS}),
    ),
    Format(
        name="scribblesup",
        title="ScribbleSup scribbles",
        layout="an .xml file an image",
        sniff=scribblesup.is_scribblesup,
        read=lambda path, reading: scribblesup.read_scribblesup(path, reading.classes),
        write=lambda path, hints, writing: scribblesup.write_scribblesup(
            path, hints, classes=writing.classes.names, file=writing.file
        ),
        holds=frozenset({Part.SCRIBBLES, Part.TAGS, Part.ABSENT, Part.SIZES}),
    ),
    Format(
        name="voc",
        title="VOC boxes",
        layout="an .xml file an image",
        sniff=voc_xml.is_voc,
        read=lambda path, reading: voc_xml.read_voc_boxes(
            path, reading.classes, base=reading.voc_base, left_out=reading.left_out, remarks=reading.remarks
        ),
        write=lambda path, hints, writing: voc_xml.write_voc_boxes(path, hints, file=writing.file),
        holds=frozenset({Part.BOXES, Part.BOXED, Part.TAGS, Part.ABSENT, Part.SIZES}),
    ),
    Format(
        name="tags",
        title="table of tags",
        layout="one .csv or .tsv file",
        sniff=lambda path: tags_csv.is_table(path) and not (boxes_csv.is_box_table(path) or via.is_via(path)),
        read=lambda path, reading: tags_csv.read_tags(path, reading.classes, complete=reading.complete_tags),
        write=lambda path, hints, writing: tags_csv.write_tags(path, hints, writing.classes, writing.files),
        holds=frozenset({Part.TAGS, Part.ABSENT}),
    ),
    Format(
        name="boxes",
        title="table of boxes",
        layout="one .csv or .tsv file",
        sniff=boxes_csv.is_box_table,
        read=lambda path, _: boxes_csv.read_box_table(path),
        write=lambda path, hints, writing: boxes_csv.write_box_table(path, hints, writing.files),
        holds=frozenset({Part.BOXES, Part.SIZES}),
    ),
    Format(
        name="masks",
        title="label images",
        layout="a .png file an image",
        sniff=lambda path: label_png.is_label_folder(path) and not cityscapes.is_cityscapes(path),
        read=lambda path, reading: label_png.read_label_images(
            path, reading.classes, reading.root, lenient=reading.lenient, left_out=reading.left_out
        ),
        write=lambda path, hints, writing: label_png.write_label_images(path, hints, writing.classes, writing.data),
        ordered=True,
        as_pixels=frozenset(
            {
                Part.LABELS,
                Part.POLYGONS,
                Part.HOLES,
                Part.BITMAPS,
                Part.IGNORED,
                Part.CLICKS,
                Part.SCRIBBLES,
                Part.WIDTHS,
            }
        ),
        classes=listed_names,
    ),
)
"""In the order in which they are tried."""


def format_named(name: str) -> Format:
    """The format of a name. Raises `DataError` with the names there are."""
    found = next((one for one in FORMATS if one.name == name), None)
    if found is None:
        names = [one.name for one in FORMATS]
        raise DataError(f"no format {name!r}", accepted=", ".join(names), fix=nearest(name, names) or None)
    return found


def recognise(path: Path) -> Format:
    """The format of a file or folder, from its content.

    Raises:
        DataError: missing, no known format, or files of several formats in one folder.
    """
    if not path.exists():
        raise DataError("the hints are missing", where=path, fix=nearest_path(path))
    found = [one for one in FORMATS if one.sniff(path)]
    if len(found) > 1:  # pictures beside annotation files are the photographs
        found = [one for one in found if one.name != "masks"]
    if len(found) == 1:
        return found[0]
    if found:
        titles = ", ".join(one.title for one in found)
        fix = "name one of the files, or a sub-folder"
        raise DataError(f"several formats at once: {titles}", where=path, accepted="hints of one format", fix=fix)
    what = "no hints in the folder" if path.is_dir() else f"hints of an unknown format: {path.name}"
    raise DataError(what, where=path, accepted=accepted())


def accepted() -> str:
    """All formats with their layout, for messages."""
    return "; ".join(f"{one.title} ({one.layout})" for one in FORMATS)
