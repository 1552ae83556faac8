"""The class table: names inside the program, numbers only at the file border."""

from __future__ import annotations

import colorsys
import string
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from underpaint.core.errors import DataError, HintError, nearest
from underpaint.core.regular import TEXT_BYTES, read_regular_text

VOID = 255
"""Value of a pixel without ground truth in a mask file: left out of every loss and every score."""

IGNORED = ""
"""The name of areas whose pixels are unknown; no class has it."""

IGNORE_WORD = "__ignore__"
"""The word by which labelme and others label a shape that is to be ignored; it names no class."""

BACKGROUND_WORD = "_background_"
"""The word by which labelme and others list the background class."""

BACKGROUND = "background"
"""The name of the background class where no file names it."""

MAX_CLASSES = 255
"""A mask file is 8 bit and 255 is void, so the indices 0..254 are left for classes."""

Colour = tuple[int, int, int]


@dataclass(frozen=True)
class ClassTable:
    """The classes of a data set, in the order of their mask values.

    Args:
        names: One unique name a class; ``names[i]`` has the value ``i`` in a mask file.
        colours: RGB of each class, 0..255.
        background: Index of the background class, or None where every class is a thing or stuff class
            (MSRC-21, CamVid). Nothing may assume that it is 0.

    Raises:
        DataError: no class, more than 255, an empty or repeated name, another number of colours, a background outside
            the table.
    """

    names: tuple[str, ...]
    colours: tuple[Colour, ...]
    background: int | None = None

    def __post_init__(self) -> None:
        if not self.names:
            raise DataError("the class table has no class", accepted=f"1 to {MAX_CLASSES} classes")
        if len(self.names) > MAX_CLASSES:
            raise DataError(f"the class table has {len(self.names)} classes", accepted=f"at most {MAX_CLASSES}")
        repeated = sorted({name for name in self.names if self.names.count(name) > 1})
        if repeated or not all(self.names):
            raise DataError(f"class names must be unique and not empty; repeated: {repeated}")
        if len(self.colours) != len(self.names):
            raise DataError(f"the class table has {len(self.names)} classes and {len(self.colours)} colour(s)")
        if self.background is not None and not 0 <= self.background < len(self.names):
            raise DataError(f"background index {self.background} is outside the table", accepted=f"0..{len(self) - 1}")

    @classmethod
    def of(cls, names: Sequence[str], background: str | None = "background") -> ClassTable:
        """A table with the default palette; ``background`` names the background class where the table has it."""
        index = names.index(background) if background in names else None
        return cls(tuple(names), palette(len(names), index), index)

    def __len__(self) -> int:
        return len(self.names)

    def for_training(self, where: object = None) -> ClassTable:
        """The table itself, if a network can learn it. Raises `DataError` where it has a single class."""
        if len(self) < 2:
            raise DataError(
                f"the class table has 1 class: {self.names[0]}",
                where=where,
                accepted=f"2 to {MAX_CLASSES} classes",
                fix="a network needs something to tell the class from. A line's place is the class's number: write "
                "'background' before the class where 0 is the background of your label images, and at the end where "
                "the labels number the class 0",
            )
        return self

    @cached_property
    def _index(self) -> dict[str, int]:
        return {name: i for i, name in enumerate(self.names)}

    def index(self, name: str, where: object = None) -> int:
        """The number of a class, and `VOID` of `IGNORED`; an unknown name is a `HintError` that names the nearest."""
        return VOID if name == IGNORED else self._number(name, where)

    def _number(self, name: str, where: object) -> int:
        try:
            return self._index[name]
        except KeyError:
            raise HintError(
                f"unknown class {name!r}",
                where=where,
                accepted=", ".join(self.names),
                fix=nearest(name, self.names) or "add the class to classes.txt or correct the name",
            ) from None

    def indices(self, names: Iterable[str], where: object = None) -> list[int]:
        """The numbers of several classes, in the order given; `HintError` for a name that is of no class."""
        return [self._number(name, where) for name in names]

    @property
    def foreground(self) -> tuple[int, ...]:
        """The indices of all classes but the background."""
        return tuple(i for i in range(len(self)) if i != self.background)

    @property
    def stated(self) -> bool:
        """Whether somebody chose colours: they are not all the default ones."""
        return self.colours != palette(len(self), self.background)

    def flat_palette(self) -> list[int]:
        """768 numbers for a Pillow palette: the class colours, the rest black, void (255) off-white."""
        flat = [channel for colour in self.colours for channel in colour]
        return flat + [0] * (3 * VOID - len(flat)) + [224, 224, 192]


