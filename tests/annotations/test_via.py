"""VGG Image Annotator: regions of every kind, projects and exports, and the attribute that holds the class."""

from __future__ import annotations

import csv
import json
import math
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from underpaint.annotations.format import Reading
from underpaint.annotations.registry import FORMATS, recognise
from underpaint.annotations.via import is_via, read_via
from underpaint.core.classes import ClassTable
from underpaint.core.errors import FormatError
from underpaint.datasets.hints import read_any_hints
from underpaint.datasets.open import open_dataset
from underpaint.hints.rasterise import paint_regions
from underpaint.hints.types import Box, Click, Hints, Polygon, Scribble, Tags

SHAPES: dict[str, dict[str, Any]] = {
    "rect": {"name": "rect", "x": 2, "y": 3, "width": 10, "height": 5},
    "polygon": {"name": "polygon", "all_points_x": [1, 30, 20, 1], "all_points_y": [2, 4, 38, 2]},
    "polyline": {"name": "polyline", "all_points_x": [1.5, 30], "all_points_y": [2.5, 4]},
    "point": {"name": "point", "cx": 5, "cy": 6.5},
    "circle": {"name": "circle", "cx": 20, "cy": 20, "r": 8},
    "ellipse": {"name": "ellipse", "cx": 20, "cy": 20, "rx": 12, "ry": 4, "theta": math.pi / 6},
}
LABELLED = {"class": "cat"}


def picture(*regions: tuple[dict[str, Any], dict[str, Any]], name: str = "a.png", **about: Any) -> dict[str, Any]:
    listed = [{"shape_attributes": shape, "region_attributes": said} for shape, said in regions]
    return {"filename": name, "size": 71, "regions": listed, "file_attributes": about}


def save(path: Path, *pictures: dict[str, Any], project: bool = False) -> Path:
    entries = {f"{one['filename']}{number}": one for number, one in enumerate(pictures)}
    settings = {"_via_settings": {"ui": {}}, "_via_attributes": {"region": {}}, "_via_data_format_version": "2.0.10"}
    path.write_text(json.dumps({**settings, "_via_img_metadata": entries} if project else entries))
    return path


def save_table(path: Path, *pictures: dict[str, Any]) -> Path:
    """As VIA exports a CSV: one row a region, and one without a shape for a picture that has none."""
    heading = ["filename", "file_size", "file_attributes", "region_count", "region_id"]
    with path.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow([*heading, "region_shape_attributes", "region_attributes"])
        for one in pictures:
            regions = one["regions"] or [{"shape_attributes": {}, "region_attributes": {}}]
            for number, region in enumerate(regions):
                cells = [one["file_attributes"], len(one["regions"]), number, *region.values()]
                said = [json.dumps(cell) if isinstance(cell, dict) else cell for cell in cells]
                table.writerow([one["filename"], one["size"], *said])
    return path


@pytest.mark.parametrize("kind", ["export", "project", "table"])
def test_every_kind_of_region(tmp_path: Path, kind: str) -> None:
    made = picture(*((shape, LABELLED) for shape in SHAPES.values()), label="owl")
    other = picture(name="d/b.jpg")
    path = tmp_path / ("via.csv" if kind == "table" else "via.json")
    save_table(path, made, other) if kind == "table" else save(path, made, other, project=kind == "project")
    assert recognise(path).name == "via"
    assert is_via(path)
    found = read_via(path)
    assert list(found) == ["a"]
    one = found["a"]
    assert one.boxes == (Box("cat", 2.0, 3.0, 12.0, 8.0),)
    assert one.scribbles == (Scribble("cat", ((1.5, 2.5), (30.0, 4.0))),)
    assert one.clicks == (Click("cat", 5.0, 6.5),)
    assert one.tags == Tags(frozenset({"owl"}))
    polygon, circle, ellipse = one.regions
    assert polygon == Polygon("cat", ((1.0, 2.0), (30.0, 4.0), (20.0, 38.0)))
    y, x = (np.mgrid[:40, :60] + 0.5).astype(float)
    u, v = x - 20, y - 20
    turned = (u * np.cos(np.pi / 6) + v * np.sin(np.pi / 6), v * np.cos(np.pi / 6) - u * np.sin(np.pi / 6))
    for region, inside in (
        (circle, u**2 + v**2 < 64),
        (ellipse, (turned[0] / 12) ** 2 + (turned[1] / 4) ** 2 < 1),
    ):
        painted = paint_regions([(1, region)], (40, 60)) == 1
        assert (painted != inside).sum() <= 4  # chords leave the curve by a fiftieth of a pixel


