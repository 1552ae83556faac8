"""Findings about the files of photographs: unreadable, oversized, rotated, converted and very small ones."""

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
from underpaint.datasets.sizes import median_side
from underpaint.doctor.findings import Finding, Group, Level
from underpaint.doctor.image import ExaminedImage, Fault
from underpaint.imagefiles.decode import MAX_PIXELS
from underpaint.imagefiles.images import SUFFIXES
from underpaint.imagefiles.walk import folders_below

NARROW = 0.25
"""A photograph of 16 bits whose largest value is below this fraction of 65535 uses only 14 bits or fewer."""

NAMED = 1000
"""Largest number of photographs of a kind that are named if they cannot be read."""

TINY = 32
"""Smallest usual side in pixels: a cell of the deepest features of the encoder has this size."""


@dataclass
class Photographs:
    """Counts of photographs.

    Args:
        sizes: The number of usable photographs by size (H, W).
        usable: The number of usable photographs in the training split.
        unreadable: Photographs that cannot be used, by reason. Numbers in the reasons are replaced.
        remedies: What the user can do, by the same reasons.
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

    def add(self, examined: ExaminedImage, *, trained: bool) -> None:
        """Add a photograph; ``trained`` tells whether it is in the training split."""
        if examined.fault is Fault.OVERSIZED:
            self.oversized.add(examined.name, examined.detail)
            return
        if examined.fault is not None:
            reason = re.sub(r"\d+", "#", examined.detail)  # "truncated, 3 bytes left" is one reason for any number
            self.unreadable.setdefault(reason, Group(most=NAMED)).add(examined.name, examined.detail)
            self.remedies.setdefault(reason, examined.fix)
            return
        assert examined.size is not None  # true for every photograph without a fault
        self.sizes[examined.size] += 1
        self.usable += trained
        if examined.turned:
            self.turned.add(examined.name)
        if min(examined.size) < TINY:
            self.tiny.add(examined.name)
        if examined.largest is not None and examined.largest < NARROW * 65535:
            self.narrow.add(examined.name)
            self.brightest = max(self.brightest, examined.largest)
        if examined.stored:
            self.converted.setdefault(examined.stored, Group()).add(examined.name)

    def findings(self) -> list[Finding]:
        """The findings about the photographs."""
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
                cause=f"scans, maps or slides, or wrong headers; the first: {printable(self.oversized.detail)}",
                fix="cut them into tiles",
            ),
            *self.turned.finding(
                "image-turned",
                Level.NOTES,
                "{n} photographs have an EXIF rotation; they are rotated upright when they are read",
                cause="the camera was held sideways",
                fix="none needed, if hints and masks were drawn on the upright photograph; otherwise the sizes differ, "
                "which is reported",
            ),
            *every.finding(
                "image-converted",
                Level.NOTES,
                f"{{n}} photographs are converted to 8-bit RGB when they are read ({kinds})",
                cause="alpha is ignored, 16 bits are reduced with one window of values, and only the first of several "
                "pictures is read",
            ),
            *self.narrow.finding(
                "image-narrow",
                Level.WARNS,
                f"{{n}} photographs of 16 bits use a small part of their range: no value is above {self.brightest} of "
                "65535",
                cause="a camera or microscope of 10 to 14 bits; a training uses the window between two percentiles "
                "over all its photographs",
                fix="none needed; to choose the part yourself: train with --set images.window=[LOW,HIGH]",
            ),
            *self.tiny.finding(
                "image-tiny",
                Level.WARNS,
                f"{{n}} photographs have a side below {TINY} pixels",
                cause="thumbnails or icons among the photographs",
                fix="remove them: a cell of the network's deepest features has 32 pixels",
            ),
        ]

    def _unread(self, reason: str) -> list[Finding]:
        group = self.unreadable[reason]
        what = "{n} photographs cannot be read and would be left out: " + printable(group.detail)
        return group.finding("image-unreadable", Level.WARNS, what, fix=printable(self.remedies[reason]))

    def summary(self) -> dict[str, object]:
        """The smallest, median and largest number of pixels, and the number of different sizes."""
        pixels = sorted(h * w for (h, w), count in self.sizes.items() for _ in range(count))
        return {
            "sizes": len(self.sizes),
            "pixels": {"least": pixels[0], "median": int(median(pixels)), "most": pixels[-1]} if pixels else None,
        }

    @property
    def mean_pixels(self) -> float:
        """The mean number of pixels of the usable photographs."""
        return sum(h * w * count for (h, w), count in self.sizes.items()) / max(self.sizes.total(), 1)

    @property
    def median_side(self) -> float:
        """The median longest side of the usable photographs."""
        return median_side(list(self.sizes.elements()))


def other_files(data: DataFolder, read: Iterable[tuple[str, str]]) -> list[Finding]:
    """The finding about files among the photographs that are skipped because of their ending, except annotations.

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
            skipped = [name for name in names if not _is_read(folder / below / name, sources)]
            if ending not in SUFFIXES and skipped:
                for name in skipped:
                    group.add(below + name)
                endings[printable(ending[:12]) or "no ending"] += len(skipped)
    counts = ", ".join(f"{count} {ending}" for ending, count in endings.most_common(5))
    return group.finding(
        "image-other-files",
        Level.NOTES,
        f"{{n}} files among the photographs are skipped ({counts})",
        cause=f"their ending is none of {', '.join(sorted(SUFFIXES))}",
        fix="convert them if they are photographs (JPEG, or PNG without loss)",
    )


LISTS = frozenset({"classes.txt", "data.yaml"})
"""Names of files that are read together with annotations."""


def _endings(title: str) -> frozenset[str]:
    """The endings of the files of a format, from its layout."""
    layout = next(form.layout for form in FORMATS if form.title == title)
    return frozenset(word for word in layout.split() if word.startswith("."))


def _is_read(file: Path, sources: Sequence[tuple[Path, Collection[str]]]) -> bool:
    place, ending = real(file), file.suffix.lower()
    within = (place == source or (ending in endings and place.is_relative_to(source)) for source, endings in sources)
    return file.name in LISTS or any(within)


def own_folders(data: DataFolder) -> list[Finding]:
    """The finding about folders among the photographs that underpaint made, which are skipped."""
    name, path = next(iter(data.images.items()))
    folder, group = path.parents[name.count("/")], Group()
    for below, found in folders_below(folder, into=()):
        for name, holds in found.own.items():
            group.add(f"{below}{name} ({holds})")
    return group.finding(
        "own-folders",
        Level.NOTES,
        "{n} folders among the photographs were made by underpaint and are skipped",
        cause="a training, a prediction or a comparison wrote there",
        fix="none needed; you can use -o with a folder outside of the data set",
    )
