"""Objects of masks in every format that is written, read back by the format's own reader and by other libraries."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import shapely
from PIL import Image
from scipy import ndimage
from typer.testing import CliRunner

import underpaint
from underpaint.annotations.format import Reading
from underpaint.annotations.registry import WRITABLE, format_named
from underpaint.cli import app
from underpaint.core.classes import ClassTable
from underpaint.core.errors import ConfigError, DataError
from underpaint.datasets import objects
from underpaint.datasets.objects import OBJECT_FORMATS
from underpaint.hints.rasterise import paint_regions
from underpaint.imagefiles.masks import write_index_mask

TABLE = ClassTable.of(["background", "cell", "vessel"])
FILES = {
    "coco": ".json",
    "cvat": ".xml",
    "label-studio": ".json",
    "via": ".json",
    "underpaint": ".jsonl",
    "boxes": ".csv",
}


def mask() -> np.ndarray:
    """Two cells, of which one has a hole of 4 pixels and a tail at a corner; a speck; and a vessel."""
    labels = np.zeros((40, 60), np.uint8)
    labels[3:13, 4:16] = 1
    labels[6:8, 6:8] = 0
    labels[13, 16] = 1
    labels[20:30, 10:22] = 1
    labels[35, 50] = 1
    labels[5:35, 40:46] = 2
    return labels


@pytest.fixture
def data(tmp_path: Path) -> Path:
    for name in ("images", "masks"):
        (tmp_path / "data" / name).mkdir(parents=True)
    (tmp_path / "data" / "classes.txt").write_text("\n".join(TABLE.names) + "\n")
    Image.new("RGB", (60, 40)).save(tmp_path / "data" / "images" / "a.png")
    write_index_mask(tmp_path / "data" / "masks" / "a.png", mask(), TABLE)
    return tmp_path / "data"


def read(path: Path, name: str, data: Path) -> underpaint.Hints:
    form = format_named(name)
    found = form.read(path, Reading(TABLE, data, {"a": data / "images" / "a.png"}))
    return next(iter(found.values()))


@pytest.mark.parametrize("name", OBJECT_FORMATS)
def test_every_region_is_an_object_in_every_format_that_has_objects(name: str, data: Path, tmp_path: Path) -> None:
    out = tmp_path / f"out{FILES.get(name, '')}"
    done = underpaint.convert(data, out, to=name, objects=True, least=2)
    assert {*done.losses.lost} <= {"image sizes"}
    hints = read(out, name, data)
    if name in ("voc", "boxes"):
        boxes = sorted((box.name, box.x0, box.y0, box.x1, box.y1) for box in hints.boxes)
        assert boxes == [("cell", 4, 3, 17, 14), ("cell", 10, 20, 22, 30), ("vessel", 40, 5, 46, 35)]
        return
    wanted = mask()
    wanted[35, 50] = 0
    made = paint_regions([(TABLE.index(one.name, ""), one) for one in hints.regions], (40, 60))
    np.testing.assert_array_equal(np.where(made == 255, 0, made), wanted)
    alone = {"geojson": 4, "via": 4, "yolo": 4}  # the tail is a polygon of its own where there are no bitmaps
    assert len(hints.regions) in (3, alone.get(name, 3))


def test_small_holes_are_filled_and_outlines_simplified(data: Path, tmp_path: Path) -> None:
    underpaint.convert(data, tmp_path / "a.json", to="coco", objects=True, least=20, fill=4, simplify=1.5)
    content = json.loads((tmp_path / "a.json").read_text())
    assert [c["name"] for c in content["categories"]] == list(TABLE.names)
    assert len(content["annotations"]) == 3
    (vessel,) = [a for a in content["annotations"] if a["category_id"] == 3]
    assert (vessel["bbox"], vessel["area"]) == ([40, 5, 6, 30], 180)
    underpaint.convert(data, tmp_path / "geo", to="geojson", objects=True, least=20, fill=4)
    (file,) = (tmp_path / "geo").rglob("*.geojson")
    shapes = [shapely.from_geojson(json.dumps(f["geometry"])) for f in json.loads(file.read_text())["features"]]
    assert sorted(shape.area for shape in shapes) == sorted([10 * 12 + 1, 120, 180])
    assert all(shape.is_valid for shape in shapes)


@pytest.mark.parametrize("name", ["coco", "yolo", "geojson"])
def test_regions_of_large_images_never_become_pixels(
    name: str, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(objects, "MAX_PIXELS", 1000)
    out = tmp_path / f"out{FILES.get(name, '')}"
    underpaint.convert(data, out, to=name, objects=True)
    regions = read(out, name, data).regions
    assert len(regions) == 4
    assert not [one for one in regions if not isinstance(one, underpaint.Polygon)]
    made = paint_regions([(TABLE.index(one.name, ""), one) for one in regions], (40, 60))
    np.testing.assert_array_equal(np.where(made == 255, 0, made), mask())


@pytest.mark.parametrize("name", sorted({form.name for form in WRITABLE} - {*OBJECT_FORMATS}))
def test_other_formats_are_refused_and_those_with_objects_are_named(name: str, data: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"cannot store objects.*\n(.*\n)*.*coco, .*cvat"):
        underpaint.convert(data, tmp_path / "out", to=name, objects=True)


def test_objects_need_masks_and_numbers_in_range(data: Path, tmp_path: Path) -> None:
    underpaint.convert(data, tmp_path / "a.json", to="coco", objects=True)
    with pytest.raises(DataError, match="objects need masks"):
        underpaint.convert(tmp_path / "a.json", tmp_path / "b.json", to="coco", objects=True)
    with pytest.raises(ConfigError, match="least 0"):
        underpaint.convert(data, tmp_path / "b.json", to="coco", objects=True, least=0)
    with pytest.raises(ConfigError, match="need objects"):
        underpaint.convert(data, tmp_path / "b.json", to="coco", least=4)


def test_the_command_makes_objects_of_the_masks_of_a_prediction(data: Path, tmp_path: Path) -> None:
    words = ["convert", str(data), str(tmp_path / "a.xml"), "--to", "cvat", "--objects", "--least", "2"]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    assert "3 " in result.output or "kept" in result.output
    assert len(read(tmp_path / "a.xml", "cvat", data).regions) == ndimage.label(mask(), np.ones((3, 3)))[1] - 1
