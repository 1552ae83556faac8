"""Finds copies of photographs: files with the same bytes, with the same pixels, and nearly equal photographs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from underpaint.core.parallel import stream
from underpaint.datasets.folder import DataFolder
from underpaint.doctor.findings import Finding, Group, Level
from underpaint.doctor.image import CHUNK, ExaminedImage, pixel_digest
from underpaint.doctor.signature import nearest

MANY = 200
"""With fewer photographs, no processes are started, because this takes 0.5 s for each."""


@dataclass
class Copies:
    """Finds copies by a digest (16 bytes) and a perceptual hash (32 bytes) of each photograph.

    Args:
        parts: The split of each photograph; see `Chosen`.
    """

    parts: Mapping[str, str]
    first: dict[bytes, str] = field(default_factory=dict)
    names: list[str] = field(default_factory=list)
    signatures: list[bytes] = field(default_factory=list)
    sizes: list[tuple[int, int]] = field(default_factory=list)
    within: dict[str, Group] = field(default_factory=dict)
    across: dict[str, Group] = field(default_factory=dict)

    def add(self, examined: ExaminedImage) -> None:
        """Add a photograph, unless it could not be read."""
        if examined.fault is not None or examined.size is None:
            return
        twin = self.first.setdefault(examined.digest, examined.name)
        if twin != examined.name:
            self._pair("bytes", twin, examined.name)
        elif examined.signature is not None:  # pictures of one colour would all be copies of each other
            self.names.append(examined.name)
            self.signatures.append(examined.signature)
            self.sizes.append(examined.size)

    def _apart(self, one: str, two: str) -> bool:
        a, b = self.parts.get(one), self.parts.get(two)
        return a is not None and b is not None and a != b

    def _pair(self, kind: str, one: str, two: str) -> None:
        if self._apart(one, two):
            text = f"{one} ({self.parts[one]}) = {two} ({self.parts[two]})"
            self.across.setdefault(kind, Group()).add(text)
        else:
            self.within.setdefault(kind, Group()).add(f"{one} = {two}")

    def compare(self, data: DataFolder, *, workers: int) -> None:
        """Search for copies with different bytes. Pairs of the same size are decoded again to compare their pixels."""
        if len(self.names) < 2:
            return
        index = {part: i for i, part in enumerate(dict.fromkeys(self.parts.values()))}
        parts = np.array([index.get(self.parts.get(name, ""), -1) for name in self.names], np.int64)
        words = np.frombuffer(b"".join(self.signatures), np.uint64).reshape(-1, 4)
        found = nearest(words, parts)
        pairs = {
            (min(i, j), max(i, j)) for near in (found.same, found.other) for i, j in enumerate(near.tolist()) if j >= 0
        }
        digests = self._pixels(pairs, data, workers)
        for i, j in sorted(pairs):
            equal = digests.get(i, b"") != b"" and digests.get(i) == digests.get(j)
            self._pair("pixels" if equal else "near", self.names[i], self.names[j])

    def _pixels(self, pairs: Iterable[tuple[int, int]], data: DataFolder, workers: int) -> dict[int, bytes]:
        wanted = sorted({i for pair in pairs if self.sizes[pair[0]] == self.sizes[pair[1]] for i in pair})
        paths = [data.images[self.names[i]] for i in wanted]
        processes = workers if len(paths) > MANY else 1
        digests = stream(pixel_digest, paths, workers=processes, lost=_no_digest, chunk=CHUNK, threads=1)
        return dict(zip(wanted, digests, strict=True))

    def findings(self) -> list[Finding]:
        """The findings: copies within a split waste work; copies in different splits make scores too high."""
        fix_across = "keep each scene in one split: remove the copies from the list that is used for scores"
        fix_within = "remove the copies: a training would use these photographs more often than others"
        findings: list[Finding] = []
        for kind, (what, cause) in _TEXTS.items():
            findings += self.across.get(kind, Group()).finding(
                f"leak-{kind}",
                Level.WARNS,
                f"{{n}} photographs of one split {what} in another split",
                cause=cause,
                fix=fix_across,
            )
            findings += self.within.get(kind, Group()).finding(
                f"image-copy-{kind}",
                Level.NOTES if kind == "near" else Level.WARNS,
                f"{{n}} photographs {what}",
                cause=cause,
                fix="none needed, if these scenes are meant to count several times" if kind == "near" else fix_within,
            )
        return findings


_TEXTS = {
    "bytes": ("are copies of another file, byte for byte", "the files were copied twice"),
    "pixels": ("have exactly the pixels of another", "they were saved in another format, or without metadata"),
    "near": (
        "are nearly equal to another",
        "they were resized or compressed again, or are shots of a burst, frames of a video, or of a fixed camera",
    ),
}
"""The description and the usual cause of each kind of copy."""


def _no_digest(_: Path) -> bytes:
    return b""
