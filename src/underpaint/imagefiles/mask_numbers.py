"""What the numbers in a mask file stand for, and numbers turned into class indices."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from underpaint.core.classes import VOID, ClassTable, Colour, Numbering
from underpaint.core.errors import DataError
from underpaint.imagefiles.decode import Pixels

VOC_VOID = (224, 224, 192)
"""The colour of void in PASCAL VOC's palette, and in colour images that are made from it."""

MANY_OBJECTS = 3
"""A mask with at least so many numbers outside the class table looks as if every object had its own number."""


@dataclass(frozen=True)
class Key:
    """What the values of a mask file stand for.

    Args:
        classes: The class table of the result.
        numbers: The index of the class for each number in the file, `VOID` where the pixel stays unknown.
        colours: The index of the class for each colour.
        strange: The numbers that stand for classes which the table lacks, with the names of these classes.
        others: The index of the class for all further numbers, or None.
        palette: Whether the colours of a palette image may decide which classes it shows.
        source: The file that says what the numbers stand for; empty where it is the table itself.
    """

    classes: ClassTable
    numbers: Mapping[int, int]
    colours: Mapping[Colour, int]
    strange: Mapping[int, str]
    others: int | None
    palette: bool
    source: str

    @classmethod
    def of(cls, classes: ClassTable, numbering: Numbering | None, *, palette: bool = False) -> Key:
        """The key of a class table, or of a numbering. The classes of a numbering are matched to the table by name."""
        own = {colour: i for i, colour in enumerate(classes.colours)}
        if numbering is None:
            decide = palette or classes.has_own_colours
            return cls(classes, {i: i for i in range(len(classes))}, own, {}, None, decide, "")
        index = {name: i for i, name in enumerate(classes.names)}
        known = {one.number: VOID if one.name is None else index.get(one.name, -1) for one in numbering.meanings}
        colours = {one.colour: known[one.number] for one in numbering.meanings if one.colour is not None}
        strange = {one.number: one.name for one in numbering.meanings if one.name and known[one.number] == -1}
        others = None if numbering.others is None else classes.index(numbering.others, numbering.source)
        return cls(classes, known, colours or own, strange, others, False, numbering.source)

    def accepted(self) -> str:
        """The numbers that are accepted, as text for a message."""
        if self.source:
            return f"the numbers of {self.source}, 0..{max(self.numbers)}, and {VOID} for void"
        names = self.classes.names
        return f"0..{len(names) - 1} ({names[0]} .. {names[-1]}) and {VOID} for void"


def by_number(mask: NDArray[np.integer], path: Path, key: Key) -> Pixels:
    """Turn the numbers of a file into class indices. The error counts the numbers that stand for no class."""
    values, counts = _counted(mask)
    if key.others is None:
        outside = [i for i, value in enumerate(values) if value not in key.numbers and value != VOID]
        if outside:
            smooth = _smoothed(values, counts, outside)
            raise _outside([values[i] for i in outside], [counts[i] for i in outside], path, key, smooth=smooth)
    elif values and values[0] < 0:
        raise _outside([values[0]], [counts[0]], path, key)
    found = {value: key.numbers.get(value, VOID if key.others is None else key.others) for value in values}
    labels = dict(zip(found, known_labels(found, path, key), strict=True))
    if all(value == label for value, label in labels.items()):
        return mask.astype(np.uint8)
    if mask.dtype == np.uint8:
        table = np.full(256, VOID, np.uint8)
        table[list(labels)] = list(labels.values())
        found_by: Pixels = table[mask]
        return found_by
    place = np.searchsorted(np.array(values), mask)
    found_at: Pixels = np.array(list(labels.values()), np.uint8)[place]
    return found_at


