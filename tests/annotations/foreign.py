"""Files of the formats that are read only, as their tools write them, with something for each of some images."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

SIZE = (20, 30)
END = "_leftImg8bit"
"""Cityscapes' photographs end so."""

LINE = """<annotation><polygon><tag>cat</tag><point><X>1</X><Y>15</Y></point><point><X>9</X><Y>15</Y></point></polygon>
</annotation>"""


def clicks(path: Path, names: Sequence[str]) -> None:
    """A click on a cat in each image."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({name: [{"x": 3.5, "y": 3.5, "cls": 8, "rank": 1}] for name in names}))


def lines(path: Path, names: Sequence[str]) -> None:
    """A line on a cat in each image."""
    for name in names:
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / f"{name}.xml").write_text(LINE)


def label_ids(path: Path, names: Sequence[str]) -> None:
    """A road, of id 7, in the upper left of each image."""
    ids = np.zeros(SIZE, np.uint8)
    ids[2:12, 2:12] = 7
    for name in names:
        file = path / "gtFine" / f"{name.removesuffix(END)}_gtFine_labelIds.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(ids).save(file)


PROJECT = (
    '{"underpaint": "paint", "version": 1, "id": "p", "classes": [{"name": "cat", "color": "#e69f00", "key": "1"}]}'
)
"""The ``project.json`` of a paint project."""


def marks(path: Path, names: Sequence[str]) -> None:
    """A click on a cat in each image, as the page saves it."""
    (path / "strokes").mkdir(parents=True, exist_ok=True)
    (path / "project.json").write_text(PROJECT)
    hint = {"kind": "click", "class": "cat", "x": 3.5, "y": 3.5}
    lines = [
        json.dumps({"id": f"i{n}", "n": n, "at": 9.0, "image": name, "op": "add", "hint": hint}) + "\n"
        for n, name in enumerate(names)
    ]
    (path / "strokes" / "me-1.jsonl").write_text("".join(lines))


FOREIGN: dict[str, Callable[[Path, Sequence[str]], None]] = {
    "whats-the-point": clicks,
    "scribblesup": lines,
    "cityscapes": label_ids,
    "paint": marks,
}
"""By the name of the format."""
