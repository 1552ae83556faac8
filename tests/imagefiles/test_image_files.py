"""Photographs: every orientation, colour type and fault."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from underpaint.core.errors import DataError
from underpaint.imagefiles.images import find_images, image_size, read_rgb

Rgb = npt.NDArray[np.uint8]

UPRIGHT = np.zeros((4, 6, 3), np.uint8)
UPRIGHT[0, :, 0] = 250  # the top row is red
UPRIGHT[:, 0, 1] = 250  # the left column is green

STORED = {
    # What a camera writes for each EXIF orientation, by the table of the EXIF standard: where row 0 and column 0 of the
    # stored picture lie in the upright one.
    1: UPRIGHT,
    2: UPRIGHT[:, ::-1],  # row 0 at the top, column 0 at the right
    3: UPRIGHT[::-1, ::-1],  # bottom, right
    4: UPRIGHT[::-1],  # bottom, left
    5: UPRIGHT.transpose(1, 0, 2),  # left, top
    6: UPRIGHT.transpose(1, 0, 2)[::-1],  # right, top
    7: UPRIGHT.transpose(1, 0, 2)[::-1, ::-1],  # right, bottom
    8: UPRIGHT.transpose(1, 0, 2)[:, ::-1],  # left, bottom
}


def save(path: Path, pixels: Rgb, orientation: int) -> Path:
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(np.ascontiguousarray(pixels)).save(path, exif=exif)
    return path


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["png", "tif", "webp"])
def test_every_orientation_gives_the_upright_picture(tmp_path: Path, orientation: int, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = Image.fromarray(np.ascontiguousarray(STORED[orientation]))
    stored.save(path, exif=exif, lossless=True)  # which WebP alone asks for
    np.testing.assert_array_equal(read_rgb(path), UPRIGHT)
    assert image_size(path) == (4, 6)


def test_orientation_of_a_jpeg(tmp_path: Path) -> None:
    big = np.zeros((64, 96, 3), np.uint8)
    big[:32] = 255  # white above, black below
    path = save(tmp_path / "a.jpg", big.transpose(1, 0, 2)[::-1], 6)
    rgb = read_rgb(path)
    assert rgb.shape == (64, 96, 3)
    assert image_size(path) == (64, 96)
    assert rgb[:24].min() > 200
    assert rgb[40:].max() < 50


def test_orientation_out_of_range_counts_as_upright(tmp_path: Path) -> None:
    path = save(tmp_path / "a.png", UPRIGHT, 77)
    np.testing.assert_array_equal(read_rgb(path), UPRIGHT)


def test_colour_types_become_rgb_by_rule(tmp_path: Path) -> None:
    grey = np.array([[0, 128, 255]], np.uint8)
    cases = {
        "grey.png": (Image.fromarray(grey), [[0] * 3, [128] * 3, [255] * 3]),
        "wide.png": (Image.fromarray(grey.astype(np.uint16) * 256 + 7), [[0] * 3, [128] * 3, [255] * 3]),
        "bits.png": (Image.fromarray(grey > 100), [[0] * 3, [255] * 3, [255] * 3]),
        "alpha.png": (Image.fromarray(np.array([[[9, 8, 7, 0]]], np.uint8)), [[9, 8, 7]]),
        "grey_alpha.png": (Image.fromarray(np.array([[[9, 0]]], np.uint8), "LA"), [[9, 9, 9]]),
    }
    palette = Image.fromarray(np.array([[1, 0]], np.uint8), "P")
    palette.putpalette([1, 2, 3, 4, 5, 6])
    cases["palette.png"] = (palette, [[4, 5, 6], [1, 2, 3]])
    for name, (image, expected) in cases.items():
        image.save(tmp_path / name)
        assert read_rgb(tmp_path / name)[0].tolist() == expected, name


def test_cmyk_is_converted(tmp_path: Path) -> None:
    Image.new("CMYK", (8, 8), (0, 255, 255, 0)).save(tmp_path / "a.jpg", quality=100)
    red, green, blue = read_rgb(tmp_path / "a.jpg")[4, 4]
    assert red > 200
    assert max(green, blue) < 60


def test_a_stack_is_no_image_by_itself(tmp_path: Path) -> None:
    pages = [Image.new("L", (4, 4)), Image.new("L", (4, 4))]
    pages[0].save(tmp_path / "b.tif", save_all=True, append_images=pages[1:])
    with pytest.raises(DataError, match="stack of 2 images"):
        read_rgb(tmp_path / "b.tif")


def png_header(width: int, height: int) -> bytes:
    body = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = b"IDAT" + zlib.compress(b"\0" * 1000)
    chunks = [struct.pack(">I", len(c) - 4) + c + struct.pack(">I", zlib.crc32(c)) for c in (body, data)]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def test_a_huge_image_is_refused_from_its_header(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(png_header(60_000, 60_000))
    with pytest.raises(DataError, match="more pixels than") as caught:
        read_rgb(path)
    assert str(path) in str(caught.value)
    path.write_bytes(png_header(10_001, 10_000))  # below Pillow's own bound
    with pytest.raises(DataError, match="10001 x 10000 pixels"):
        image_size(path)


def test_the_limit_can_be_set(tmp_path: Path) -> None:
    path = save(tmp_path / "a.png", UPRIGHT, 1)
    assert read_rgb(path, max_pixels=24).shape == (4, 6, 3)
    with pytest.raises(DataError, match="at most 23 pixels"):
        read_rgb(path, max_pixels=23)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.jpg", b"", "the file is empty"),
        ("a.jpg", b"this is text", "not an image"),
        ("a.png", b"<svg xmlns='http://www.w3.org/2000/svg'/>", "HTML, SVG or XML"),
        ("a.png", b"GIF89a\x01\x00\x01\x00\x00\x00\x00;", "a GIF picture"),
    ],
)
def test_what_is_no_image_is_named(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(DataError, match=message) as caught:
        read_rgb(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("suffix", ["jpg", "png", "bmp", "tif", "webp"])
def test_a_truncated_file_is_named(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8)).save(path)
    path.write_bytes(path.read_bytes()[:-400])
    with pytest.raises(DataError) as caught:
        read_rgb(path)
    assert str(path) in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="missing"):
        read_rgb(tmp_path / "a.jpg")


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data(), st.sampled_from(["jpg", "png", "tif", "bmp", "webp"]))
def test_mutated_bytes_give_a_picture_or_a_typed_error(tmp_path: Path, data: st.DataObject, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    save(path, UPRIGHT, 6)
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    try:
        rgb = read_rgb(path, max_pixels=100_000)
    except DataError:
        return
    assert rgb.dtype == np.uint8
    assert rgb.shape == (*image_size(path), 3)


def test_images_are_found_by_name(tmp_path: Path) -> None:
    for name in ("b.JPG", "a.png", "deep/er/c.tiff", ".hidden.png", ".git/d.png", "notes.txt", "two.dots.jpeg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    found = find_images(tmp_path)
    assert list(found) == ["a", "b", "deep/er/c", "two.dots"]
    assert found["b"] == tmp_path / "b.JPG"


def test_two_files_of_one_name_are_refused(tmp_path: Path) -> None:
    for name in ("a.jpg", "a.png"):
        (tmp_path / name).write_bytes(b"")
    with pytest.raises(DataError, match=r"a\.jpg and a\.png"):
        find_images(tmp_path)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="folder is missing"):
        find_images(tmp_path / "nowhere")
