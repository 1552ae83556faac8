"""Annotations that no format recognises: the message names them, and not a missing list or missing masks alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from underpaint.core.errors import DataError
from underpaint.datasets.open import open_dataset
from underpaint.doctor import examine
from underpaint.workflows.train import plan

FILES = ("a.json", "annotations/a.xml", "images/x.json", "images/x.xml", "images/x.geojson", "via.json", "train/a.csv")


def opened(root: Path, name: str, content: bytes) -> str:
    """The error of a data set with one image and this file."""
    image = root / "images/x.png" if name.startswith(("images", "annotations")) else root / "train/x.png"
    for path in (image, root / name):
        path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (20, 20)).save(image)
    (root / name).write_bytes(content)
    with pytest.raises(DataError) as raised:
        open_dataset(root)
    return str(raised.value)


@pytest.mark.parametrize("content", [b"", b" \n\n"])
@pytest.mark.parametrize("name", FILES)
def test_an_empty_file(name: str, content: bytes, tmp_path: Path) -> None:
    assert f"no format recognises {name} (it is empty)" in opened(tmp_path, name, content)


@pytest.mark.parametrize("name", FILES)
def test_a_text_in_utf_16(name: str, tmp_path: Path) -> None:
    assert f"{name} (UTF-16 text: save it as UTF-8)" in opened(tmp_path, name, "{}".encode("utf-16"))


def test_a_file_of_another_tool(tmp_path: Path) -> None:
    said = opened(tmp_path, "train/_annotations.createml.json", b'[{"image": "x.png", "annotations": []}]')
    assert "no format recognises train/_annotations.createml.json" in said
    assert "COCO JSON" in said


@pytest.mark.parametrize("name", FILES[:5])
def test_an_empty_file_beside_a_class_list(name: str, tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "classes.txt").write_text("background\ncat\n")
    Image.new("RGB", (20, 20)).save(tmp_path / "images" / "x.png")
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).touch()
    told = f"no format recognises {name} (it is empty)"
    with pytest.raises(DataError, match="no image has a mask") as raised:
        plan(tmp_path)
    assert told in str(raised.value)
    assert told in [finding.cause for finding in examine(tmp_path).findings if finding.key == "labels-none"]


def test_masks_in_another_folder_are_named_before_a_file_that_is_no_annotation(tmp_path: Path) -> None:
    for folder in ("images", "labels_png"):
        (tmp_path / folder).mkdir()
        Image.new("L", (20, 20)).save(tmp_path / folder / "x.png")
    (tmp_path / "classes.txt").write_text("background\ncat\n")
    (tmp_path / "camera.json").write_text("{}")
    with pytest.raises(DataError, match="1 of 1 images have no mask: x") as raised:
        plan(tmp_path)
    assert "labels_png" in str(raised.value)
    assert "camera.json" not in str(raised.value)
