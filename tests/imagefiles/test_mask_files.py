"""Mask files: read by index, refused where the numbers cannot be trusted."""

from __future__ import annotations

import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from underpaint.core.classes import ClassTable
from underpaint.core.errors import DataError
from underpaint.datasets.open import open_dataset
from underpaint.imagefiles.masks import mask_size, read_index_mask, voc_palette, write_index_mask
from underpaint.imagefiles.numbering import VOC

DATA = Path(os.environ.get("UNDERPAINT_DATA", Path(__file__).resolve().parents[2] / "../shared/data"))
TABLE = ClassTable(("background", "cat", "dog"), ((0, 0, 0), (128, 0, 0), (0, 128, 0)), 0)
INDEX = np.array([[0, 1, 2, 255], [2, 2, 0, 1]], np.uint8)


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("os.fsync", lambda handle: None)  # hundreds of flushes take seconds and show nothing here
    return tmp_path / "mask.png"


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9)), elements=st.sampled_from([0, 1, 2, 255])))
def test_what_is_written_reads_back(file: Path, index: np.ndarray[tuple[int, int], np.dtype[np.uint8]]) -> None:
    write_index_mask(file, index, TABLE)
    np.testing.assert_array_equal(read_index_mask(file, TABLE), index)
    assert mask_size(file) == index.shape


def test_a_written_mask_is_a_palette_picture_in_the_tables_colours(file: Path) -> None:
    write_index_mask(file, INDEX, TABLE)
    with Image.open(file) as image:
        assert image.mode == "P"
        colours = np.asarray(image.convert("RGB"))
    assert colours[0, 1].tolist() == [128, 0, 0]
    assert colours[0, 3].tolist() == [224, 224, 192]
    assert [path.name for path in file.parent.iterdir()] == [file.name]


def test_grey_and_16_bit_and_colour_masks(file: Path) -> None:
    Image.fromarray(INDEX).save(file)
    np.testing.assert_array_equal(read_index_mask(file, TABLE), INDEX)
    wide = INDEX.astype(np.uint16)
    wide[INDEX == 255] = 65535
    Image.fromarray(wide).save(file)
    np.testing.assert_array_equal(read_index_mask(file, TABLE), INDEX)
    Image.fromarray(INDEX.astype(np.uint16)).save(file)
    np.testing.assert_array_equal(read_index_mask(file, TABLE), INDEX)
    palette = np.array([*TABLE.colours, (224, 224, 192)], np.uint8)
    Image.fromarray(palette[np.where(INDEX == 255, 3, INDEX)]).save(file)
    np.testing.assert_array_equal(read_index_mask(file, TABLE), INDEX)


def test_a_palette_with_few_bits_is_read_by_index(file: Path) -> None:
    image = Image.fromarray(np.array([[0, 1, 2]], np.uint8), "P")
    image.putpalette([0, 0, 0, 128, 0, 0, 0, 128, 0])
    image.save(file, bits=2)
    assert read_index_mask(file, TABLE).tolist() == [[0, 1, 2]]