def _counted(mask: NDArray[np.integer]) -> tuple[list[int], list[int]]:
    """The values that occur, in ascending order, and how often each occurs."""
    if mask.dtype == np.uint8:
        counts = np.bincount(mask.ravel(), minlength=256)
        values = np.flatnonzero(counts)
        return values.tolist(), counts[values].tolist()
    values, counts = np.unique(mask, return_counts=True)
    return values.tolist(), counts.tolist()


def known_labels(found: Mapping[int, int], path: Path, key: Key) -> list[int]:
    """The class indices. Raises `DataError` where a value stands for a class that the table lacks."""
    missing = [value for value, label in found.items() if label == -1]
    if missing:
        words = ", ".join(f"{value} ({key.strange.get(value, 'by its colour')})" for value in missing[:8])
        raise DataError(
            f"the label image holds {len(missing)} number(s) of classes that the data set lacks: {words}",
            where=path,
            accepted=f"{', '.join(key.classes.names)}; what the numbers stand for says {key.source}",
            fix="add these classes to the data set's classes.txt; or, of hints, leave them unknown with --lenient",
        )
    return list(found.values())


def _smoothed(values: list[int], counts: list[int], outside: list[int]) -> bool:
    """Whether numbers look like the greys of borders between black and white: fewer pixels than black or white has."""
    by_value = dict(zip(values, counts, strict=True))
    between = sum(counts[i] for i in outside)
    return (
        len(outside) > 1
        and values[outside[-1]] > VOID // 2  # strokes are white elsewhere too, and their numbers are small
        and between < min(by_value.get(0, 0), by_value.get(VOID, 0))
    )


def _outside(values: list[int], counts: list[int], path: Path, key: Key, *, smooth: bool = False) -> DataError:
    common = sorted(range(len(values)), key=lambda i: (-counts[i], values[i]))[:8]
    listed = ", ".join(f"{values[i]} ({counts[i]} pixels)" for i in common)
    return DataError(
        f"the mask holds {len(values)} number(s) outside the class table: {listed}",
        where=path,
        accepted=key.accepted(),
        fix=SMOOTHED if smooth else _usual_cause(values, key.classes),
    )


SMOOTHED = (
    "most pixels are black or white, and some are grey: the mask was drawn or resized with smooth borders; export it "
    "again without (no antialiasing, nearest neighbour)"
)


def _usual_cause(values: list[int], classes: ClassTable) -> str:
    palettes = (classes.colours, voc_palette(len(classes)))
    greys = {_luminance(colour) for colours in palettes for colour in colours} | {_luminance(VOC_VOID)}
    if set(values) <= greys:
        return (
            "these are the grey values of class colours: a palette mask was converted to grey "
            "(VOC's 1, 2, 3 become 38, 75, 113); use the palette file itself, read by index"
        )
    if len(values) >= MANY_OBJECTS and len(values) > len(classes):
        thing = classes.names[classes.foreground[0] if classes.foreground else 0]
        return (
            "instance numbers? If every object has a number of its own and 0 is what lies behind them, make masks of "
            f"classes: underpaint convert DATA OUT --to masks --instances {thing!r}, and put OUT in place of masks/"
        )
    return "add the missing classes to classes.txt in the order of their numbers, or remap the mask"


def _luminance(colour: Colour) -> int:
    """The grey value that Pillow computes for a colour (ITU-R 601 weights in 16-bit fixed point)."""
    return (colour[0] * 19595 + colour[1] * 38470 + colour[2] * 7471 + 0x8000) >> 16


def voc_palette(count: int) -> tuple[Colour, ...]:
    """PASCAL VOC's colours of the classes 0 to ``count`` - 1.

    The bits of the class number are dealt to red, green and blue in turn.
    """
    return tuple((_channel(index, 0), _channel(index, 1), _channel(index, 2)) for index in range(count))


def _channel(index: int, bit: int) -> int:
    """The bits ``bit``, ``bit + 3`` and ``bit + 6`` of a class number, as the three highest bits of a channel."""
    return sum((index >> (bit + 3 * step) & 1) << (7 - step) for step in range(3))
