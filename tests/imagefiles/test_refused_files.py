"""Files that are no photograph: each with its own reason and remedy."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from underpaint.core.errors import DataError
from underpaint.doctor import examine
from underpaint.doctor.findings import Level
from underpaint.imagefiles.images import read_rgb

FILES: dict[str, tuple[bytes, str, str]] = {
    "header": (b"II*\0\xff\xff\xff\x7f", "damaged header", "copy it again"),
    "empty": (b"", "empty", "copy it again"),
    "web": (b"<!DOCTYPE html><html>not found</html>", "HTML", "convert it"),
    "gif": (b"GIF89a" + bytes(40), "GIF", "convert it"),
    "heic": (b"\0\0\0\x18ftypheic" + bytes(40), "HEIC", "convert it"),
    "jp2": (b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(40), "JPEG 2000", "convert it"),
    "pdf": (b"%PDF-1.7" + bytes(40), "PDF", "convert it"),
    "dicom": (bytes(128) + b"DICM" + bytes(40), "DICOM", "convert it"),
    "lfs": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n", "Git LFS", "git lfs pull"),
    "numpy": (b"\x93NUMPY\x01\x00" + bytes(40), "NumPy", "convert it"),
    "gzip": (b"\x1f\x8b\x08\x00" + bytes(40), "gzip", "convert it"),
    "text": (b"some words", "not an image", "convert it"),
}


@pytest.mark.parametrize("name", FILES)
def test_every_file_has_its_own_reason_and_remedy(tmp_path: Path, name: str) -> None:
    content, reason, remedy = FILES[name]
    (tmp_path / "a.tif").write_bytes(content)
    with pytest.raises(DataError) as caught:
        read_rgb(tmp_path / "a.tif")
    assert reason in caught.value.what
    assert remedy in (caught.value.fix or "")
    assert str(tmp_path / "a.tif") in str(caught.value)


def test_doctor_names_every_file_under_its_reason(scenes: Path, tmp_path: Path) -> None:
    data = Path(shutil.copytree(scenes, tmp_path / "data"))
    shutil.rmtree(data / "splits")
    for name, (content, _, _) in FILES.items():
        for copy in range(2):
            (data / "images" / f"{name}-{copy}.tif").write_bytes(content)
    found = [finding for finding in examine(data).findings if finding.key == "image-unreadable"]
    assert all("damaged cop" not in finding.what + finding.cause for finding in found)
    for name, (_, reason, remedy) in FILES.items():
        mine = [finding for finding in found if f"{name}-0" in finding.names]
        assert len(mine) == 1
        assert f"{name}-1" in mine[0].names
        assert reason in mine[0].what or finding_is_grouped(reason, mine[0].what)
        assert remedy in mine[0].fix


def finding_is_grouped(reason: str, what: str) -> bool:
    """Reasons that differ in a number alone are one group, which shows the first."""
    return reason.lstrip("0123456789") in what


def test_doctor_warns_where_16_bits_hold_few(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "classes.txt").write_text("background\ncat\n")
    draw = np.random.default_rng(0)
    for name, top in (("ten", 1024), ("twelve", 4096), ("full", 65_536)):
        Image.fromarray(draw.integers(0, top, (40, 60)).astype(np.uint16)).save(tmp_path / "images" / f"{name}.tif")
    (narrow,) = [finding for finding in examine(tmp_path).findings if finding.key == "image-narrow"]
    assert narrow.level is Level.WARNS
    assert narrow.names == ("ten", "twelve")
    assert "no value is above 4095 of 65535" in narrow.what
    assert "images.window" in narrow.fix


@pytest.mark.parametrize("ending", ["jpg", "png", "webp", "bmp", "tif", "nii"])
def test_what_a_decoder_says_of_a_damaged_file_is_not_shown(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"a.{ending}"
    if ending == "nii":
        path.write_bytes(bytes(352))
    else:
        Image.effect_noise((90, 70), 60).convert("RGB").save(path)
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(DataError) as caught:
        read_rgb(path)
    assert not re.search(r"Error|truncated|decoder|bytes|Exception", str(caught.value).replace(str(tmp_path), ""))
    assert "damaged" in caught.value.what
    assert "copy it again" in (caught.value.fix or "")
