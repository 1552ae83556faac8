"""Which photograph a name in a file means: files name photographs with other folders or endings, or with none.

Two names that one file uses are two pictures. Where both come down to one photograph, the one that names it exactly
keeps it, and where none does, neither has it: shapes of two pictures never lie on one.
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
"""Names of other sources for one photograph with which a name that fits loosely is compared."""


class Rank(IntEnum):
    """How exactly a name fits a photograph; a lower number is more exact."""

    FILE = 0
    """The file's own name, ending included."""

    PATH = 1
    """The name without its ending, or with folders in which the photograph does lie."""

    LOOSE = 2
    """Folders, ending, mark of an upload or form of a character differ."""


@dataclass(frozen=True)
class Claim:
    """A name of one source that may mean a photograph."""

    source: int
    name: str
    photograph: str
    rank: Rank


@dataclass
class Matched:
    """The names of one source.

    Args:
        photographs: The photograph of each name that has one.
        rivals: Names that have none because another name comes down to the same photograph, with that photograph.
    """

    photographs: dict[str, str] = field(default_factory=dict)
    rivals: dict[str, str] = field(default_factory=dict)


class Names:
    """The photographs of a data set, as files may name them.

    Args:
        images: The photographs by name.
    """

    def __init__(self, images: Mapping[str, Path]) -> None:
        self._images = images

    def match(self, sources: Sequence[tuple[Path, Iterable[str]]]) -> list[Matched]:
        """The photographs that the names of several annotation files or folders mean.

        A name means the photograph whose file it is, beside the annotation file or below the image folder; else the
        only photograph that it fits when folders in front, the ending, the mark of an upload or the form of a letter
        are left aside. Of two names of one source for one photograph the more exact one has it; of two that are
        equally exact, neither. Names of two sources share a photograph unless they contradict each other.

        Args:
            sources: Each file or folder with the names in it.

        Returns:
            What was found, in the order of the sources.
        """
        claims: dict[str, list[Claim]] = {}
        for number, (path, names) in enumerate(sources):
            near = self._near(path)
            own = bool(near) and path.is_dir() and near[0] == self._within(path)
            for claim in self._claims(((number, name) for name in dict.fromkeys(names)), near, own=own):
                claims.setdefault(claim.photograph, []).append(claim)
        words = [split_word(path.stem) or split_word(path.parent.name) for path, _ in sources]
        matched = [Matched() for _ in sources]
        for photograph, every in claims.items():
            kept = _kept(every, words)
            for claim in every:
                target = matched[claim.source]
                (target.photographs if claim in kept else target.rivals)[claim.name] = photograph
        return matched

    def lines(self, lines: Iterable[str]) -> dict[str, str]:
        """The photographs that lines of lists mean, among which several may mean one in ways that agree."""
        every = list(dict.fromkeys(lines))
        claims: dict[str, list[Claim]] = {}
        for claim in self._claims(enumerate(every), (), own=False):
            claims.setdefault(claim.photograph, []).append(claim)
        words = [None] * len(every)
        return {one.name: photograph for photograph, said in claims.items() for one in _kept(said, words)}

    def respelled(self, name: str) -> str | None:
        """The only photograph of the same folder and name, in another form of its characters (as macOS writes them)."""
        return self._same.get(plain_form(name)) or None

    def _claims(self, names: Iterable[tuple[int, str]], near: Sequence[str], *, own: bool) -> Iterator[Claim]:
        for source, name in names:
            fit = self._fit(name, near, own)
            if fit is not None:
                yield Claim(source, name, *fit)

    def _fit(self, line: str, near: Sequence[str], own: bool) -> tuple[str, Rank] | None:
        """The photograph that a name fits best, and how well; None where it fits none, or two alike."""
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
        """Photographs whose whole path ends with a name that says more folders than the data set's name."""
        for tail in ends_of(stem, 1):
            if tail in self._images and self._images[tail].with_suffix("").as_posix().endswith(f"/{stem}"):
                yield tail

    def _loosely(self, stem: str) -> str | None:
        """The only photograph that a name fits without folders, then in another form, then without marks."""
        tails = list(ends_of(stem))
        ways: tuple[Callable[[str], str | None], ...] = (self._itself, self._ends.get, self._formed, self._marks)
        return next((name for find in ways for tail in tails if (name := find(tail))), None)

    def _itself(self, tail: str) -> str | None:
        return tail if tail in self._images else None

    def _formed(self, tail: str) -> str | None:
        return self._plain.get(plain_form(tail))

    def _marks(self, tail: str) -> str | None:
        """The photograph of a name with the mark of an upload, or without that of the photograph."""
        name = self._unmarked.get(without_marks(tail))
        return name if name and (is_marked(tail) or is_marked(name)) else None

    def _near(self, source: Path) -> list[str]:
        """Folders of photographs to which an annotation file belongs: its own, and those that its name tells."""
        words = re.split(r"[^0-9A-Za-z]+", source.stem)
        named = [folder for folder in self._folders if PurePosixPath(folder).name in words]
        return [folder for folder in dict.fromkeys((self._within(source), *named)) if folder]

    def _within(self, source: Path) -> str:
        """The folder of an annotation file below the image folder; for ``labels/`` it is ``images/``, as with YOLO."""
        beside = source if source.is_dir() else source.parent
        folder = "/".join(beside.relative_to(self._root).parts) if beside.is_relative_to(self._root) else ""
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
    """The photographs by every end of their names; an end of several photographs stands for none (an empty text)."""
    found: dict[str, str] = {}
    for name in images:
        for tail in map(fold, ends_of(name, start)):
            found[tail] = "" if found.get(tail, name) != name else name
    return found


def _kept(every: Sequence[Claim], words: Sequence[str | None]) -> set[Claim]:
    """The names that have a photograph, of which these are all claims; ``words`` are the splits of the sources."""
    best: dict[int, list[Claim]] = {}
    for claim in every:
        held = best.get(claim.source)
        if held is None or claim.rank < held[0].rank:
            best[claim.source] = [claim]
        elif claim.rank == held[0].rank:
            held.append(claim)
    alone = (claims[0] for claims in best.values() if len(claims) == 1)
    return {claim for claim in alone if claim.rank < Rank.LOOSE or not _contradicted(claim, every, words)}


def _contradicted(claim: Claim, every: Sequence[Claim], words: Sequence[str | None]) -> bool:
    """Whether a name of another source says that this one is of another picture; so many names never agree."""
    abroad = list(islice((one for one in every if one.source != claim.source), MOST_CLAIMS + 1))
    if len(abroad) > MOST_CLAIMS:
        return True
    splits = {word for one in abroad if (word := words[one.source])} - {words[claim.source]}
    return bool(words[claim.source] and splits) or not all(agree(claim.name, one.name) for one in abroad)