def test_regions_of_version_1_are_numbered(tmp_path: Path) -> None:
    made = picture((SHAPES["point"], LABELLED))
    made["regions"] = {"0": made["regions"][0]}
    assert read_via(save(tmp_path / "x.json", made))["a"].clicks == (Click("cat", 5.0, 6.5),)


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ([{"name": "cat"}, {"name": "dog"}], ["cat", "dog"]),
        ([{"id": "1", "Label": "cat"}, {"id": "2", "Label": "cat"}], ["cat", "cat"]),
        ([{"type": "round", "class": "cat"}, {"type": "round", "class": "dog"}], ["cat", "dog"]),
        ([{"insect": "kudzu", "inseto": "kudzu"}] * 2, ["kudzu", "kudzu"]),
        ([{"nr": str(i), "tissue": "gland"} for i in range(3)], ["gland"] * 3),
        ([{"note": f"see {i}", "tissue": "gland"} for i in range(3)], ["gland"] * 3),
        ([{"tissue": {"gland": True}}, {"tissue": {"stroma": True, "gland": False}}], ["gland", "stroma"]),
        ([{"tissue": 3}, {"tissue": 3}, {"tissue": 4}], ["3", "3", "4"]),
        ([{"tissue": "gland", "empty": ""}], ["gland"]),
    ],
)
def test_the_class_is_found(tmp_path: Path, attributes: list[dict[str, Any]], expected: list[str]) -> None:
    path = save(tmp_path / "x.json", picture(*((SHAPES["point"], said) for said in attributes)))
    assert [click.name for click in read_via(path)["a"].clicks] == expected


def test_several_attributes_that_may_be_the_class_are_named(tmp_path: Path) -> None:
    said = [{"tissue": "gland", "stain": "he"}, {"tissue": "stroma", "stain": "he"}] * 2
    path = save(tmp_path / "x.json", picture(*((SHAPES["point"], one) for one in said)))
    with pytest.raises(FormatError, match="2 attributes may be the class: tissue, stain"):
        read_via(path)


def test_what_says_nothing_is_counted_and_stays_unknown(tmp_path: Path) -> None:
    regions: list[tuple[dict[str, Any], dict[str, Any]]] = [
        (SHAPES["rect"], LABELLED),
        (SHAPES["polygon"], {}),
        (SHAPES["polygon"], {"class": {"cat": True, "dog": True}}),
        ({"name": "cloud"}, LABELLED),
        ({"name": "rect", "x": 1, "y": 1, "width": 0, "height": 4}, LABELLED),
    ]
    path, left_out = save(tmp_path / "x.json", picture(*regions)), Counter[str]()
    form = next(one for one in FORMATS if one.name == "via")
    table = ClassTable.of(["background", "cat"])
    one = form.hints(path, Reading(table, tmp_path, left_out=left_out))["a"]
    assert left_out == {
        "regions without a class": 1, "regions with several labels": 1, "shapes without area, or of an unknown kind": 2,
    }  # fmt: skip
    assert one.unplaced == 2
    assert set(one.names()) == {"cat"}
    assert len(one.regions) == 2  # areas to be ignored


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"regions": 3}, "regions"),
        ({"regions": [{"shape_attributes": {"name": "rect", "x": 1}}]}, "'y' is missing"),
        ({"regions": [{"shape_attributes": {"name": "polygon", "all_points_x": [1], "all_points_y": []}}]}, "as many"),
        ({"regions": [{"region_attributes": {}}]}, "shape_attributes"),
        ({"file_attributes": []}, "an object"),
        ({"filename": ""}, "filename"),
    ],
)
def test_damaged_files_are_named(tmp_path: Path, bad: dict[str, Any], message: str) -> None:
    path = save(tmp_path / "x.json", picture())
    path.write_text(json.dumps({"a": {**picture(), **bad}}))
    with pytest.raises(FormatError, match=message) as caught:
        read_via(path)
    assert "x.json" in str(caught.value)


def test_two_pictures_of_one_name_are_refused(tmp_path: Path) -> None:
    one = picture((SHAPES["point"], LABELLED))
    with pytest.raises(FormatError, match=r"two pictures have the name 'a\.png'"):
        read_via(save(tmp_path / "x.json", one, one))
    with pytest.raises(FormatError, match="two pictures"):
        read_via(save_table(tmp_path / "x.csv", one, {**one, "size": 72}))


def test_a_folder_as_via_leaves_it_is_a_data_set(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        Image.new("RGB", (60, 40)).save(tmp_path / name)
    save(tmp_path / "via_project.json", picture((SHAPES["rect"], {"name": "cat"})), project=True)
    data = open_dataset(tmp_path)
    assert data.classes.names == ("background", "cat")
    found, report = read_any_hints(data.annotations, data)
    assert report.sources == [(tmp_path / "via_project.json", "VGG Image Annotator")]
    assert found == {"a": Hints("a", (40, 60), shapes=(Box("cat", 2.0, 3.0, 12.0, 8.0),), source="VIA")}
