"""A perceptual hash of photographs, and the search for photographs with similar hashes.

The hash is that of PDQ (Facebook 2019, "PDQ & TMK + PDQF"), which is a larger form of the DCT hash that Zauner measured
("Implementation and Benchmarking of Perceptual Image Hash Functions", 2010). The brightness is reduced to 64 x 64
means, and its two-dimensional cosine transform is computed. For each of the 16 x 16 lowest frequencies without the
constant ones, a bit tells whether it is above their median. The means are Pillow's and not PDQ's two passes of a box
filter, so the bits differ from those of PDQ.

Half of the 256 bits are 1, so two unrelated photographs differ in 128 of them on average. The standard deviation would
be 8 if the bits were independent; on all 2,064,885 pairs of voc_animals and MSRC-21 it is 8.3 with a mean of 128.0.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

SIDE = 64
"""Side of the square that is transformed, in pixels, as in PDQ."""

KEPT = 16
"""Number of frequencies per direction, as in PDQ: 256 bits."""

RADIUS = 48
"""Largest number of different bits of two copies, 9.6 standard deviations below that of unrelated photographs. The most
similar of 2,064,885 pairs of distinct photographs differ in 50 bits (two shots of one cow). Copies at half to double
size, or at JPEG quality 10 and above, differ in at most 40 bits; if 2 % of each side is cut off, in 34 (5 %: 80)."""

FLAT = 2.0
"""A picture with a smaller standard deviation in grey levels has no hash, because rounding would determine its bits."""

BLOCK = 64
"""Number of photographs that are compared with all others at a time: 64 x 20,000 words of 8 bytes are 10 MB."""

Words = npt.NDArray[np.uint64]
Numbers = npt.NDArray[np.int64]


def _cosines() -> npt.NDArray[np.float64]:
    """(KEPT, SIDE): rows 1 .. KEPT of the cosine transform (DCT-II). Its scale has no influence on the order."""
    phases = np.outer(np.arange(1, KEPT + 1), 2 * np.arange(SIDE) + 1) * (np.pi / (2 * SIDE))
    cosines: npt.NDArray[np.float64] = np.cos(phases, dtype=np.float64)
    return cosines


COSINES = _cosines()


def signature(grey: npt.NDArray[np.uint8]) -> bytes | None:
    """The 256 bits of a picture as 32 bytes; None if it has nearly one colour.

    Args:
        grey: (64, 64) means of the brightness of the upright picture.
    """
    values = grey.astype(np.float64)
    if values.std() < FLAT:
        return None
    low = COSINES @ values @ COSINES.T
    return np.packbits(low > np.median(low)).tobytes()


@dataclass(frozen=True)
class Nearest:
    """For each of n pictures, the most similar one in the same split and the most similar one in another split.

    Args:
        same: (n,) index of the most similar picture in the same split, -1 if there is none.
        other: (n,) index of the most similar picture in another split, -1 if there is none.
    """

    same: Numbers
    other: Numbers


def nearest(signatures: Words, parts: Numbers, *, radius: int = RADIUS) -> Nearest:
    """Compare every picture with every other, in blocks: n**2 / 2 comparisons, memory proportional to n.

    Args:
        signatures: (n, 4) the bits of each picture.
        parts: (n,) the number of the split of each picture. Pictures with a negative number are in no split, and all
            others count as pictures of the same split for them.
        radius: Largest number of different bits, 0 to 256.
    """
    count = len(signatures)
    none = np.iinfo(np.int64).max
    best = np.full((2, count), none)
    for first, second, bits in _near(signatures, radius):
        apart = ((parts[first] != parts[second]) & (parts[first] >= 0) & (parts[second] >= 0)).astype(np.intp)
        # The distance is in the upper bits and the index in the lower ones, so the minimum is the most similar picture.
        np.minimum.at(best, (apart, first), (bits << 32) + second)
        np.minimum.at(best, (apart, second), (bits << 32) + first)
    index = np.where(best == none, -1, best & 0xFFFFFFFF)
    return Nearest(index[0], index[1])


def _near(signatures: Words, radius: int) -> Iterator[tuple[Numbers, Numbers, Numbers]]:
    """Yield pairs within the radius, block by block: the indices, the smaller one first, and the different bits."""
    columns = np.ascontiguousarray(signatures.T)
    for start in range(0, len(signatures), BLOCK):
        rows = signatures[start : start + BLOCK]
        # Half of the bits exclude nearly all pairs, because their difference is never larger than that of all bits.
        half = _differing(rows[:, 0], columns[0, start:]) + _differing(rows[:, 1], columns[1, start:])
        row, column = np.nonzero(half <= radius)
        later = column > row
        first, second = row[later] + start, column[later] + start
        rest = np.bitwise_count(signatures[first, 2:] ^ signatures[second, 2:]).sum(axis=1, dtype=np.int64)
        bits = half[row[later], column[later]] + rest
        near = bits <= radius
        yield first[near].astype(np.int64), second[near].astype(np.int64), bits[near].astype(np.int64)


def _differing(rows: Words, columns: Words) -> npt.NDArray[np.uint8]:
    bits: npt.NDArray[np.uint8] = np.bitwise_count(rows[:, None] ^ columns[None, :])
    return bits
