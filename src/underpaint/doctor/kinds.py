"""Findings about images that are not photographs of 8 bits: their content, and how a training reads them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from underpaint.core.errors import ConfigError, printable
from underpaint.doctor.findings import Finding, Group, Level
from underpaint.doctor.image import DEEP, ExaminedImage
from underpaint.imagefiles.decode import MAX_PIXELS
from underpaint.imagefiles.series import series_in
from underpaint.imagefiles.survey import survey

SERIES = 8
"""Number of DICOM series that are described."""


@dataclass
class Kinds:
    """Counts of such images.

    Args:
        words: The number of images by a description of their content.
        every: All such images.
        large: Those that are only read by regions.
        sizes: (pixels, width, height) of the smallest and the largest.
    """

    words: Counter[str] = field(default_factory=Counter)
    every: Group = field(default_factory=Group)
    large: Group = field(default_factory=Group)
    sizes: list[tuple[int, int, int]] = field(default_factory=list)

    def add(self, examined: ExaminedImage) -> None:
        """Add an image."""
        holds = examined.holds or ("16 bits per channel" if examined.stored == DEEP else "")
        if examined.fault is not None or not holds:
            return
        self.words[holds] += 1
        self.every.add(examined.name)
        if examined.size is not None:
            height, width = examined.size
            every = sorted([*self.sizes, (height * width, width, height)])
            self.sizes = [every[0], every[-1]]
        if examined.size is not None and examined.size[0] * examined.size[1] > MAX_PIXELS:
            self.large.add(examined.name, f"{examined.size[1]} x {examined.size[0]} pixels")

    def findings(self, images: Mapping[str, Path], learned: Collection[str]) -> list[Finding]:
        """The findings, with the bands and windows that a training would use.

        Args:
            images: All images by name.
            learned: The names of the training images.
        """
        if not self.every.count:
            return []
        try:
            result = survey({name: images[name] for name in sorted(learned) if name in images})
        except ConfigError as error:
            return [Finding("image-bands", Level.BLOCKS, error.what, fix=error.fix or "")]
        kinds = "; ".join(f"{count} {words}" for words, count in self.words.most_common())
        sides = list(dict.fromkeys(f"{width} x {height}" for _, width, height in self.sizes))
        kinds += f"; {' to '.join(sides)} pixels" if sides else ""
        plan = result.notes() or ["they are read as colour images with 8 bits per channel, without a window"]
        return [
            *_of_series(images),
            *self.every.finding(
                "image-kinds",
                Level.NOTES,
                "{n} images are not photographs of 8 bits: " + printable(kinds),
                cause=printable("; ".join(plan)),
                fix="none needed; to choose: train with --set images.bands=[NAME,...] --set images.window=[LOW,HIGH]",
            ),
            *self.large.finding(
                "image-large",
                Level.NOTES,
                f"{{n}} images have more than {MAX_PIXELS // 10**6} million pixels and are read by regions",
                cause=f"a slide, a map or a scan; the first: {printable(self.large.detail)}",
                fix="train with a method of one stage (partial, gated-crf, dense-crf-loss, box-uncertainty)",
            ),
        ]


def _of_series(images: Mapping[str, Path]) -> list[Finding]:
    """The findings about DICOM series and missing slices."""
    slices, gaps = Group(), Group()
    words = []
    for one in series_in(images):
        for name in one.names:
            slices.add(name)
        step = "" if one.step is None else f" {one.step:.4g} mm apart"
        words.append(f"{one.title}: {len(one.names)} slice(s){step}, {one.names[0]} to {one.names[-1]}")
        for missing in one.missing:
            gaps.add(f"{one.title}: {missing}")
    more = f"; and {len(words) - SERIES} more" if len(words) > SERIES else ""
    return [
        *slices.finding(
            "image-series",
            Level.NOTES,
            f"{{n}} images are slices of {len(words)} DICOM series: " + printable("; ".join(words[:SERIES]) + more),
            cause="the slices of each series are in the order of the volume",
        ),
        *gaps.finding(
            "image-series-gaps",
            Level.WARNS,
            "slices are missing in {n} place(s) of DICOM series",
            cause="files are missing, or the distance of the slices changes on purpose",
            fix="copy the series again, if volumes are to be measured; masks of single slices do not need the others",
        ),
    ]