def test_exif_orientation_does_not_turn_a_mask(file: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(INDEX).save(file, exif=exif)
    np.testing.assert_array_equal(read_index_mask(file, TABLE, size=(2, 4)), INDEX)
    tiff = file.with_suffix(".tif")
    Image.fromarray(INDEX).save(tiff, exif=exif)
    with pytest.raises(DataError, match="orientation tag"):
        read_index_mask(tiff, TABLE)


def test_a_palette_mask_converted_to_grey_is_recognised(file: Path) -> None:
    """VOC's 1, 2, 3 become 38, 75, 113: Pillow's own conversion makes the file."""
    image = Image.fromarray(np.array([[0, 1, 2, 3, 3]], np.uint8), "P")
    image.putpalette([channel for colour in voc_palette(4) for channel in colour])
    image.convert("L").save(file)
    with pytest.raises(DataError) as caught:
        read_index_mask(file, VOC)
    text = str(caught.value)
    assert "113 (2 pixels), 38 (1 pixels), 75 (1 pixels)" in text
    assert "converted to grey" in text
    assert str(file) in text


def test_numbers_outside_the_table_are_counted(file: Path) -> None:
    Image.fromarray(np.array([[0, 9, 9, 3]], np.uint8)).save(file)
    with pytest.raises(DataError, match=r"2 number\(s\) outside the class table: 9 \(2 pixels\), 3 \(1 pixels\)"):
        read_index_mask(file, TABLE)


def test_zero_and_255_in_grey_are_ambiguous(file: Path) -> None:
    two = np.array([[0, 255]], np.uint8)
    Image.fromarray(two).save(file)
    with pytest.raises(DataError, match="255 may mean the object, or void"):
        read_index_mask(file, TABLE)
    np.testing.assert_array_equal(read_index_mask(file, TABLE, void_stated=True), two)
    write_index_mask(file, two, TABLE)  # a palette says what it means
    np.testing.assert_array_equal(read_index_mask(file, TABLE), two)


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_grey_with_few_bits_is_refused(file: Path, bits: int) -> None:
    if bits == 1:
        Image.fromarray(np.array([[False, True]])).save(file)
    else:
        file.write_bytes(grey_png(bits))
    with pytest.raises(DataError, match="fewer than 8 bits"):
        read_index_mask(file, TABLE)


def grey_png(bits: int) -> bytes:
    """A grey PNG of one row and four pixels 0, 1, 0, 1 at ``bits`` a pixel, written by hand."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    row = {2: b"\x11", 4: b"\x01\x01"}[bits]
    header = struct.pack(">IIBBBBB", 4, 1, bits, 0, 0, 0, 0)
    parts = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\x00" + row)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


def test_colours_outside_the_table_are_named(file: Path) -> None:
    rgb = np.zeros((2, 3, 3), np.uint8)
    rgb[0] = (64, 0, 0)  # half way between background and cat: an anti-aliased border
    Image.fromarray(rgb).save(file)
    with pytest.raises(DataError, match=r"\(64, 0, 0\) \(3 pixels\)"):
        read_index_mask(file, TABLE)


def test_equal_colours_cannot_be_told_apart(file: Path) -> None:
    Image.fromarray(np.zeros((2, 2, 3), np.uint8)).save(file)
    with pytest.raises(DataError, match="same colour"):
        read_index_mask(file, ClassTable(("a", "b"), ((0, 0, 0), (0, 0, 0))))


def test_what_is_transparent_is_unknown(file: Path) -> None:
    layer = np.zeros((2, 3, 4), np.uint8)
    layer[0, 0], layer[0, 1], layer[1, 2] = (128, 0, 0, 255), (0, 128, 0, 90), (7, 7, 7, 0)
    Image.fromarray(layer).save(file)
    assert read_index_mask(file, TABLE).tolist() == [[1, 2, 255], [255, 255, 255]]
    layer[1, 2, 3] = 1  # a colour that no class has, and that can be seen
    Image.fromarray(layer).save(file)
    with pytest.raises(DataError, match=r"\(7, 7, 7\) \(1 pixels\)"):
        read_index_mask(file, TABLE)
    opaque = np.zeros((2, 2, 4), np.uint8)
    opaque[..., 3] = 255
    Image.fromarray(opaque).save(file)
    assert not read_index_mask(file, TABLE).any()


def test_a_jpeg_is_no_mask(tmp_path: Path) -> None:
    Image.fromarray(INDEX).save(tmp_path / "a.jpg")
    with pytest.raises(DataError, match="PNG, BMP, TIFF"):
        read_index_mask(tmp_path / "a.jpg", TABLE)


def test_another_size_is_an_error_and_swapped_sides_are_recognised(file: Path) -> None:
    write_index_mask(file, INDEX, TABLE)
    with pytest.raises(DataError, match="2 rows and 4 columns, its image 3 and 4"):
        read_index_mask(file, TABLE, size=(3, 4))
    with pytest.raises(DataError, match="EXIF rotation"):
        read_index_mask(file, TABLE, size=(4, 2))


@pytest.mark.parametrize("bad", [np.zeros((2, 2), np.int64), np.zeros((2, 2, 3), np.uint8), np.zeros((0, 2), np.uint8)])
def test_the_writer_refuses_what_is_no_mask(file: Path, bad: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> None:
    with pytest.raises(DataError, match=r"\(H, W\) uint8"):
        write_index_mask(file, bad, TABLE)
    with pytest.raises(DataError, match="outside the class table: 7"):
        write_index_mask(file, np.full((2, 2), 7, np.uint8), TABLE)
    assert not file.exists()


def test_vocs_palette() -> None:
    """The first colours as the VOC development kit lists them."""
    assert voc_palette(9) == (
        (0, 0, 0), (128, 0, 0), (0, 128, 0), (128, 128, 0), (0, 0, 128), (128, 0, 128), (0, 128, 128),
        (128, 128, 128), (64, 0, 0),
    )  # fmt: skip
    assert voc_palette(256)[255] == (224, 224, 192)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_mutated_masks_give_a_mask_or_a_typed_error(file: Path, data: st.DataObject) -> None:
    write_index_mask(file, INDEX, TABLE)
    content = bytearray(file.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    file.write_bytes(content)
    try:
        mask = read_index_mask(file, TABLE, max_pixels=100_000)
    except DataError:
        return
    assert set(np.unique(mask).tolist()) <= {0, 1, 2, 255}


@pytest.mark.skipif(not (DATA / "voc_sample").is_dir(), reason="the VOC sample is not at hand")
def test_real_voc_masks_have_vocs_colours_and_sizes() -> None:
    data = open_dataset(DATA / "voc_sample")
    for name in data.split("val"):
        mask = read_index_mask(data.masks[name], data.classes)
        with Image.open(data.masks[name]) as image:
            colours = np.asarray(image.convert("RGB"))
        np.testing.assert_array_equal(np.array(voc_palette(256))[mask], colours)
