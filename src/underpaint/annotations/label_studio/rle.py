"""The brush strokes of Label Studio: a stream of bits that holds an RGBA image as run lengths.

The stream has the most significant bit first. Its header has 32 bits with the number of values (4 x pixels), 5 bits
with the number of bits per value minus 1 (always 8 bits per value here), and four fields of 4 bits, each with a number
of bits per run length minus 1. Packets follow. In a packet, 1 bit tells whether one value is repeated, 2 bits select
one of the four numbers of bits, then the length minus 1 follows, then one value, or as many values as the length. The
values are red, green, blue and alpha of every pixel, row by row (the format is rle-pack of thi.ng/umbrella;
https://labelstud.io/tags/brushlabels). A pixel is painted if its alpha is not 0.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from underpaint.core.errors import FormatError
from underpaint.imagefiles.decode import MAX_PIXELS

LENGTH_BITS = (3, 4, 8, 16)
"""The bits of a run length, by the choice of the packet, in files that Label Studio and underpaint write."""

CHANNELS = 4
VALUE_BITS = 8
HEADER_BITS = 32 + 5 + 4 * 4
PAINTED = 255


def decode_brush(stream: bytes, size: tuple[int, int], where: object) -> NDArray[np.int64]:
    """The painted pixels of a brush stream as alternating runs outside and inside, row by row, outside first.

    Time and memory grow with the size of the stream, not with the number of pixels that it states.

    Args:
        stream: The bytes of ``rle``.
        size: (H, W) of the image.
        where: The file and the result, for messages.

    Raises:
        FormatError: The stream is too short or too long, its values do not have 8 bits, or their number does not fit
            the size of the image.
    """
    pixels = size[0] * size[1]
    header = int.from_bytes(stream[:7].ljust(7, b"\0")) >> (56 - HEADER_BITS)
    count, value_bits = header >> 21, (header >> 16 & 31) + 1
    if pixels > MAX_PIXELS or count != pixels * CHANNELS or len(stream) * 8 < HEADER_BITS:
        what = f"a brush of {count} values ({len(stream)} bytes) on an image of {size[1]} x {size[0]} pixels"
        raise FormatError(what, where=where, accepted=f"4 values a pixel, at most {MAX_PIXELS} pixels")
    if value_bits != VALUE_BITS:
        raise FormatError(f"a brush with {value_bits} bits a value", where=where, accepted=VALUE_BITS)
    bits = tuple((header >> shift & 15) + 1 for shift in (12, 8, 4, 0))
    values, ends = _packets(stream, bits, count, where)
    return _painted_runs(np.frombuffer(values, np.uint8) > 0, np.frombuffer(ends, np.uint32).astype(np.int64))


def _packets(stream: bytes, length_bits: Sequence[int], count: int, where: object) -> tuple[bytearray, array[int]]:
    """The value of each packet, and the number of values up to its end.

    Values that are not repeated count as packets of one.
    """
    values, ends = bytearray(), array("I")
    padded, stop = stream + bytes(8), 8 * len(stream)
    done, at = 0, HEADER_BITS
    while done < count:
        # 5 bytes from the bit `at` on hold the packet's head: 1 + 2 + 16 bits, and 8 of a value.
        window = int.from_bytes(padded[at >> 3 : (at >> 3) + 5]) << (at & 7) & 0xFF_FFFF_FFFF
        bits = length_bits[window >> 37 & 3]
        length = (window >> (37 - bits) & (1 << bits) - 1) + 1
        at += 3 + bits
        repeated = window >> 39
        read = at + VALUE_BITS * (1 if repeated else length)
        if read > stop or done + length > count:
            what = f"a brush of {count} values has a packet of {length} at value {done}, bit {at} of {stop}"
            raise FormatError(what, where=where, fix="export the annotations again: the list of numbers is damaged")
        if repeated:
            values.append(window >> (29 - bits) & 255)
            ends.append(done + length)
        else:
            values += _literal(padded, at, length)
            ends.extend(range(done + 1, done + length + 1))
        done, at = done + length, read
    return values, ends


def _literal(padded: bytes, at: int, length: int) -> bytes:
    """``length`` values of 8 bits, from the bit ``at`` on."""
    chunk = padded[at >> 3 : (at >> 3) + length + 1]
    shifted = int.from_bytes(chunk) << (at & 7) & (1 << 8 * len(chunk)) - 1
    return shifted.to_bytes(len(chunk))[:length]


def _painted_runs(painted: NDArray[np.bool_], ends: NDArray[np.int64]) -> NDArray[np.int64]:
    """The runs of pixels from packets of values. The alpha of pixel k is the value 4 k + 3."""
    stops = ends // CHANNELS  # pixels whose alpha lies before the packet's end
    full = np.diff(stops, prepend=0) > 0
    painted, stops = painted[full], stops[full]
    change = np.append(painted[1:] != painted[:-1], True)
    edges = np.concatenate([[0, 0] if painted[0] else [0], stops[change]])
    return np.diff(edges)


def encode_brush(runs: Sequence[int], size: tuple[int, int]) -> list[int]:
    """The brush stream of an image (H, W) whose pixels are ``runs``: painted opaque white, the rest empty.

    The numbers equal those of Label Studio's own converter, except that the converter adds one empty byte where the
    bits end at a whole byte.
    """
    bits = [f"{size[0] * size[1] * CHANNELS:032b}{VALUE_BITS - 1:05b}", *(f"{n - 1:04b}" for n in LENGTH_BITS)]
    for number, run in enumerate(runs):
        left = run * CHANNELS
        value = PAINTED if number % 2 else 0
        while left > 0:
            length = min(left, 1 << LENGTH_BITS[-1])
            choice = next(i for i, n in enumerate(LENGTH_BITS) if length <= 1 << n)
            bits.append(f"1{choice:02b}{length - 1:0{LENGTH_BITS[choice]}b}{value:08b}")
            left -= length
    text = "".join(bits)
    size_bytes = -(-len(text) // 8)
    return list(int(text.ljust(8 * size_bytes, "0"), 2).to_bytes(size_bytes))
