"""Files that are small and say much, and files that are large: refused by what they say, before any work."""

from __future__ import annotations

import os
import struct
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from underpaint.annotations.cityscapes import read_cityscapes
from underpaint.annotations.coco import read_coco
from underpaint.annotations.coco.rle import read_rle
from underpaint.annotations.geojson import read_geojson
from underpaint.annotations.jsonl import read_hints
from underpaint.annotations.labelme import read_labelme
from underpaint.annotations.parsing import fields
from underpaint.annotations.tags_csv import read_tags
from underpaint.annotations.yolo import read_yolo
from underpaint.core.classes import ClassTable
from underpaint.core.errors import DataError, FormatError
from underpaint.doctor import examine
from underpaint.hints.bitmap_runs import column_bitmap
from underpaint.hints.rasterise import bitmap_of, runs_of
from underpaint.imagefiles.images import image_size, read_rgb

TABLE = ClassTable.of(["background", "cat"])


def test_columns_become_rows_as_pixel_by_pixel() -> None:
    rng = np.random.default_rng(0)
    for i in range(600):
        height, width = (int(side) for side in rng.integers(1, 8, 2))
        area = rng.random((height, width)) < (0, 0.1, 0.5, 0.9, 1)[i % 5]
        runs = np.insert(runs_of(area.T.ravel()), 1, [0, 0])  # runs of no pixel are allowed
        assert column_bitmap("cat", runs, (height, width), "here") == bitmap_of("cat", area)


def test_a_mask_of_a_hundred_million_pixels_in_few_runs_takes_no_time() -> None:
    began = time.process_time()
    bitmap = read_rle("cat", (10_000, 10_000), [1, 99_999_999], "here")
    assert bitmap is not None
    assert (bitmap.x, bitmap.y, bitmap.width, bitmap.height, bitmap.runs) == (0, 0, 10_000, 10_000, (1, 99_999_999))
    with pytest.raises(FormatError, match="a mask of 50000000 rows of pixels"):
        read_rle("cat", (10_000, 10_000), [10_000] * 10_000, "here")
    assert time.process_time() - began < 1


def tiff(*tags: tuple[int, int], following: int = 0) -> bytes:
    """One page of grey pixels, with these tags in the place of its own."""
    held = {256: 8, 257: 8, 258: 8, 259: 1, 262: 1, 273: 8, 278: 8, 279: 64} | dict(tags)
    body = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in sorted(held.items()))
    return struct.pack("<H", len(held)) + body + struct.pack("<I", following)


def test_of_a_tiff_of_many_pages_the_second_is_asked_for(tmp_path: Path) -> None:
    step = len(tiff())
    pages = [tiff(following=8 + (i + 1) * step) for i in range(30_000)]
    (tmp_path / "a.tif").write_bytes(b"II*\0\x08\0\0\0" + b"".join(pages) + tiff())
    began = time.process_time()
    with pytest.raises(DataError, match="stack of 30001 images"):
        read_rgb(tmp_path / "a.tif")
    assert time.process_time() - began < 3  # takes 0.4 s; a search of every page from the first one would take a minute


@pytest.mark.parametrize("sides", [(2**31 - 1, 2**31 - 1), (1, 99_999_999), (99_999_999, 1)])
def test_a_tiff_of_huge_sides_is_refused_by_its_header(tmp_path: Path, sides: tuple[int, int]) -> None:
    (tmp_path / "a.tif").write_bytes(b"II*\0\x08\0\0\0" + tiff((256, sides[0]), (257, sides[1])))
    began = time.process_time()
    for read in (image_size, read_rgb):
        with pytest.raises(DataError, match=r"pixels|tiles that are too large") as refused:
            read(tmp_path / "a.tif")
        assert "Error" not in str(refused.value)
    assert time.process_time() - began < 0.5


def test_a_large_tiff_has_a_size_and_is_not_read_whole(tmp_path: Path) -> None:
    (tmp_path / "a.tif").write_bytes(b"II*\0\x08\0\0\0" + tiff((256, 20_000), (257, 20_000)))
    assert image_size(tmp_path / "a.tif") == (20_000, 20_000)
    with pytest.raises(DataError, match="20000 x 20000 pixels"):
        read_rgb(tmp_path / "a.tif")


READERS: dict[str, tuple[str, int, Callable[[Path], object]]] = {
    "labelme": ("a.json", 64, lambda path: read_labelme(path.parent)),
    "geojson": ("a.geojson", 64, lambda path: read_geojson(path.parent)),
    "cityscapes": ("a_gtFine_polygons.json", 64, lambda path: read_cityscapes(path.parent)),
    "yolo": ("a.txt", 16, lambda path: read_yolo(path.parent, ["cat"], {"a": path.parent / "a.png"})),
    "tags": ("a.csv", 256, lambda path: read_tags(path, TABLE)),
}


@pytest.mark.parametrize("reader", READERS)
def test_a_large_file_is_refused_unread(tmp_path: Path, reader: str, monkeypatch: pytest.MonkeyPatch) -> None:
    name, megabytes, read = READERS[reader]
    path = tmp_path / name
    path.touch()
    os.truncate(path, (megabytes << 20) + 1)  # a hole: it takes no room on the disk
    monkeypatch.setattr("underpaint.annotations.yolo.read._size", lambda photograph: (48, 64))
    with pytest.raises(FormatError, match=f"may have at most {megabytes << 20}") as refused:
        read(path)
    assert str(path) in str(refused.value)


def test_links_to_themselves_are_met_by_the_doctor_with_their_reason(tmp_path: Path) -> None:
    for folder in ("images", "masks"):
        (tmp_path / folder).mkdir()
    Image.new("RGB", (6, 4)).save(tmp_path / "images" / "a.png")
    Image.new("P", (6, 4)).save(tmp_path / "masks" / "a.png")
    (tmp_path / "classes.txt").write_text("background\ncat\n")
    for link in ("images/self.png", "images/loop", "masks/self.png", "masks/loop", "splits", "notes.txt"):
        (tmp_path / link).symlink_to(tmp_path / link)
    (tmp_path / "images" / "up").symlink_to("..")
    report = examine(tmp_path)
    text = "\n".join(f"{one.what} {one.cause} {one.names}" for one in report.findings)
    assert "self" in text
    assert "link" in text


COCO = (
    '{"images": [{"id": 1, "file_name": "a.png"}], "categories": [{"id": 1, "name": "cat"}], '
    '"annotations": [{"image_id": 1, "category_id": 1, "segmentation": [[SHAPE]]}]}'
)
HINTS = (
    '{"underpaint": "hints", "version": 1}\n'
    '{"image": "a", "scribbles": [{"class": "cat", "width": 3, "points": [SHAPE]}]}'
)


@pytest.mark.parametrize("kind", ["coco", "hints"])
def test_a_shape_of_too_many_points_is_refused_before_points_are_made(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fields, "MAX_POINTS", 1000)
    text, point = (COCO, "1,2") if kind == "coco" else (HINTS, "[1,2]")
    path = tmp_path / ("a.json" if kind == "coco" else "a.jsonl")
    read = read_coco if kind == "coco" else read_hints
    path.write_text(text.replace("SHAPE", ",".join([point] * 1000)))
    assert len(read(path)) == 1
    path.write_text(text.replace("SHAPE", ",".join([point] * 1001)))
    with pytest.raises(FormatError, match=r"has (2002|1001) values"):
        read(path)
