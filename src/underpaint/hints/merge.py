"""Combines the hints of one image from several sources."""

from __future__ import annotations

from typing import TypeVar

from underpaint.core.errors import HintError
from underpaint.hints.check import check_hints
from underpaint.hints.types import Hints, Tags

T = TypeVar("T")


def merge_hints(first: Hints, second: Hints) -> Hints:
    """Combine the hints of two sources for one image: all shapes and tags, and the sum of the seconds.

    The regions of the second source are above those of the first.

    Raises:
        HintError: The images, sizes or masks differ, or a class is absent in one source and present in the other.
    """
    where = f"image {first.image!r}"
    if first.image != second.image:
        raise HintError(f"hints of two images: {first.image!r} and {second.image!r}", where="merge_hints")
    seconds = [one.seconds for one in (first, second) if one.seconds is not None]
    merged = Hints(
        image=first.image,
        size=_one_of("sizes", first.size, second.size, where),
        shapes=first.shapes + second.shapes,
        boxed=first.boxed | second.boxed,
        tags=_merge_tags(first.tags, second.tags),
        mask=_one_of("masks", first.mask, second.mask, where),
        numbering=first.numbering if first.mask is not None else second.numbering,
        strokes=first.strokes if first.mask is not None else second.strokes,
        source="; ".join(filter(None, dict.fromkeys(f"{first.source}; {second.source}".split("; ")))),
        seconds=sum(seconds) if seconds else None,
        unplaced=first.unplaced + second.unplaced,
    )
    check_hints(merged, None, f"{where}, {merged.source}")
    return merged


def _one_of(what: str, first: T | None, second: T | None, where: str) -> T | None:
    if first is not None and second is not None and first != second:
        raise HintError(f"two {what}: {first} and {second}", where=where, fix="leave one of the two sources out")
    return second if first is None else first


def _merge_tags(first: Tags | None, second: Tags | None) -> Tags | None:
    if first is None or second is None:
        return second if first is None else first
    return Tags(first.present | second.present, first.absent | second.absent)
