"""What one annotation format is: how it is known, read and written, and what it holds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from underpaint.core.classes import BACKGROUND, ClassTable
from underpaint.core.errors import DataError
from underpaint.hints.layers import HIDDEN, RAISED, hidden, raised
from underpaint.hints.parts import Part
from underpaint.hints.types import Hints
from underpaint.hints.words import understood
from underpaint.imagefiles.masks import LabelFile

ByImage = dict[str, Hints]

Base = Literal["auto", 0, 1]
"""The number of the first pixel in VOC XML; ``auto`` tells it from the numbers."""

Labels = Callable[[Hints], LabelFile | None]
"""Gives the label file to which the hints of an image refer, as it must be read."""


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
    voc_base: Base = "auto"
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
        labels: Gives the label file to which hints refer; None where no data set is at hand.
        ids: The number of each class in the files that were read, for a format that keeps such numbers.
    """

    classes: ClassTable
    files: Mapping[str, str] = field(default_factory=dict)
    labels: Labels | None = None
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
        writer: Writes whole or not at all, replaces nothing half; None for a format that is read only.
        holds: The parts that it can state: ``read(write(x)) == x`` for hints with these parts alone, to the rounding of
            numbers in text.
        as_pixels: Parts that are written as the pixels they cover.
        classes: The class names that a file declares, in its order; None where it declares none.
        images: The images that a file lists, read without its annotations; None where that is not worth while.
        ids: The number that a file gives to each class, where these are not the places of a list.
        ordered: Whether the format states which area lies above which.
        general: Whether files of other formats have its signs too; such a format steps back where another is found.
        beside: The path at which a second file may lie that is read with a file of this format.
        stems: The file names, without ending, by which it is looked for in a data set; empty for any name.
    """

    name: str
    title: str
    layout: str
    sniff: Callable[[Path], bool]
    read: Callable[[Path, Reading], ByImage]
    writer: Callable[[Path, Sequence[Hints], Writing], None] | None
    holds: frozenset[Part] = frozenset()
    as_pixels: frozenset[Part] = frozenset()
    classes: Callable[[Path], tuple[str, ...]] | None = None
    images: Callable[[Path], tuple[str, ...]] | None = None
    ids: Callable[[Path], Mapping[str, int]] | None = None
    ordered: bool = False
    general: bool = False
    beside: Callable[[Path], Path] | None = None
    stems: frozenset[str] = frozenset()

    def write(self, path: Path, hints: Sequence[Hints], writing: Writing) -> None:
        """Write the hints of the images to a file or folder.

        Raises:
            DataError: the format is read only, or the disk refuses.
            HintError: hints that the format cannot state.
        """
        if self.writer is None:
            raise DataError(f"{self.title} is a format that is read only", where=path)
        self.writer(path, hints, writing)

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
