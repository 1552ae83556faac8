"""Defines what an annotation format is: how it is recognised, read and written, and what it can hold."""

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
"""The number of the first pixel in VOC XML; ``auto`` finds it out from the numbers."""

Labels = Callable[[Hints], LabelFile | None]
"""A function that gives the label file to which the hints of an image refer, with what one must know to read it."""


@dataclass(frozen=True)
class Reading:
    """What a reader may need besides the file.

    Args:
        classes: The class table. Formats that name their classes themselves do not need it.
        root: The data set's folder, to which `Hints.mask` is relative.
        images: The image files by name, for formats that need their sizes.
        complete_tags: A table that lists tags names all classes that are present.
        voc_base: The number of the first pixel in VOC XML.
        left_out: A counter of what readers leave out, by reason.
        remarks: A counter of what readers take in a way that a person may not have meant, by what it is.
        lenient: Leave out and count what belongs to classes that the table lacks, instead of raising.
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
        """What the numbers of a file without class names mean; empty while the class names are being searched."""
        return () if self.classes == NAMELESS else self.classes.names


NAMELESS = ClassTable.of([BACKGROUND, "\0"])
"""The class table that is used while the class names are being searched."""


@dataclass(frozen=True)
class Writing:
    """What a writer needs besides the hints.

    Args:
        classes: The class table. Its order is the order of classes in formats that number them.
        files: The file name of each image by its name, relative to the image folder. An image that is not in it is
            written under its name.
        labels: Gives the label file to which hints refer; None where there is no data set.
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
    """One annotation format.

    Args:
        name: The word for it in commands.
        title: What people call it.
        layout: Which files it has, for the documentation and for messages. "one ..." means one file for all images.
        sniff: Whether a file or folder is of this format, judged by its content.
        read: Reads hints by image, with names as they stand in the file.
        writer: Writes completely or not at all; None for a format that is read only.
        holds: The parts that the format can state. For hints with these parts alone ``read(write(x)) == x``, up to the
            rounding of numbers in text.
        as_pixels: The parts that are written as the pixels that they cover.
        classes: The class names that a file declares, in its order; None where the format declares none.
        images: The images that a file lists, read without its annotations; None where this would not be faster.
        ids: The number that a file gives to each class, where it is not the place in a list.
        ordered: Whether the format states which area lies above which.
        general: Whether files of other formats look like this one too. Such a format counts only where no other is
            found.
        numbers: Whether its files are label images, whose numbers only a class list explains.
        beside: The path at which a second file may lie that is read together with a file of this format.
        stems: The file names, without ending, by which the format is found in a data set; empty for any name.
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
    numbers: bool = False
    beside: Callable[[Path], Path] | None = None
    stems: frozenset[str] = frozenset()

    def write(self, path: Path, hints: Sequence[Hints], writing: Writing) -> None:
        """Write the hints of the images to a file or folder.

        Raises:
            DataError: the format is read only, or writing fails.
            HintError: hints that the format cannot state.
        """
        if self.writer is None:
            raise DataError(f"{self.title} is a format that is read only", where=path)
        self.writer(path, hints, writing)

    def hints(self, path: Path, reading: Reading) -> ByImage:
        """What ``read`` returns, prepared for the rest of the program.

        Labels of tools that are no classes are understood (`words.understood`), and areas are put into their order
        (`layers`). Both are counted among the remarks.
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
        """Whether one file holds the hints of many images. Otherwise a folder has a file for each image."""
        return self.layout.startswith("one ")
