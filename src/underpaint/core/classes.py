"""The class table. The program uses the names of classes; numbers are used only in files and tensors."""

from __future__ import annotations

import colorsys
import string
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from unicodedata import category

from underpaint.core.errors import DataError, HintError, listing, nearest
from underpaint.core.regular import TEXT_BYTES, encoding_of, read_regular_text

VOID = 255
"""Mask value of a pixel without ground truth. It is left out of all losses and scores."""

IGNORED = ""
"""The name that stands for areas with unknown pixels; no class has this name."""

IGNORE_WORD = "__ignore__"
"""The label that labelme and other tools give to shapes that are to be ignored; it is not a class."""

BACKGROUND_WORD = "_background_"
"""The name of the background class in lists of labelme and other tools."""

BACKGROUND = "background"
"""The name of the background class if no file names it."""

MAX_CLASSES = 255
"""A mask file has 8 bits per pixel and 255 means void, so classes have the indices 0..254."""

Colour = tuple[int, int, int]


@dataclass(frozen=True)
class ClassTable:
    """The classes of a data set, in the order of their mask values.

    Args:
        names: One unique name for each class; ``names[i]`` has the value ``i`` in a mask file.
        colours: RGB of each class, 0..255.
        background: Index of the background class, or None if there is none (MSRC-21, CamVid). It is not always 0.

    Raises:
        DataError: There is no class or there are more than 255, a name is empty or repeated, the number of colours
            differs from the number of names, or the background is not in the table.
    """

    names: tuple[str, ...]
    colours: tuple[Colour, ...]
    background: int | None = None

    def __post_init__(self) -> None:
        if not self.names:
            fix = "write the class names, one a line, to classes.txt"
            raise DataError("the class table has no class", accepted=f"1 to {MAX_CLASSES} classes", fix=fix)
        if len(self.names) > MAX_CLASSES:
            raise DataError(f"the class table has {len(self.names)} classes", accepted=f"at most {MAX_CLASSES}")
        refuse_unclear(self.names)
        if len(self.colours) != len(self.names):
            raise DataError(f"the class table has {len(self.names)} classes and {len(self.colours)} colour(s)")
        if self.background is not None and not 0 <= self.background < len(self.names):
            raise DataError(f"background index {self.background} is outside the table", accepted=f"0..{len(self) - 1}")

    @classmethod
    def of(cls, names: Sequence[str], background: str | None = "background") -> ClassTable:
        """Make a table with the default palette; ``background`` is the background class if it is in ``names``."""
        index = names.index(background) if background in names else None
        return cls(tuple(names), palette(len(names), index), index)

    def __len__(self) -> int:
        return len(self.names)

    def for_training(self, where: object = None) -> ClassTable:
        """Return the table itself. Raises `DataError` if it has only one class, which no network can learn."""
        if len(self) < 2:
            raise DataError(
                f"the class table has 1 class: {self.names[0]}",
                where=where,
                accepted=f"2 to {MAX_CLASSES} classes",
                fix="a network needs a second class, such as 'background'. The position of a line is the number of "
                "the class, counted from 0: write 'background' above the class if 0 is the background in your label "
                "images, and below it if 0 is the class",
            )
        return self

    @cached_property
    def _index(self) -> dict[str, int]:
        return {name: i for i, name in enumerate(self.names)}

    def index(self, name: str, where: object = None) -> int:
        """Return the number of a class, or `VOID` for `IGNORED`. Raises `HintError` for an unknown name."""
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
        """Return the numbers of several classes in their order. Raises `HintError` for an unknown name."""
        return [self._number(name, where) for name in names]

    @property
    def foreground(self) -> tuple[int, ...]:
        """The indices of all classes except the background."""
        return tuple(i for i in range(len(self)) if i != self.background)

    @property
    def has_own_colours(self) -> bool:
        """Whether some colour differs from the default palette, so that a file stated it."""
        return self.colours != palette(len(self), self.background)

    def flat_palette(self) -> list[int]:
        """Return 768 numbers for a Pillow palette: the class colours, black for unused values, off-white for void."""
        flat = [channel for colour in self.colours for channel in colour]
        return flat + [0] * (3 * VOID - len(flat)) + [224, 224, 192]


