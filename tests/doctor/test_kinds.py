"""The doctor says what images beyond photographs hold, and how a training would see them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tifffile
from PIL import Image

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
    assert "the network sees 2 band(s): DAPI, GFP" in kinds.cause
    assert "(DAPI)" in kinds.cause
    assert "lie outside" in kinds.cause


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
