"""Cityscapes: street scenes with label images and polygons in ``gtFine/SPLIT/CITY/`` (Cordts et al., CVPR 2016).

A frame may have ``*_labelIds.png`` (ids 0 to 33), ``*_labelTrainIds.png`` made from it (0 to 18, and 255), and
``*_polygons.json``. A usual mistake is to take the ids for class numbers: road is 7 in the first file and 0 in the
second. This reader gives the 19 classes of the benchmark by name for all three kinds. The other labels are void in the
benchmark, and stay unknown.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np
from scipy import ndimage

from underpaint.annotations.parsing.fields import Fields
from underpaint.core.classes import VOID, ClassTable
from underpaint.core.errors import DataError, FormatError, nearest
from underpaint.core.json_text import IMAGE_BYTES, read_json
from underpaint.hints.ignore import has_area, ignored_area, thin
from underpaint.hints.rasterise import UNKNOWN, bitmap_of, paint_regions
from underpaint.hints.types import IGNORED, Hints, Polygon, Region
from underpaint.imagefiles.decode import MAX_PIXELS, Pixels, opened
from underpaint.imagefiles.images import find_files
from underpaint.imagefiles.walk import files_below

SOURCE = "Cityscapes"

_TRAINED = (
    ("road", 7, (128, 64, 128)), ("sidewalk", 8, (244, 35, 232)), ("building", 11, (70, 70, 70)),
    ("wall", 12, (102, 102, 156)), ("fence", 13, (190, 153, 153)), ("pole", 17, (153, 153, 153)),
    ("traffic light", 19, (250, 170, 30)), ("traffic sign", 20, (220, 220, 0)), ("vegetation", 21, (107, 142, 35)),
    ("terrain", 22, (152, 251, 152)), ("sky", 23, (70, 130, 180)), ("person", 24, (220, 20, 60)),
    ("rider", 25, (255, 0, 0)), ("car", 26, (0, 0, 142)), ("truck", 27, (0, 0, 70)), ("bus", 28, (0, 60, 100)),
    ("train", 31, (0, 80, 100)), ("motorcycle", 32, (0, 0, 230)), ("bicycle", 33, (119, 11, 32)),
)  # fmt: skip
"""The name, label id and colour of the classes of the benchmark in the order of their train ids 0 to 18
(https://github.com/mcordts/cityscapesScripts, ``helpers/labels.py``)."""

CLASSES = ClassTable(tuple(name for name, _, _ in _TRAINED), tuple(colour for _, _, colour in _TRAINED), None)
"""The class table of Cityscapes. There is no background."""

LABEL_IDS = tuple(number for _, number, _ in _TRAINED)
"""The label id of each class."""

VOID_NAMES = frozenset({
    "unlabeled", "ego vehicle", "rectification border", "out of roi", "static", "dynamic", "ground", "parking",
    "rail track", "guard rail", "bridge", "tunnel", "polegroup", "caravan", "trailer",
})  # fmt: skip
"""The labels that the benchmark leaves out."""

PLATE = "license plate"
"""A label with the id -1 (255 in a byte), which is drawn in no label image."""

LAST_ID = 33

FREE = 254
"""Value of unknown pixels in a label map, which no polygon covers. Void pixels, in contrast, are to be ignored."""

PHOTOGRAPHS = "leftImg8bit"

ENDINGS = frozenset({".png", ".json"})

_ANNOTATION = re.compile(r"(?P<frame>.+)_(?P<set>gtFine|gtCoarse)_(?P<kind>labelTrainIds|labelIds|polygons)")


def is_cityscapes(path: Path) -> bool:
    """Whether a folder holds, at any depth, annotations with names as those of Cityscapes."""
    return path.is_dir() and any(
        _ANNOTATION.fullmatch(file.stem) for _, file in files_below(path, ENDINGS) if "_gt" in file.name
    )


def read_cityscapes(path: Path, *, left_out: Counter[str] | None = None) -> dict[str, Hints]:
    """Read annotations as regions, one for each class of an image, by the image's name (``..._leftImg8bit``).

    One file of a frame is read: the label image (with train ids, or else with label ids), or else the polygons, of
    which a later one is above an earlier one. Fine annotations are preferred to coarse ones. An image takes about
    0.5 MB (measured with CamVid's masks at 2048 x 1024). If ``*_labelTrainIds.png`` exist, `underpaint.datasets.open`
    refers to these files instead.

    Args:
        path: The folder of the data set, or ``gtFine``, or any folder in it.
        left_out: Counts what is left out, by reason; the reader adds to it.

    Raises:
        DataError: a label image cannot be read, or has ids that do not exist.
        FormatError: polygons of another structure, or with a label that does not exist.
    """
    counts: Counter[str] = Counter() if left_out is None else left_out
    found: dict[str, Hints] = {}
    for name, file in frames(path, ("labelTrainIds", "labelIds", "polygons")).items():
        labels = _draw(file, counts) if file.suffix == ".json" else _train_ids(file)
        regions = tuple(_regions(labels))
        if any(region.name != IGNORED for region in regions):
            found[name] = Hints(name, (labels.shape[0], labels.shape[1]), source=SOURCE, shapes=regions)
        else:
            counts["frames with only void pixels"] += 1
    return found


def _regions(labels: Pixels) -> Iterator[Region]:
    """One bitmap for each class in a label image (H, W), and an ignored one for its void pixels.

    Only the rectangle around a class is searched for its pixels, which saves time.
    """
    names = {**dict(enumerate(CLASSES.names)), VOID: IGNORED}
    for number, window in enumerate(ndimage.find_objects(labels + np.int32(1))):
        if window is not None and number in names:
            rows, columns = window
            bitmap = bitmap_of(names[number], labels[window] == number, x=columns.start, y=rows.start)
            if bitmap is not None:
                yield bitmap


def frames(root: Path, kinds: tuple[str, ...]) -> Mapping[str, Path]:
    """The best annotation of each image below a folder: an earlier kind before a later one, fine before coarse."""
    best: dict[str, tuple[tuple[bool, int], Path]] = {}
    for name, file in find_files(root, ENDINGS).items():
        match = _ANNOTATION.fullmatch(file.stem)
        if match is None or match["kind"] not in kinds or (file.suffix == ".json") != (match["kind"] == "polygons"):
            continue
        folders = [part for part in name.split("/")[:-1] if part not in ("gtFine", "gtCoarse")]
        image = "/".join([*folders, f"{match['frame']}_{PHOTOGRAPHS}"])
        rank = (match["set"] == "gtCoarse", kinds.index(match["kind"]))
        if image not in best or rank < best[image][0]:
            best[image] = (rank, file)
        elif rank == best[image][0]:
            what, fix = f"two files belong to the frame {image!r}: {best[image][1]} and {file}", "remove one of them"
            raise DataError(what, where=root, fix=fix)
    return {image: file for image, (_, file) in best.items()}


def _train_ids(path: Path) -> Pixels:
    """A label image as train ids, with void as 255."""
    with opened(path, ("PNG",), max_pixels=MAX_PIXELS) as image:
        if image.mode not in ("L", "P"):
            raise DataError(f"pixels of type {image.mode}", where=path, accepted="8-bit grey with ids")
        ids = np.array(image, dtype=np.uint8)
    trained = path.stem.endswith("TrainIds")
    known = np.arange(len(CLASSES)) if trained else np.arange(LAST_ID + 1)
    unknown = np.setdiff1d(np.flatnonzero(np.bincount(ids.ravel())), [*known, VOID])
    if len(unknown):
        what = f"the label image has the unknown numbers {', '.join(map(str, unknown[:8]))}"
        raise DataError(what, where=path, accepted=f"0..{known[-1]} and {VOID}")
    table = np.full(256, VOID, np.uint8)
    table[known if trained else list(LABEL_IDS)] = np.arange(len(CLASSES))
    return table[ids]


def _draw(path: Path, left_out: Counter[str]) -> Pixels:
    """The polygons of a frame, drawn by the package's rule, as train ids. Void polygons take away what lies below them.

    Pixels that no polygon covers are `FREE`.
    """
    fields = Fields(read_json(path, max_bytes=IMAGE_BYTES), str(path))
    size = (fields.whole("imgHeight", low=1), fields.whole("imgWidth", low=1))
    if size[0] * size[1] > MAX_PIXELS:
        raise FormatError(f"an image of {size[1]} x {size[0]} pixels", where=path, accepted=f"at most {MAX_PIXELS}")
    return paint_regions(_polygons(fields.items("objects"), left_out, path), size, np.full(size, FREE, np.uint8))


def _polygons(objects: Iterable[Fields], left_out: Counter[str], path: Path) -> list[tuple[int, Region]]:
    drawn: list[tuple[int, Region]] = []
    for item in objects:
        label, ring = item.text("label"), tuple(item.pairs("polygon"))
        if label == PLATE or ("deleted" in item and item.whole("deleted") != 0):
            continue
        if not has_area(ring):
            left_out["polygons that cover nothing"] += 1
            drawn.insert(0, (UNKNOWN, ignored_area(thin(ring))))
        else:
            drawn.append((_train_id(label, path), Polygon(label, ring)))
    return drawn


def _train_id(label: str, path: Path) -> int:
    """The train id of a label. Objects that could not be told apart have a label such as ``cargroup``."""
    if label in VOID_NAMES:
        return UNKNOWN
    single = label if label in CLASSES.names else label.removesuffix("group")
    if single in VOID_NAMES:
        return UNKNOWN
    if single not in CLASSES.names:
        fix = nearest(single, [*CLASSES.names, *VOID_NAMES]) or None
        raise FormatError(f"the label {label[:40]!r}", where=path, accepted="the labels of Cityscapes", fix=fix)
    return CLASSES.names.index(single)
