"""Defines what an annotation format is: how it is recognised, read and written, and what it can hold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from underpaint.core.classes import BACKGROUND, ClassTable
from underpaint.core.errors import DataError
from underpaint.hints.ignore import resolve_labels
from underpaint.hints.layers import HIDDEN, RAISED, hidden, raised
from underpaint.hints.parts import Part
from underpaint.hints.types import Hints
from underpaint.imagefiles.masks import LabelFile

ByImage = dict[str, Hints]

Base = Literal["auto", 0, 1]
"""The number of the first pixel in VOC XML; with ``auto`` the reader infers it from the coordinates."""

Labels = Callable[[Hints], LabelFile | None]
"""A function that returns the label file to which the hints of an image refer."""


@dataclass(frozen=True)
class Reading:
    """The inputs of a reader in addition to the file, and its counts.

    Args:
        classes: The class table. Formats that name their classes do not need it.
        root: The folder of the data set, to which `Hints.mask` is relative.
        images: The image files by name, for formats that need their sizes.
        complete_tags: Whether a table with lists of tags names all classes that are present.
        voc_base: The number of the first pixel in VOC XML.
        left_out: Counts what readers leave out, by reason.
        remarks: Counts what readers interpret in a way that the annotator perhaps did not mean, by description.
        lenient: Leave out and count hints of classes that are not in the table, instead of raising an error.
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
        """The class names by number, for files with numbers only; empty while the class names are being searched."""
        return () if self.classes == NAMELESS else self.classes.names


NAMELESS = ClassTable.of([BACKGROUND, "\uffff"])
"""The class table that is used while the class names are being searched."""


@dataclass(frozen=True)
class Writing:
    """The inputs of a writer in addition to the hints.

    Args:
        classes: The class table. Its order is the order of classes in formats that number them.
        files: The file name of each image by its name, relative to the image folder. An image that is not listed is
            written with its name.
        labels: Returns the label file to which hints refer; None if there is no data set.
        ids: The number of each class in the files that were read, for formats that keep such numbers.
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
        name: The name in commands.
        title: The name in texts.
        layout: Its files, for the documentation and for messages. "one ..." means one file for all images.
        sniff: Whether a file or folder has this format, judged by its content.
        read: Reads hints by image, with names as in the file.
        writer: Writes completely or not at all; None for a format that is only read.
        holds: The parts that the format can store. For hints with only these parts ``read(write(x)) == x``, except for
            the rounding of numbers in text.
        as_pixels: The parts that are written as the pixels that they cover.
        classes: Reads the class names that a file declares, in its order; None if the format declares none.
        images: Reads the images that a file lists without its annotations; None if this would not be faster.
        ids: Reads the number that a file gives to each class, if it is not the position in a list.
        ordered: Whether the format states which area is above which.
        general: Whether files of other formats are recognised as this one too. Such a format is used only if no other
            format is recognised.
        numbers: Whether its files are label images, so that a class list must explain their numbers.
        second_file: Returns the path of a second file that is read together with a file of this format, if it exists.
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
    second_file: Callable[[Path], Path] | None = None
    stems: frozenset[str] = frozenset()

    def write(self, path: Path, hints: Sequence[Hints], writing: Writing) -> None:
        """Write the hints of the images to a file or folder.

        Raises:
            DataError: The format is only read, or writing fails.
            HintError: The format cannot store the hints.
        """
        if self.writer is None:
            raise DataError(f"{self.title} is a format that underpaint only reads", where=path)
        self.writer(path, hints, writing)

    def hints(self, path: Path, reading: Reading) -> ByImage:
        """Read hints and prepare them for the rest of the program.

        Labels that are not classes are handled (`ignore.resolve_labels`), and areas are put in order (`layers`). Moved
        and covered areas are counted in the remarks.
        """
        read = self.read(path, reading)
        return {name: self._layered(resolve_labels(one, reading.classes), reading) for name, one in read.items()}

    def _layered(self, hints: Hints, reading: Reading) -> Hints:
        layered, count = (hints, hidden(hints)) if self.ordered else raised(hints)
        if count:
            reading.remarks[HIDDEN if self.ordered else RAISED] += count
        return layered

    @property
    def one_file(self) -> bool:
        """Whether one file has the hints of many images. Otherwise a folder has a file for each image."""
        return self.layout.startswith("one ")
