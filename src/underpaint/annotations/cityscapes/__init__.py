"""Cityscapes labels."""

from __future__ import annotations

from underpaint.annotations.cityscapes.read import (
    CLASSES,
    LABEL_IDS,
    PHOTOGRAPHS,
    frames,
    is_cityscapes,
    read_cityscapes,
)
from underpaint.annotations.format import Format
from underpaint.hints.parts import Part

__all__ = [
    "CLASSES",
    "FORMAT",
    "LABEL_IDS",
    "PHOTOGRAPHS",
    "frames",
    "is_cityscapes",
    "read_cityscapes",
]

FORMAT = Format(
    name="cityscapes",
    title="Cityscapes labels",
    layout="a .png or .json file per image, in gtFine/",
    sniff=is_cityscapes,
    read=lambda path, reading: read_cityscapes(path, left_out=reading.left_out),
    holds=frozenset({Part.BITMAPS, Part.IGNORED, Part.SIZES}),
    classes=lambda _: CLASSES.names,
    ordered=True,
    writer=None,
)
