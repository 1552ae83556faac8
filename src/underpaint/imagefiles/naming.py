"""Finds the image for a name in an annotation file, which may have other folders or another ending, or none.

Two names in one file are two different images. If both match the same image of the data set, the name that matches more
exactly gets it. If both match equally well, neither gets it, so that the shapes of two images are never mixed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from functools import cached_property
from itertools import islice
from pathlib import Path, PurePosixPath

from underpaint.imagefiles.spelling import (
    LONGEST_NAME,
    agree,
    ends_of,
    is_marked,
    plain_form,
    split_word,
    tidy,
    without_ending,
    without_marks,
)

MOST_CLAIMS = 64
"""Largest number of names from other sources that are compared with a name that does not match exactly."""


class Rank(IntEnum):
    """How exactly a name matches an image. A lower number is more exact."""

    FILE = 0
    """The name of the file with its ending."""

    PATH = 1
    """The name without its ending, or with the folders of the image."""

    LOOSE = 2
    """The folders, the ending, an upload mark or the encoding of a character differ."""


@dataclass(frozen=True)
class Claim:
    """A possible match of a name in one source with an image of the data set."""

    source: int
    name: str
    image: str
    rank: Rank


@dataclass
class Matched:
    """The result for the names of one source.

    Args:
        images: The image of the data set for each name that has one.
        rivals: The names that got no image because another name matches the same image, with that image.
    """

    images: dict[str, str] = field(default_factory=dict)
    rivals: dict[str, str] = field(default_factory=dict)


class Names:
    """Matches names in files to the images of a data set.

    Args:
        images: The image files by name.
    """

    def __init__(self, images: Mapping[str, Path]) -> None:
        self._images = images

    def match(self, sources: Sequence[tuple[Path, Iterable[str]]]) -> list[Matched]:
        """Match the names of several annotation files or folders to images.

        A name is a path relative to the folder of the annotation file or to the image folder. If there is no image at
        this path, leading folders, the ending, upload marks and the encoding of characters are ignored; the name then
        matches if there is only one such image. If two names of one source match one image, the more exact one gets it;
        if they are equally exact, neither gets it. Names of two sources may match the same image unless they contradict
        each other.

        Args:
            sources: Each file or folder with the names in it.

        Returns:
            One result for each source, in the same order.
        """
        claims: dict[str, list[Claim]] = {}
        for number, (path, names) in enumerate(sources):
            near = self._near(path)
            own = bool(near) and path.is_dir() and near[0] == self._within(path)
            for claim in self._claims(((number, name) for name in dict.fromkeys(names)), near, own=own):
                claims.setdefault(claim.image, []).append(claim)
        words = [split_word(path.stem) or split_word(path.parent.name) for path, _ in sources]
        matched = [Matched() for _ in sources]
        for image, every in claims.items():
            kept = _kept(every, words)
            for claim in every:
                target = matched[claim.source]
                (target.images if claim in kept else target.rivals)[claim.name] = image
        return matched

    def lines(self, lines: Iterable[str]) -> dict[str, str]:
        """The images of the lines of split lists. Several lines may match the same image if they do not contradict."""
        every = list(dict.fromkeys(lines))
        claims: dict[str, list[Claim]] = {}
        for claim in self._claims(enumerate(every), (), own=False):
            claims.setdefault(claim.image, []).append(claim)
        words = [None] * len(every)
        return {one.name: image for image, of_image in claims.items() for one in _kept(of_image, words)}

    def respelled(self, name: str) -> str | None:
        """The image with the same folder and name in another encoding of its characters (as macOS writes them)."""
        return self._same.get(plain_form(name)) or None

    def _claims(self, names: Iterable[tuple[int, str]], near: Sequence[str], *, own: bool) -> Iterator[Claim]:
        for source, name in names:
            fit = self._fit(name, near, own)
            if fit is not None:
                yield Claim(source, name, *fit)

    def _fit(self, line: str, near: Sequence[str], own: bool) -> tuple[str, Rank] | None:
        """The image that a name matches best, and how exactly; None if it matches none, or two equally well."""
        if len(line) > LONGEST_NAME:
            return None
        stem, ending = without_ending(tidy(line))
        within = [f"{folder}/{stem}" for folder in near]
        along = self._along(stem) if "/" in stem else ()
        names = within[:1] if own and within[0] in self._images else [line, stem, *along, *within]
        exact = {name for name in names if name in self._images}
        if len(exact) > 1:
            return None
        if not exact:
            found = self._loosely(stem)
            return (found, Rank.LOOSE) if found else None
        name = exact.pop()
        if ending == self._images[name].suffix.lower():
            return name, Rank.FILE if name == stem else Rank.PATH
        return name, Rank.LOOSE if ending and name != line else Rank.PATH

    def _along(self, stem: str) -> Iterator[str]:
        """Images whose full path ends with a name that has more folders than the name in the data set."""
        for tail in ends_of(stem, 1):
            if tail in self._images and self._images[tail].with_suffix("").as_posix().endswith(f"/{stem}"):
                yield tail

    def _loosely(self, stem: str) -> str | None:
        """The only image that a name matches without folders, with other characters, or without upload marks."""
        tails = list(ends_of(stem))
        ways: tuple[Callable[[str], str | None], ...] = (self._itself, self._ends.get, self._formed, self._marks)
        return next((name for find in ways for tail in tails if (name := find(tail))), None)

    def _itself(self, tail: str) -> str | None:
        return tail if tail in self._images else None

    def _formed(self, tail: str) -> str | None:
        return self._plain.get(plain_form(tail))

    def _marks(self, tail: str) -> str | None:
        """The image for a name with an upload mark, or for a name without the mark that the image file has."""
        name = self._unmarked.get(without_marks(tail))
        return name if name and (is_marked(tail) or is_marked(name)) else None

    def _near(self, source: Path) -> list[str]:
        """The image folders to which an annotation file belongs: its own folder, and folders whose name it contains."""
        words = re.split(r"[^0-9A-Za-z]+", source.stem)
        named = [folder for folder in self._folders if PurePosixPath(folder).name in words]
        return [folder for folder in dict.fromkeys((self._within(source), *named)) if folder]

    def _within(self, source: Path) -> str:
        """The folder of an annotation file below the image folder, with ``images/`` for ``labels/`` as in YOLO."""
        parent = source if source.is_dir() else source.parent
        folder = "/".join(parent.relative_to(self._root).parts) if parent.is_relative_to(self._root) else ""
        swapped = "/".join("images" if part == "labels" else part for part in folder.split("/"))
        return swapped if swapped in self._folders and folder not in self._folders else folder

    @cached_property
    def _folders(self) -> dict[str, None]:
        return dict.fromkeys(name.rpartition("/")[0] for name in self._images if "/" in name)

    @cached_property
    def _root(self) -> Path:
        first = next(iter(self._images), "")
        return self._images[first].parents[first.count("/")] if first else Path()

    @cached_property
    def _ends(self) -> Mapping[str, str]:
        return _index(self._images, str, 1)

    @cached_property
    def _plain(self) -> Mapping[str, str]:
        return _index(self._images, plain_form)

    @cached_property
    def _unmarked(self) -> Mapping[str, str]:
        return _index(self._images, without_marks)

    @cached_property
    def _same(self) -> Mapping[str, str]:
        same: dict[str, str] = {}
        for name in self._images:
            same[plain_form(name)] = "" if plain_form(name) in same else name
        return same


def _index(images: Iterable[str], fold: Callable[[str], str], start: int = 0) -> Mapping[str, str]:
    """The images by every ending part of their names. A part that several images share maps to an empty text."""
    found: dict[str, str] = {}
    for name in images:
        for tail in map(fold, ends_of(name, start)):
            found[tail] = "" if found.get(tail, name) != name else name
    return found


def _kept(every: Sequence[Claim], words: Sequence[str | None]) -> set[Claim]:
    """The claims for an image that are accepted; ``words`` are the splits of the sources."""
    best: dict[int, list[Claim]] = {}
    for claim in every:
        equal = best.get(claim.source)
        if equal is None or claim.rank < equal[0].rank:
            best[claim.source] = [claim]
        elif claim.rank == equal[0].rank:
            equal.append(claim)
    single = (claims[0] for claims in best.values() if len(claims) == 1)
    return {claim for claim in single if claim.rank < Rank.LOOSE or not _contradicted(claim, every, words)}


def _contradicted(claim: Claim, every: Sequence[Claim], words: Sequence[str | None]) -> bool:
    """Whether a name in another source shows that this name belongs to another image, or there are too many names."""
    others = list(islice((one for one in every if one.source != claim.source), MOST_CLAIMS + 1))
    if len(others) > MOST_CLAIMS:
        return True
    splits = {word for one in others if (word := words[one.source])} - {words[claim.source]}
    return bool(words[claim.source] and splits) or not all(agree(claim.name, one.name) for one in others)
