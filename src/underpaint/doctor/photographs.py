"""Findings on the photographs as files: unreadable, oversized, turned, converted, tiny."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from underpaint.annotations.registry import FORMATS
from underpaint.core.errors import printable
from underpaint.core.paths import real
from underpaint.datasets.folder import DataFolder
from underpaint.doctor.findings import Finding, Group, Level
from underpaint.doctor.look import Fault, Seen
from underpaint.imagefiles.decode import MAX_PIXELS
from underpaint.imagefiles.images import SUFFIXES
from underpaint.imagefiles.walk import folders_below

NARROW = 0.25
"""Share of 65535 below which the largest value of a photograph of 16 bits is far below it: 14 bits or fewer."""

NAMED = 1000
"""Photographs that cannot be read are each named, up to so many of a kind."""

TINY = 32
"""Pixels of a side: the encoder's deepest features have one cell for so many."""


@dataclass
class Photographs:
    """Counts of what was seen, image by image.

    Args:
        sizes: (H, W) of each that can be used, by how many have it.
        usable: Names of the training split that can be used.
        unreadable: Photographs that cannot be used, by the reason, in which numbers are left out.
        remedies: What to do, by the same reasons.
        brightest: The largest value of the photographs in ``narrow``.
    """

    sizes: Counter[tuple[int, int]] = field(default_factory=Counter)
    usable: int = 0
    unreadable: dict[str, Group] = field(default_factory=dict)
    remedies: dict[str, str] = field(default_factory=dict)
    oversized: Group = field(default_factory=lambda: Group(most=NAMED))
    narrow: Group = field(default_factory=Group)
    brightest: int = 0
    turned: Group = field(default_factory=Group)
    tiny: Group = field(default_factory=Group)
    converted: dict[str, Group] = field(default_factory=dict)

    def add(self, seen: Seen, *, trained: bool) -> None:
        """Take one in; ``trained`` where it is of the split that is learned from."""
        if seen.fault is Fault.OVERSIZED:
            self.oversized.add(seen.name, seen.detail)
            return
        if seen.fault is not None:
            reason = re.sub(r"\d+", "#", seen.detail)  # "truncated, 3 bytes left" is one reason for any number
            self.unreadable.setdefault(reason, Group(most=NAMED)).add(seen.name, seen.detail)
            self.remedies.setdefault(reason, seen.fix)
            return
        assert seen.size is not None  # of every photograph without a fault
        self.sizes[seen.size] += 1
        self.usable += trained
        if seen.turned:
            self.turned.add(seen.name)
        if min(seen.size) < TINY:
            self.tiny.add(seen.name)
        if seen.largest is not None and seen.largest < NARROW * 65535:
            self.narrow.add(seen.name)
            self.brightest = max(self.brightest, seen.largest)
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
            *(finding for reason in sorted(self.unreadable) for finding in self._unread(reason)),
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
                cause="alpha is dropped, 16 bits are read with one window of values, of several pictures the first "
                "is taken",
            ),
            *self.narrow.finding(
                "image-narrow",
                Level.WARNS,
                f"{{n}} photographs of 16 bits use a small part of their range: no value is above {self.brightest} of "
                "65535",
                cause="a camera or microscope of 10 to 14 bits; a training sees the part that is used, by percentiles "
                "over all its photographs",
                fix="none needed; to choose the part yourself: train with --set images.window=[LOW,HIGH]",
            ),
            *self.tiny.finding(
                "image-tiny",
                Level.WARNS,
                f"{{n}} photographs have a side below {TINY} pixels",
                cause="thumbnails or icons among the photographs",
                fix="remove them: the network's deepest features are one cell for 32 pixels",
            ),
        ]

    def _unread(self, reason: str) -> list[Finding]:
        group = self.unreadable[reason]
        what = "{n} photographs cannot be read and would be left out: " + printable(group.detail)
        return group.finding("image-unreadable", Level.WARNS, what, fix=printable(self.remedies[reason]))

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


def other_files(data: DataFolder, read: Iterable[tuple[str, str]]) -> list[Finding]:
    """Files among the photographs that are passed over for their ending, but for those that hold the annotations.

    Args:
        data: The data set.
        read: Each file or folder of annotations with the title of its format.
    """
    name, path = next(iter(data.images.items()))
    folder = path.parents[name.count("/")]
    sources = [(real(Path(source)), _endings(title)) for source, title in read]
    group, endings = Group(), Counter[str]()
    for below, found in folders_below(folder, into=()):
        for ending, names in found.files.items():
            passed = [name for name in names if not _is_read(folder / below / name, sources)]
            if ending not in SUFFIXES and passed:
                for name in passed:
                    group.add(below + name)
                endings[printable(ending[:12]) or "no ending"] += len(passed)
    seen = ", ".join(f"{count} {ending}" for ending, count in endings.most_common(5))
    return group.finding(
        "image-other-files",
        Level.NOTES,
        f"{{n}} files among the photographs are passed over ({seen})",
        cause=f"their ending is none of {', '.join(sorted(SUFFIXES))}",
        fix="convert them if they are photographs (JPEG, or PNG without loss)",
    )


LISTS = frozenset({"classes.txt", "data.yaml"})
"""Names of files that are read beside annotations."""


def _endings(title: str) -> frozenset[str]:
    """Endings of the files of a format, as its layout names them."""
    layout = next(form.layout for form in FORMATS if form.title == title)
    return frozenset(word for word in layout.split() if word.startswith("."))


def _is_read(file: Path, sources: Sequence[tuple[Path, Collection[str]]]) -> bool:
    place, ending = real(file), file.suffix.lower()
    within = (place == source or (ending in endings and place.is_relative_to(source)) for source, endings in sources)
    return file.name in LISTS or any(within)


def own_folders(data: DataFolder) -> list[Finding]:
    """Folders among the photographs that underpaint made, and that are passed over."""
    name, path = next(iter(data.images.items()))
    folder, group = path.parents[name.count("/")], Group()
    for below, found in folders_below(folder, into=()):
        for name, holds in found.own.items():
            group.add(f"{below}{name} ({holds})")
    return group.finding(
        "own-folders",
        Level.NOTES,
        "{n} folders among the photographs were made by underpaint and are passed over",
        cause="a training, a prediction or a comparison wrote there",
        fix="none needed; give -o a folder outside of the data set, if you like",
    )