def refuse_unclear(names: Sequence[str], where: object = None) -> None:
    """Raise `DataError` for a class without a name, a name with control characters, or a name that occurs twice."""
    if not all(names):
        what = f"class {list(names).index('')} has no name"
        fix = "write its name, or remove the line; a line's position is the number of its class, from 0 on"
        raise DataError(what, where=where, fix=fix)
    strange = [name for name in names if any(category(character) == "Cc" for character in name)]
    if strange:
        raise DataError(
            f"names of classes contain control characters: {listing(map(ascii, strange))}",
            where=where,
            accepted="letters, digits, blanks and signs that can be printed",
            fix="correct the names; the file is perhaps no list of classes",
        )
    repeated = sorted(name for name, count in Counter(names).items() if count > 1)
    if repeated:
        fix = "write every class once; a line's position is the number of its class, from 0 on"
        raise DataError(f"class names must be unique; repeated: {listing(repeated)}", where=where, fix=fix)


def palette(count: int, background: int | None = None) -> tuple[Colour, ...]:
    """Return ``count`` colours that differ well; the background is black.

    Hues advance by the golden ratio, so that neighbouring classes differ. The lightness alternates, which helps
    colour-blind readers.
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
    """The meaning of one number in label images.

    Args:
        number: The number.
        name: The class; None if the pixels with this number are unknown.
        colour: Its RGB in coloured label images, 0..255; None if no file states it.
    """

    number: int
    name: str | None
    colour: Colour | None = None


@dataclass(frozen=True)
class Numbering:
    """The meanings of the numbers in label images, if they differ from the class table of the data set.

    Args:
        meanings: One for each number that is accepted.
        others: Class of all other numbers, for example in images with one number for each object; None refuses them.
        source: The file that states the meanings, for messages. Comparisons ignore it.
    """

    meanings: tuple[Meaning, ...] = ()
    others: str | None = None
    source: str = field(default="", compare=False)

    @classmethod
    def of(cls, names: Sequence[str], colours: Mapping[int, Colour] | None = None, *, source: str = "") -> Numbering:
        """Number the names from 0 in their order; ``colours`` has the colours that a file states, by number."""
        stated = colours or {}
        return cls(tuple(Meaning(i, name, stated.get(i)) for i, name in enumerate(names)), source=source)

    def names(self) -> list[str]:
        """Return all class names, in the order of the numbers."""
        named = [meaning.name for meaning in self.meanings if meaning.name is not None]
        return [*named, self.others] if self.others is not None and self.others not in named else named

    def without(self, unknown: Collection[str]) -> Numbering:
        """Return a copy in which the pixels of the classes ``unknown`` are unknown."""
        kept = tuple(replace(each, name=None) if each.name in unknown else each for each in self.meanings)
        return replace(self, meanings=kept)


MAX_NAME = 1000
"""Largest number of characters in a line of a class list."""

_BLANK = string.whitespace + ","


def read_classes(path: Path) -> ClassTable:
    """Read ``classes.txt``: one name per line, optionally followed by a colour as three numbers 0..255.

    A class named ``background`` is the background class. Empty lines at the end are ignored.

    Raises:
        DataError: The file is missing, cannot be read, is not UTF-8, or has a table that `ClassTable` refuses.
    """
    names, colours = read_names(path)
    try:
        table = ClassTable.of(names)
    except DataError as error:
        raise DataError(error.brief, where=path) from None
    merged = tuple(colours.get(i, colour) for i, colour in enumerate(table.colours))
    return ClassTable(table.names, merged, table.background)


def read_names(path: Path) -> tuple[list[str], dict[int, Colour]]:
    """Read the names of a class list in their order, and the colours that it states, by the number of the class.

    Raises:
        DataError: The file is missing, cannot be read, or has a line that is too long or a colour out of range.
    """
    try:
        text = read_regular_text(path, max_bytes=TEXT_BYTES)
    except FileNotFoundError:
        raise DataError(
            "the class list is missing", where=path, fix="write classes.txt: one class name per line"
        ) from None
    except UnicodeDecodeError as error:
        raise DataError(f"the class list is {encoding_of(error)}", where=path, fix="save it as UTF-8") from None
    except OSError as error:
        raise DataError(f"the class list cannot be read: {error.strerror}", where=path) from None
    names: list[str] = []
    colours: dict[int, Colour] = {}
    for line in text.strip().splitlines():
        if len(line) > MAX_NAME:
            what = f"line {len(names) + 1} of the class list has {len(line)} characters"
            raise DataError(what, where=path, accepted=f"at most {MAX_NAME} characters: a name and perhaps a colour")
        name, rgb = _name_and_colour(line.strip())
        if rgb is not None:
            if max(rgb) > 255:
                raise DataError(f"colour {rgb} is out of range", where=f"{path}: {line!r}", accepted="0..255")
            colours[len(names)] = rgb
        names.append(name)
    return names, colours


def _name_and_colour(line: str) -> tuple[str, Colour | None]:
    """Return the name in a line, and the colour if the line ends with three numbers. It is read from the end."""
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
