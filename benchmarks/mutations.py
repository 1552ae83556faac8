"""Seeded damage to annotation files: what a slip, a broken download or an attacker may do to them."""

from __future__ import annotations

import base64
import binascii
import random
import re
import struct
import zlib
from collections.abc import Callable

TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|[-+.\w]+|[^\s\w]')
NUMBER = re.compile(rb"-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")
BASE64 = re.compile(rb"[A-Za-z0-9+/]{40,}={0,2}")

EXTREMES = (
    *b"0 -0 1 -1 2 0.5 -0.5 255 256 65535 65536 2147483647 2147483648 4294967295 4294967296".split(),
    *b"9223372036854775807 9223372036854775808 18446744073709551616 99999999999999999999999999".split(),
    *b"1e9 1e18 1e300 1e308 1e309 -1e309 1e-320 NaN Infinity -Infinity 0x10 1_000 1e 007".split(),
    *b'true false null [] {} [[]] [null] "" "x" "1"'.split(),
    b"9" * 4000,
    b"9" * 5000,
    b"1" + b"0" * 400,
    b"0." + b"3" * 2000,
)
"""Numbers at the limits of types and of parsers, and what may stand where a number is expected."""

WORDS = (
    b"../../etc/passwd", b"/etc/passwd", b"C:\\\\a", b"a\\u0000b", b"\\ud800", b"\xff\xfe", b"\x00", b"\x1b[2J",
    b"<img src=x onerror=alert(1)>", b"&lol;", b"=1+1", b"\xe2\x80\xae", b"\xef\xbb\xbf", b"", b" ", b"a" * 5000,
)  # fmt: skip
"""Texts that end strings early, leave folders, steer terminals, or are no UTF-8."""

DEPTHS = (3, 30, 900, 1100, 20_000)

SIDES = (0, 1, 2, 49, 65, 0x7FFF, 0xFFFF, 100_000, 0x7FFFFFFF, 0xFFFFFFFF)
"""Widths and heights in binary headers."""

Mutation = Callable[[bytes, random.Random], bytes]


def flip_bits(data: bytes, rng: random.Random) -> bytes:
    """Turn over 1 to 8 bits."""
    changed = bytearray(data)
    for _ in range(rng.randint(1, 8)):
        changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def truncate(data: bytes, rng: random.Random) -> bytes:
    """Leave off an end."""
    return data[: rng.randrange(len(data))]


def cut(data: bytes, rng: random.Random) -> bytes:
    """Take a piece out, or put it in twice or a hundred times."""
    start = rng.randrange(len(data))
    stop = min(len(data), start + rng.randint(1, 60))
    return data[:start] + data[start:stop] * rng.choice((0, 2, 2, 100)) + data[stop:]


def swap_tokens(data: bytes, rng: random.Random) -> bytes:
    """Exchange two tokens."""
    one, two = sorted(_pick(TOKEN, data, rng) for _ in range(2))
    if one[1] > two[0]:
        return data
    return data[: one[0]] + data[slice(*two)] + data[one[1] : two[0]] + data[slice(*one)] + data[two[1] :]


def copy_token(data: bytes, rng: random.Random) -> bytes:
    """Put one token in the place of another."""
    return _put(data, _pick(TOKEN, data, rng), data[slice(*_pick(TOKEN, data, rng))])


def extreme_number(data: bytes, rng: random.Random) -> bytes:
    """Put a number at the limits in the place of a number."""
    return _put(data, _pick(NUMBER, data, rng), rng.choice(EXTREMES))


def strange_text(data: bytes, rng: random.Random) -> bytes:
    """Put a hostile text into a token, or in its place."""
    start, stop = _pick(TOKEN, data, rng)
    inner = min(start + 1, stop)
    return _put(data, rng.choice(((inner, inner), (inner, max(inner, stop - 1)), (start, stop))), rng.choice(WORDS))


def nest(data: bytes, rng: random.Random) -> bytes:
    """Put brackets or elements in one another, as deep as parsers go and deeper."""
    depth = rng.choice(DEPTHS)
    opening, closing = rng.choice(((b"[", b"]"), (b'{"a":', b"}"), (b"<a>", b"</a>"), (b"(", b")")))
    span = _pick(TOKEN, data, rng)
    return _put(data, span, opening * depth + (data[slice(*span)] + closing * depth if rng.random() < 0.7 else b""))


def repeat_numbers(data: bytes, rng: random.Random) -> bytes:
    """Lengthen a list of numbers: a run of tokens between commas, many times."""
    start, stop = _pick(NUMBER, data, rng)
    return _put(data, (stop, stop), rng.choice((b",", b" ", b", ", b";")).join([b"", *[data[start:stop]] * 300]))


def edit_length(data: bytes, rng: random.Random) -> bytes:
    """Overwrite 1, 2 or 4 bytes as a binary length; in a PNG rather the sides, with a checksum that holds."""
    if data.startswith(b"\x89PNG") and len(data) > 33 and rng.random() < 0.7:
        header = bytearray(data[12:29])
        place = rng.choice((4, 8))
        header[place : place + 4] = struct.pack(">I", rng.choice(SIDES))
        if rng.random() < 0.3:
            header[12:14] = bytes((rng.choice((1, 2, 4, 8, 16)), rng.choice((0, 2, 3, 4, 6))))
        return data[:12] + bytes(header) + struct.pack(">I", zlib.crc32(header)) + data[33:]
    form = rng.choice(("B", ">H", "<H", ">I", "<I"))
    value = rng.choice(SIDES) & ((1 << 8 * struct.calcsize(form)) - 1)
    at = rng.randrange(len(data))
    return data[:at] + struct.pack(form, value) + data[at + struct.calcsize(form) :]


def inside_base64(data: bytes, rng: random.Random) -> bytes:
    """Damage what a long base64 text holds, and encode it again."""
    spans = [match.span() for match in BASE64.finditer(data)]
    if not spans:
        return extreme_number(data, rng)
    start, stop = rng.choice(spans)
    try:
        inner = base64.b64decode(data[start:stop])
    except binascii.Error:
        return data
    return _put(data, (start, stop), base64.b64encode(rng.choice((flip_bits, truncate, cut, edit_length))(inner, rng)))


MUTATIONS: tuple[Mutation, ...] = (
    flip_bits, truncate, cut, swap_tokens, copy_token, extreme_number, extreme_number, strange_text, nest,
    repeat_numbers, edit_length, inside_base64,
)  # fmt: skip


def mutate(data: bytes, rng: random.Random) -> bytes:
    """Damage a file in 1 to 3 ways, most often in one."""
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        if data:
            data = rng.choice(MUTATIONS)(data, rng)
    return data


def _pick(pattern: re.Pattern[bytes], data: bytes, rng: random.Random) -> tuple[int, int]:
    """The span of a match, searched from a random place on: quicker than listing all, and as good here."""
    match = pattern.search(data, rng.randrange(len(data))) or pattern.search(data)
    return match.span() if match else (0, 0)


def _put(data: bytes, span: tuple[int, int], text: bytes) -> bytes:
    return data[: span[0]] + text + data[span[1] :]
