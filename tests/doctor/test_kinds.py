"""The doctor says what images beyond photographs hold, and how a training would see them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pillow_heif
import pytest
import tifffile
from PIL import Image
from tests.imagefiles.test_readers import BANDS, PICTURE, WAYS

from underpaint.doctor import examine
from underpaint.doctor.findings import Level


def data(tmp_path: Path) -> Path:
    (tmp_path / "images").mkdir()
    (tmp_path / "classes.txt").write_text("background\ncell\n")
    return tmp_path / "images"


def test_bands_windows_and_pixel_sizes_are_said(tmp_path: Path) -> None:
    images = data(tmp_path)
    values = np.random.default_rng(0).integers(100, 900, (2, 2, 40, 50)).astype(np.uint16)
    words = {"axes": "ZCYX", "PhysicalSizeX": 0.3, "PhysicalSizeY": 0.3, "Channel": {"Name": ["DAPI", "GFP"]}}
    tifffile.imwrite(images / "a.ome.tif", values, metadata=words)
    (kinds,) = [finding for finding in examine(tmp_path).findings if finding.key == "image-kinds"]
    assert kinds.level is Level.NOTES
    assert kinds.count == 2
    assert "2 OME-TIFF, 2 band(s) of uint16, 0.3 x 0.3 um a pixel" in kinds.what
    assert "the input of the network has 2 band(s): DAPI, GFP" in kinds.cause
    assert "(DAPI)" in kinds.cause
    assert "are outside" in kinds.cause


def test_different_bands_block(tmp_path: Path) -> None:
    images = data(tmp_path)
    for name, bands in (("a", 2), ("b", 5)):
        values = np.zeros((40, 50, bands), np.uint8)
        tifffile.imwrite(images / f"{name}.tif", values, photometric="minisblack", planarconfig="contig")
    (found,) = [finding for finding in examine(tmp_path).findings if finding.key == "image-bands"]
    assert found.level is Level.BLOCKS
    assert "images.bands=" in found.fix


def test_photographs_are_not_mentioned(tmp_path: Path) -> None:
    Image.new("RGB", (40, 50)).save(data(tmp_path) / "a.png")
    assert not [finding for finding in examine(tmp_path).findings if finding.key == "image-kinds"]


def deep_photograph(path: Path) -> None:
    Image.fromarray(BANDS[0]).save(path)


def phone(path: Path) -> None:
    pillow_heif.from_pillow(Image.fromarray(PICTURE)).save(path)


SEEN: dict[str, tuple[object, str, str]] = {
    "bands.tif": (
        None,
        "1 TIFF, 4 band(s) of uint16",
        "the input of the network has 4 band(s): 1, 2, 3, 4 (images.bands)",
    ),
    "floats.tif": (None, "1 TIFF, 1 band(s) of float32", "read with the window -9"),
    "ome.ome.tif": (None, "3 OME-TIFF, 2 band(s) of uint16, 0.3 x 0.4 um a pixel", "has 2 band(s): DAPI, GFP"),
    "imagej.tif": (None, "3 ImageJ TIFF, 2 band(s) of uint16", "has 2 band(s): 1, 2"),
    "pages.tif": (None, "3 TIFF, 1 band(s) of uint16", "3 image(s) of more than 8 bits are read with the window"),
    "map.tif": (None, "GeoTIFF, 4 band(s) of uint16, 0.5 x 0.5 metre a pixel", "has 4 band(s): red, green, blue, nir"),
    "slide.svs": (None, "1 slide of 2 levels, 3 band(s) of uint8", "without a window"),
    "ct.nii.gz": (None, "4 NIfTI, 1 band(s) of int16, 0.6 x 0.7 mm a pixel", "read with the window -"),
    "ct.dcm": (None, "1 DICOM, 1 band(s) of float64, 0.6 x 0.7 mm a pixel", "read with the window -"),
    "array.zarr": (None, "3 Zarr, 2 band(s) of uint16", "has 2 band(s): 1, 2"),
    "deep.png": (deep_photograph, "1 16 bits per channel", "1 image(s) of more than 8 bits are read with the window"),
    "phone.heic": (phone, "1 HEIC, 3 band(s) of uint8", "without a window"),
}
"""Of each kind of file what the doctor says that it holds, and what a training will do with it."""


@pytest.mark.parametrize("name", SEEN)
def test_the_doctor_says_what_each_kind_of_file_holds_and_what_will_be_done(name: str, tmp_path: Path) -> None:
    write, holds, does = SEEN[name]
    images = data(tmp_path)
    (WAYS[name][0] if write is None else write)(images / name)  # type: ignore[operator]
    report = examine(tmp_path)
    (kinds,) = [finding for finding in report.findings if finding.key == "image-kinds"]
    assert holds in kinds.what
    assert does in kinds.cause
    assert not [finding for finding in report.findings if finding.key == "image-unreadable"]
    size = WAYS[name][2].shape if write is None else BANDS[0].shape if name == "deep.png" else PICTURE.shape
    assert f"; {size[1]} x {size[0]} pixels" in kinds.what