def palette(count: int, background: int | None = None) -> tuple[Colour, ...]:
    """``count`` well separated colours; black for the background.

    Hues step by the golden ratio so that neighbours in the table differ; lightness alternates for colour-blind readers.
    """
    colours: list[Colour] = []
    for i in range(count):
        if i == background:
            colours.append((0, 0, 0))
            continue
        lightness = (0.42, 0.62, 0.52)[i % 3]
        r, g, b = colorsys.hls_to_rgb((0.04 + i * 0.6180339887) % 1.0, lightness, 0.75)
        colours.append((round(r * 255), round(g * 255), round(b * 255)))
    return tuple(colours)


@dataclass(frozen=True)
class Meaning:
    """What one number of a label image stands for.

    Args:
        number: The number.
        name: The class; None where the pixels of this number stay unknown.
        colour: Its RGB in pictures in colour, 0..255; None where none is stated.
    """

    number: int
    name: str | None
    colour: Colour | None = None


@dataclass(frozen=True)
class Numbering:
    """What the numbers in label images stand for, where the data set's own class table does not say it.

    Args:
        meanings: Of each number; other numbers are refused.
        others: Class of all numbers that ``meanings`` does not list, as in images with one number for each object.
        source: The file that says so, for messages; it plays no part in what is equal.
    """

    meanings: tuple[Meaning, ...] = ()
    others: str | None = None
    source: str = field(default="", compare=False)

    @classmethod
    def of(cls, names: Sequence[str], colours: Mapping[int, Colour] | None = None, *, source: str = "") -> Numbering:
        """The names in the order of their numbers, from 0 on, with the colours that are stated."""
        stated = colours or {}
        return cls(tuple(Meaning(i, name, stated.get(i)) for i, name in enumerate(names)), source=source)

    def names(self) -> list[str]:
        """Every class that is named, in the order of the numbers."""
        named = [meaning.name for meaning in self.meanings if meaning.name is not None]
        return [*named, self.others] if self.others is not None and self.others not in named else named

    def without(self, strange: Collection[str]) -> Numbering:
        """The same, with the pixels of these classes unknown."""
        return replace(
            self, meanings=tuple(replace(one, name=None) if one.name in strange else one for one in self.meanings)
        )


MAX_NAME = 1000
"""Characters of a line in a class list: a name is shown in tables and pictures."""

_BLANK = string.whitespace + ","


def read_classes(path: Path) -> ClassTable:
    """Read ``classes.txt``: one name a line, optionally followed by a colour as three numbers 0..255.

    A class named ``background`` is the background class. Empty lines at the end are dropped.

    Raises:
        DataError: no such file, unreadable, not UTF-8, or a table that `ClassTable` refuses.
    """
    names, colours = read_names(path)
    table = ClassTable.of(names)
    merged = tuple(colours.get(i, colour) for i, colour in enumerate(table.colours))
    return ClassTable(table.names, merged, table.background)


def read_names(path: Path) -> tuple[list[str], dict[int, Colour]]:
    """The names of a class list in their order, and the colours that it states, by the number of their class.

    Raises:
        DataError: as `read_classes`, as far as the file alone shows it.
    """
    try:
        text = read_regular_text(path, max_bytes=TEXT_BYTES)
    except FileNotFoundError:
        raise DataError(
            "the class list is missing", where=path, fix="write classes.txt: one class name a line"
        ) from None
    except UnicodeDecodeError as error:
        raise DataError(f"the class list is not UTF-8 text: {error}", where=path) from None
    except OSError as error:
        raise DataError(f"the class list cannot be read: {error.strerror}", where=path) from None
    names: list[str] = []
    colours: dict[int, Colour] = {}
    for line in text.strip().splitlines():
        if len(line) > MAX_NAME:
            what = f"line {len(names) + 1} of the class list has {len(line)} characters"
            raise DataError(what, where=path, accepted=f"at most {MAX_NAME}: a name, and a colour where it has one")
        name, rgb = _name_and_colour(line.strip())
        if rgb is not None:
            if max(rgb) > 255:
                raise DataError(f"colour {rgb} is out of range", where=f"{path}: {line!r}", accepted="0..255")
            colours[len(names)] = rgb
        names.append(name)
    return names, colours


def _name_and_colour(line: str) -> tuple[str, Colour | None]:
    """A line's name and the three numbers at its end, if it has them: from the end on, so in one pass."""
    name, numbers = line, []
    for blank in (_BLANK, _BLANK, _BLANK + ";"):
        head = name.rstrip(string.digits)
        digits = name[len(head) :]
        name = head.rstrip(blank)
        if not 1 <= len(digits) <= 3 or name == head:
            return line, None
        numbers.append(int(digits))
    blue, green, red = numbers
    return name, (red, green, blue)
