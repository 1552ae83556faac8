"""Makes the data of the tables on boxes: CamVid with vehicles and persons alone, and hints of which 18 % are masks.

    python benchmarks/boxes_data.py camvid CAMVID11 -o DIR [--binary]   # a data set and its hints.jsonl
    python benchmarks/boxes_data.py voc VOC_ANIMALS -o DIR              # hints.jsonl and boxes.jsonl, of real boxes

As in Neven et al. 2021, 18 % of the training images (drawn from their names) have masks and the others boxes. CamVid's
boxes are those of the connected regions of the masks, VOC's are those that people drew. ``underpaint gap DIR --hints
DIR/hints.jsonl`` then measures (for VOC with the data set itself in the place of DIR).
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from underpaint.annotations.jsonl import write_hints
from underpaint.core.classes import ClassTable
from underpaint.core.rng import generator
from underpaint.datasets.folder import DataFolder
from underpaint.datasets.hints import read_any_hints
from underpaint.datasets.open import open_dataset
from underpaint.hints.rest import fill_rest
from underpaint.hints.types import Hints, Kind
from underpaint.imagefiles.masks import read_index_mask, write_index_mask
from underpaint.simulate.mixture import simulate_kind

MASKED = 0.18
"""Share of images with masks in the paper."""

THINGS = ("car", "pedestrian", "bicyclist")


def main() -> None:
    """Write the data."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("which", choices=("camvid", "voc"))
    parser.add_argument("data", type=Path)
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument("--binary", action="store_true", help="all vehicles and persons as one class")
    asked = parser.parse_args()
    data = open_dataset(asked.data)
    asked.out.mkdir(parents=True, exist_ok=True)
    if asked.which == "camvid":
        merged = merge(data, asked.out, binary=asked.binary)
        write_hints(asked.out / "hints.jsonl", [mixed(merged, name) for name in merged.split("train")])
        return
    boxes = annotated(data, data.split("train_official"))
    write_hints(asked.out / "boxes.jsonl", boxes.values())
    masked = {name: of_kind(data, name, Kind.MASK) for name in boxes if has_mask(name)}
    write_hints(asked.out / "hints.jsonl", [masked.get(name, hint) for name, hint in boxes.items()])


def has_mask(name: str) -> bool:
    """Whether an image is among those with a mask: a function of its name alone."""
    return bool(generator(0, "masked", name).random() < MASKED)


def mixed(data: DataFolder, name: str) -> Hints:
    """The mask of an image, or the boxes of its regions."""
    return of_kind(data, name, Kind.MASK if has_mask(name) else Kind.BOX)


def of_kind(data: DataFolder, name: str, kind: Kind) -> Hints:
    """Simulated hints of an image."""
    index = read_index_mask(data.masks[name], data.classes)
    where = data.masks[name].relative_to(data.root).as_posix()
    return simulate_kind(index, data.classes, kind=kind, image=name, seed=0, mask_file=where)


def merge(data: DataFolder, out: Path, *, binary: bool) -> DataFolder:
    """A data set in which all classes but vehicles and persons are background."""
    names = ("background", "object") if binary else ("background", *THINGS)
    classes = ClassTable.of(names)
    table = np.zeros(256, np.uint8)
    table[255] = 255
    for number, thing in enumerate(THINGS, start=1):
        table[data.classes.index(thing, "CamVid")] = 1 if binary else number
    (out / "classes.txt").write_text("\n".join(names) + "\n", encoding="utf-8")
    for name, mask in data.masks.items():
        write_index_mask(out / "masks" / f"{name}.png", table[read_index_mask(mask, data.classes)], classes)
    for folder in ("images", "splits"):
        if not (out / folder).exists():
            (out / folder).symlink_to((data.root / folder).resolve(), target_is_directory=True)
    return open_dataset(out)


def annotated(data: DataFolder, names: tuple[str, ...]) -> dict[str, Hints]:
    """VOC's boxes of our classes; outside them all is background, since VOC boxes every instance."""
    found = read_any_hints([data.root / "weak" / "Annotations"], data, ignore_unknown=True, ignore_outside=True)[0]
    return {name: fill_rest(found[name], "background", data.classes) for name in names if name in found}


if __name__ == "__main__":
    main()
