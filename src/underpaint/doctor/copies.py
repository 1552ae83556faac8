"""Photographs that are there more than once: byte for byte, pixel for pixel, and nearly."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from underpaint.core.parallel import stream
from underpaint.datasets.folder import DataFolder
from underpaint.doctor.findings import Finding, Group, Level
from underpaint.doctor.look import CHUNK, Seen, pixel_digest
from underpaint.doctor.signature import nearest

MANY = 200
"""Photographs from which on starting processes, 0.5 s each, pays."""


@dataclass
class Copies:
    """What is kept of each photograph to find its copies: 16 + 32 bytes, its size and its name.

    Args:
        parts: The split that each photograph counts for; see `Chosen`.
    """

    parts: Mapping[str, str]
    first: dict[bytes, str] = field(default_factory=dict)
    names: list[str] = field(default_factory=list)
    signatures: list[bytes] = field(default_factory=list)
    sizes: list[tuple[int, int]] = field(default_factory=list)
    within: dict[str, Group] = field(default_factory=dict)
    across: dict[str, Group] = field(default_factory=dict)

    def add(self, seen: Seen) -> None:
        """Take in one that could be read."""
        if seen.fault is not None or seen.size is None:
            return
        twin = self.first.setdefault(seen.digest, seen.name)
        if twin != seen.name:
            self._pair("bytes", twin, seen.name)
        elif seen.signature is not None:  # a flat picture looks like every other flat one
            self.names.append(seen.name)
            self.signatures.append(seen.signature)
            self.sizes.append(seen.size)

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
        """Search for copies that differ in their bytes; those of one size are decoded again, and compared by pixels."""
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
        asked = sorted({i for pair in pairs if self.sizes[pair[0]] == self.sizes[pair[1]] for i in pair})
        paths = [data.images[self.names[i]] for i in asked]
        few = workers if len(paths) > MANY else 1
        digests = stream(pixel_digest, paths, workers=few, lost=_nothing, chunk=CHUNK, threads=1)
        return dict(zip(asked, digests, strict=True))

    def findings(self) -> list[Finding]:
        """Copies within a split waste work; copies across splits make scores look better than they are."""
        fix_across = "keep each scene in one split: remove the copies from the list that is scored on"
        fix_within = "remove the copies: a training would see these photographs more often than others"
        findings: list[Finding] = []
        for kind, (what, cause) in _SPOKEN.items():
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


_SPOKEN = {
    "bytes": ("are copies of another file, byte for byte", "the folder was filled twice"),
    "pixels": ("have exactly the pixels of another", "saved again in another format, or without the camera's notes"),
    "near": (
        "look nearly the same as another",
        "resized or compressed again, shots of a burst, frames of a video, or a fixed camera",
    ),
}
"""Of each kind of copy: what is said of it, and the usual cause."""


def _nothing(_: Path) -> bytes:
    return b""
