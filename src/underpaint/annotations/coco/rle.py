"""COCO's run lengths: column by column, zeros first, as numbers or as a string of 6-bit characters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from underpaint.core.errors import FormatError
from underpaint.hints.bitmap_runs import column_bitmap
from underpaint.hints.rasterise import Area, region_area, runs_of
from underpaint.hints.types import Bitmap, Region
from underpaint.imagefiles.decode import MAX_PIXELS

Runs = NDArray[np.int64]

MAX_CHARACTERS = 7
"""The limit of the characters of one number: each holds 5 bits, and `MAX_PIXELS` has 27 bits."""


def read_rle(name: str, size: tuple[int, int], counts: Any, where: str) -> Bitmap | None:
    """The bitmap of an RLE mask, cut to the smallest rectangle; None where it covers no pixel.

    Args:
        name: The class of the area.
        size: (H, W) of the whole mask.
        counts: A list of whole numbers, or COCO's string.
        where: The place, for messages.

    Raises:
        FormatError: the size is above `MAX_PIXELS`, or the runs do not sum to the pixels of that size. Nothing is
            allocated before both are checked.
    """
    height, width = size
    if not (height >= 1 and width >= 1 and height * width <= MAX_PIXELS):
        raise FormatError(f"a mask of {width} x {height} pixels", where=where, accepted=f"1 to {MAX_PIXELS} pixels")
    runs = runs_of_string(counts, where) if isinstance(counts, str) else _checked(counts, where)
    if len(runs) == 0 or runs.min() < 0 or runs.max() > height * width or int(runs.sum()) != height * width:
        what = f"the runs sum to {int(runs.sum())}, the mask has {height} x {width} pixels"
        raise FormatError(what, where=where, accepted="runs of 0 or more that sum to the pixels")
    return column_bitmap(name, runs, size, where)


def _checked(counts: Any, where: str) -> Runs:
    limit = 2 * MAX_PIXELS
    if not isinstance(counts, list) or not all(type(count) is int and 0 <= count <= limit for count in counts):
        raise FormatError(
            "the runs are not a list of whole numbers", where=where, accepted="[3, 2, 1, ...] or a string"
        )
    return np.array(counts, np.int64)


def runs_of_string(text: str, where: str) -> Runs:
    """The runs in a string of COCO, which stores numbers in characters of 5 bits.

    Each character is 48 plus 5 bits (the lowest bits come first), plus 32 if the number continues. The highest bit of
    the last character is the sign. From the fourth number on, the second number before it is added.

    Raises:
        FormatError: characters outside '0' to 'o', or a number without end or of more than `MAX_CHARACTERS`.
    """
    codes = np.frombuffer(text.encode("utf-8", "replace"), np.uint8).astype(np.int64) - 48
    ends = np.flatnonzero((codes & 32) == 0)
    starts = np.concatenate([[0], ends[:-1] + 1]).astype(np.int64)
    lengths = ends - starts + 1
    if len(codes) == 0 or codes.min() < 0 or codes.max() > 63 or len(ends) == 0 or ends[-1] != len(codes) - 1:
        raise FormatError(
            f"not a run-length string: {text[:40]!r}", where=where, accepted="COCO's characters '0' to 'o'"
        )
    if lengths.max() > MAX_CHARACTERS:
        raise FormatError("a run of the run-length string is too long", where=where, accepted=f"{MAX_PIXELS} pixels")
    place = np.arange(len(codes)) - np.repeat(starts, lengths)
    numbers = np.add.reduceat((codes & 31) << (5 * place), starts)
    numbers -= np.where(codes[ends] & 16, np.int64(1) << (5 * lengths), 0)
    numbers[1::2] = np.cumsum(numbers[1::2])
    numbers[2::2] = np.cumsum(numbers[2::2])
    return numbers


def string_of_runs(runs: Sequence[int]) -> str:
    """COCO's string of runs, the inverse of `runs_of_string`."""
    text = []
    for i, run in enumerate(runs):
        number = run - runs[i - 2] if i > 2 else run
        more = True
        while more:
            bits = number & 31
            number >>= 5
            more = number != (-1 if bits & 16 else 0)
            text.append(chr(48 + (bits | 32 if more else bits)))
    return "".join(text)


def rle_of(region: Region, size: tuple[int, int]) -> tuple[str, Area]:
    """COCO's string of a region in an image (H, W), and the region's pixels as (H, W) bool."""
    whole = np.zeros(size, bool)
    window, inside = region_area(region, size)
    whole[window] = inside
    return string_of_runs(runs_of(whole.T.ravel()).tolist()), whole
