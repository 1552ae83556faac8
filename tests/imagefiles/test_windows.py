"""Photographs of 16 bits: all their bits are read, through one window for a whole data set."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import Image

from underpaint.core.errors import DataError
from underpaint.imagefiles.images import read_rgb
from underpaint.imagefiles.photograph import read_deep
from underpaint.imagefiles.survey import survey
from underpaint.imagefiles.window import checked, outside, through, window_of

Deep = NDArray[np.uint16]
RGB, GREY, GREY_ALPHA, RGBA = 2, 0, 4, 6
"""Colour types of PNG."""


def png(path: Path, values: Deep, colour: int, *chunks: bytes) -> None:
    """A PNG of 16 bits, which Pillow cannot write in colour."""
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    head = b"IHDR" + struct.pack(">IIBBBBB", values.shape[1], values.shape[0], 16, colour, 0, 0, 0)
    parts = (head, *chunks, b"IDAT" + zlib.compress(rows), b"IEND")
    packed = [struct.pack(">I", len(part) - 4) + part + struct.pack(">I", zlib.crc32(part)) for part in parts]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(packed))


def noise(*shape: int, top: int = 65536) -> Deep:
    return np.random.default_rng(3).integers(0, top, shape).astype(np.uint16)


WAYS: dict[str, tuple[tuple[int, ...], Callable[[Path, Deep], object]]] = {
    "grey.png": ((6, 4), lambda path, values: png(path, values, GREY)),
    "rgb.png": ((6, 4, 3), lambda path, values: png(path, values, RGB)),
    "rgba.png": ((6, 4, 4), lambda path, values: png(path, values, RGBA)),
    "grey.tif": ((6, 4), lambda path, values: tifffile.imwrite(path, values)),
    "grey-big.tif": ((6, 4), lambda path, values: tifffile.imwrite(path, values, byteorder=">")),
    "rgb.tif": ((6, 4, 3), lambda path, values: tifffile.imwrite(path, values, photometric="rgb")),
    "rgb-big.tif": ((6, 4, 3), lambda path, values: tifffile.imwrite(path, values, photometric="rgb", byteorder=">")),
    "rgb-deflate.tif": (
        (6, 4, 3),
        lambda path, values: tifffile.imwrite(path, values, photometric="rgb", compression="deflate", predictor=True),
    ),
    "rgba.tif": (
        (6, 4, 4),
        lambda path, values: tifffile.imwrite(path, values, photometric="rgb", extrasamples=["unassalpha"]),
    ),
}


@pytest.mark.parametrize("name", WAYS)
def test_all_bits_of_every_format_are_read(tmp_path: Path, name: str) -> None:
    shape, write = WAYS[name]
    values = noise(*shape)
    write(tmp_path / name, values)
    read = read_deep(tmp_path / name)
    assert read is not None
    colours = values if values.ndim == 2 else values[..., :3]
    np.testing.assert_array_equal(read, colours)
    window = (1000, 31_000)
    seen = read_rgb(tmp_path / name, window=window)
    for row in range(6):
        for column in range(4):
            for channel in range(3):
                value = int(colours[row, column] if values.ndim == 2 else colours[row, column, channel])
                expected = min(max(round((value - 1000) / 30_000 * 255), 0), 255)
                assert abs(int(seen[row, column, channel]) - expected) <= (value % 2), "a half may go either way"


@pytest.mark.parametrize("top", [1024, 4096, 16_384])
def test_a_camera_of_few_bits_keeps_its_levels(tmp_path: Path, top: int) -> None:
    Image.fromarray(noise(40, 60, top=top)).save(tmp_path / "a.tif")
    windows = survey({"a": tmp_path / "a.tif"}).rule.windows
    assert windows is not None
    (window,) = windows
    seen = read_rgb(tmp_path / "a.tif", window=window)
    assert seen.min() == 0
    assert seen.max() == 255
    assert len(np.unique(seen)) > 240


def test_one_window_is_shared_and_counts_every_value_once() -> None:
    # 1000 values: 0 .. 994 and five of 60,000, in two photographs. Five in a thousand lie above the upper end.
    first = np.arange(400, dtype=np.uint16)[None]
    second = np.append(np.arange(400, 995), [60_000] * 5).astype(np.uint16)[None]
    assert window_of([first, second]) == (4, 994)
    assert window_of([]) is None
    assert window_of([np.full((2, 2), 7, np.uint16)]) == (7, 8)
    assert window_of([np.full((2, 2), -1000, np.int16)]) == (-1000, -999)


def test_what_lies_outside_is_black_or_white_and_counted() -> None:
    values = np.array([[0, 99, 100, 150, 200, 201, 65_535]], np.uint16)
    assert through(values, (100, 200)).tolist() == [[0, 0, 0, 128, 255, 255, 255]]
    assert outside(values, (100, 200)) == 4 / 7


@pytest.mark.parametrize("window", [(5, 5), (9, 3), (0, float("inf")), (float("nan"), 1)])
def test_a_window_out_of_order_or_range_is_refused(window: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="in order"):
        checked(window)


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P", "1", "CMYK"])
def test_photographs_of_8_bits_do_not_feel_it(tmp_path: Path, mode: str) -> None:
    picture = Image.fromarray(noise(9, 7, 3, top=256).astype(np.uint8)).convert(mode)
    path = tmp_path / ("a.tif" if mode == "CMYK" else "a.png")
    picture.save(path)
    assert read_deep(path) is None
    expected = np.array(picture.convert("RGB"))
    for window in (None, (10, 20)):
        np.testing.assert_array_equal(read_rgb(path, window=window), expected)


def test_a_bitmap_of_16_bits_for_all_three_colours_is_no_deep_photograph(tmp_path: Path) -> None:
    # 2 x 1 pixels, 5 bits red, 6 green, 5 blue: pure red and pure blue.
    masks = struct.pack("<III", 0xF800, 0x07E0, 0x001F)
    pixels = struct.pack("<HH", 0xF800, 0x001F)
    info = struct.pack("<IiiHHIIiiII", 40, 2, 1, 1, 16, 3, len(pixels), 0, 0, 0, 0) + masks
    head = b"BM" + struct.pack("<IHHI", 14 + len(info) + len(pixels), 0, 0, 14 + len(info))
    (tmp_path / "a.bmp").write_bytes(head + info + pixels)
    assert read_deep(tmp_path / "a.bmp") is None
    assert read_rgb(tmp_path / "a.bmp").tolist() == [[[255, 0, 0], [0, 0, 255]]]


def test_a_turned_photograph_of_16_bits_is_upright(tmp_path: Path) -> None:
    values = noise(6, 4, 3)
    exif = b"eXIf" + b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"  # orientation 6
    png(tmp_path / "a.png", values, RGB, exif)
    expected = np.rot90(through(values, (0, 65_535)), k=-1)
    np.testing.assert_array_equal(read_rgb(tmp_path / "a.png", window=(0, 65_535)), expected)


def test_16_bits_that_cannot_be_had_are_refused_with_the_remedy(tmp_path: Path) -> None:
    png(tmp_path / "a.png", noise(6, 4, 2), GREY_ALPHA)
    with pytest.raises(DataError, match=r"stored as LA[\s\S]*fix: save it as RGB with 8 or 16 bits"):
        read_rgb(tmp_path / "a.png")
