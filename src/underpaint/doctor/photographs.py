"""Findings on the photographs as files: unreadable, oversized, turned, converted, tiny."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from statistics import median

from underpaint.core.printable import printable
from underpaint.doctor.findings import Finding, Group, Level
from underpaint.doctor.look import Fault, Seen
from underpaint.formats.decode import MAX_PIXELS
from underpaint.formats.folder import DataFolder
from underpaint.formats.images import FORMATS, SUFFIXES

TINY = 32
"""Pixels of a side: the encoder's deepest features have one cell for so many."""


@dataclass
class Photographs:
    """Counts of what was seen, image by image.

    Args:
        sizes: (H, W) of each that can be used, by how many have it.
        usable: Names of the training split that can be used.
    """

    sizes: Counter[tuple[int, int]] = field(default_factory=Counter)
    usable: int = 0
    unreadable: Group = field(default_factory=Group)
    oversized: Group = field(default_factory=Group)
    turned: Group = field(default_factory=Group)
    tiny: Group = field(default_factory=Group)
    converted: dict[str, Group] = field(default_factory=dict)

    def add(self, seen: Seen, *, trained: bool) -> None:
        """Take one in; ``trained`` where it is of the split that is learned from."""
        if seen.fault is not None:
            group = self.oversized if seen.fault is Fault.OVERSIZED else self.unreadable
            group.add(seen.name, seen.detail)
            return
        assert seen.size is not None  # of every photograph without a fault
        self.sizes[seen.size] += 1
        self.usable += trained
        if seen.turned:
            self.turned.add(seen.name)
        if min(seen.size) < TINY:
            self.tiny.add(seen.name)
        if seen.stored:
            self.converted.setdefault(seen.stored, Group()).add(seen.name)

    def findings(self) -> list[Finding]:
        """What is to be said of them."""
        kinds = "; ".join(f"{group.count} {kind}" for kind, group in sorted(self.converted.items()))
        every = Group(
            sum(group.count for group in self.converted.values()),
            [name for group in self.converted.values() for name in group.names[:2]],
        )
        return [
            *self.unreadable.finding(
                "image-unreadable",
                Level.WARNS,
                "{n} photographs cannot be decoded and would be left out",
                cause=f"cut off in a copy, or no image at all; the first: {printable(self.unreadable.detail)}",
                fix=f"copy them again, or remove them; read are {', '.join(FORMATS)}",
            ),
            *self.oversized.finding(
                "image-oversized",
                Level.WARNS,
                f"{{n}} photographs have more than {MAX_PIXELS // 10**6} million pixels and would be left out",
                cause=f"a scan, a map or a slide, or a header that lies; the first: {printable(self.oversized.detail)}",
                fix="cut them into tiles",
            ),
            *self.turned.finding(
                "image-turned",
                Level.NOTES,
                "{n} photographs carry an EXIF rotation; they are turned upright on reading",
                cause="the camera was held sideways",
                fix="none needed, if hints and masks were drawn on the upright photograph; sizes that differ are named",
            ),
            *every.finding(
                "image-converted",
                Level.NOTES,
                f"{{n}} photographs are converted to 8-bit RGB on reading ({kinds})",
                cause="alpha is dropped, of 16 bits the upper 8 are kept, of several pictures the first",
            ),
            *self.tiny.finding(
                "image-tiny",
                Level.WARNS,
                f"{{n}} photographs have a side below {TINY} pixels",
                cause="thumbnails or icons among the photographs",
                fix="remove them: the network's deepest features are one cell for 32 pixels",
            ),
        ]

    def summary(self) -> dict[str, object]:
        """Sizes in words of numbers: the least, median and greatest number of pixels, and how many sizes there are."""
        pixels = sorted(h * w for (h, w), count in self.sizes.items() for _ in range(count))
        return {
            "sizes": len(self.sizes),
            "pixels": {"least": pixels[0], "median": int(median(pixels)), "most": pixels[-1]} if pixels else None,
        }

    @property
    def mean_pixels(self) -> float:
        """Of the photographs that can be used."""
        return sum(h * w * count for (h, w), count in self.sizes.items()) / max(self.sizes.total(), 1)


def other_files(data: DataFolder) -> list[Finding]:
    """Files among the photographs that are passed over for their ending."""
    name, path = next(iter(data.images.items()))
    folder = path.parents[name.count("/")]
    group, endings = Group(), Counter[str]()
    for file in folder.rglob("*"):
        if file.suffix.lower() not in SUFFIXES and not file.name.startswith(".") and file.is_file():
            group.add(file.relative_to(folder).as_posix())
            endings[printable(file.suffix.lower()[:12]) or "no ending"] += 1
    seen = ", ".join(f"{count} {ending}" for ending, count in endings.most_common(5))
    return group.finding(
        "image-other-files",
        Level.NOTES,
        f"{{n}} files among the photographs are passed over ({seen})",
        cause=f"their ending is none of {', '.join(sorted(SUFFIXES))}",
        fix="convert them if they are photographs (JPEG, or PNG without loss)",
    )
