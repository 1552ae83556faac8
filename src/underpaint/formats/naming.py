"""Which photograph an annotation means: files name it with other folders, or with none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path, PurePosixPath

from underpaint.formats.folder import resolve_name, spellings


class Names:
    """The photographs of a data set as one annotation file names them.

    Args:
        images: The photographs by name.
        source: The annotation file or folder.
    """

    def __init__(self, images: Mapping[str, Path], source: Path) -> None:
        self._images = images
        self._source = source

    def resolve(self, line: str) -> str:
        """The image that a name means, or the name itself where there is none.

        Tried in turn: the name as `read_split` understands it; the name below the folder in which the annotation file
        lies, or below a folder whose name is part of the file's (``train2017/`` for ``instances_train2017.json``); and
        the only photograph whose name ends with it.
        """
        name = resolve_name(line, self._images)
        if name in self._images:
            return name
        for spelling in spellings(line):
            for folder in self._near:
                if f"{folder}/{spelling}" in self._images:
                    return f"{folder}/{spelling}"
        ends = (self._tails.get(spelling) for spelling in spellings(line))
        return next((end for end in ends if end), line)

    @cached_property
    def _near(self) -> list[str]:
        """Folders of photographs to which the annotation file belongs."""
        folders = dict.fromkeys(name.rpartition("/")[0] for name in self._images if "/" in name)
        first = next(iter(self._images), "")
        root = self._images[first].parents[first.count("/")] if first else Path()
        beside = self._source if self._source.is_dir() else self._source.parent
        within = [beside.relative_to(root).as_posix()] if beside.is_relative_to(root) else []
        below = [f"{folder}/images" for folder in within]
        named = [folder for folder in folders if PurePosixPath(folder).name in self._source.stem]
        return [folder for folder in (*within, *below, *named) if folder in folders]

    @cached_property
    def _tails(self) -> Mapping[str, str]:
        """The photographs by every end of their names; an end of several photographs stands for none."""
        tails: dict[str, str] = {}
        for name in self._images:
            for tail in _ends(name):
                tails[tail] = "" if tail in tails else name
        return tails


def _ends(name: str) -> Iterator[str]:
    parts = name.split("/")
    return ("/".join(parts[start:]) for start in range(1, len(parts)))
