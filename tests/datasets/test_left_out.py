"""Shapes that readers leave out: counted, and unknown in their place, never taught as the rest."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from underpaint.datasets.hints import read_any_hints
from underpaint.datasets.open import open_dataset
from underpaint.doctor import examine
from underpaint.hints.rasterise import UNKNOWN, numbered, paint_regions
from underpaint.hints.rest import fill_rest
from underpaint.hints.types import Box, Hints

SIDES = (20, 10)
"""Width and height."""

CAT = [[0, 0], [4, 0], [4, 10], [0, 10]]
LINE = [[10.5, 5.5], [14.5, 5.5]]
ON_THE_LINE, BESIDE = (12, 5), (18, 8)


def labelme(*shapes: dict[str, Any]) -> tuple[str, str]:
    cat = {"label": "cat", "shape_type": "polygon", "points": CAT}
    sides = {"imageWidth": SIDES[0], "imageHeight": SIDES[1]}
    return "a.json", json.dumps({"imagePath": "a.png", "shapes": [cat, *shapes], **sides})


def coco(*annotations: dict[str, Any]) -> tuple[str, str]:
    cat = {"segmentation": [[value for point in CAT for value in point]], "bbox": [0, 0, 4, 10]}
    every = [
        {"id": i, "image_id": 1, "category_id": 1, "iscrowd": 0, "area": 1, **one}
        for i, one in enumerate([cat, *annotations], 1)
    ]
    images = [{"id": 1, "file_name": "a.png", "width": SIDES[0], "height": SIDES[1]}]
    return "ann.json", json.dumps({"images": images, "categories": [{"id": 1, "name": "cat"}], "annotations": every})


def cvat(*elements: str) -> tuple[str, str]:
    points = ";".join(f"{x},{y}" for x, y in CAT)
    inner = f'<polygon label="cat" points="{points}" z_order="0"/>' + "".join(elements)
    head = f'<image id="0" name="a.png" width="{SIDES[0]}" height="{SIDES[1]}">'
    return "annotations.xml", f"<annotations>{head}{inner}</image></annotations>"


def label_studio(*results: dict[str, Any]) -> tuple[str, str]:
    percent = [[x / SIDES[0] * 100, y / SIDES[1] * 100] for x, y in CAT]
    cat = {"type": "polygonlabels", "value": {"points": percent, "polygonlabels": ["cat"]}}
    every = [{"original_width": SIDES[0], "original_height": SIDES[1], **one} for one in (cat, *results)]
    return "ls.json", json.dumps([{"data": {"image": "a.png"}, "annotations": [{"result": every}]}])


def geojson(*features: dict[str, Any]) -> tuple[str, str]:
    cat = feature("Polygon", [[*CAT, CAT[0]]])
    return "a.geojson", json.dumps({"type": "FeatureCollection", "features": [cat, *features]})


def feature(kind: str, coordinates: Any, **properties: Any) -> dict[str, Any]:
    properties = properties or {"classification": {"name": "cat"}}
    return {"type": "Feature", "geometry": {"type": kind, "coordinates": coordinates}, "properties": properties}


def in_percent(kind: str, labels: list[str]) -> dict[str, Any]:
    """The line as a polygon of Label Studio, or the rectangle between 10 and 15, 4 and 7."""
    if kind == "polygonlabels":
        return {"type": kind, "value": {"points": [[52.5, 55], [72.5, 55]], kind: labels}}
    return {"type": kind, "value": {"x": 50, "y": 40, "width": 25, "height": 30, "rotation": 0, kind: labels}}


LINE_TEXT = ";".join(f"{x},{y}" for x, y in LINE)
FLAT = [value for point in LINE for value in point]
COLLECTION = {
    "type": "Feature",
    "geometry": {"type": "GeometryCollection", "geometries": [{"type": "LineString", "coordinates": LINE}]},
    "properties": {"classification": {"name": "cat"}},
}
BRUSH = {"format": "rle", "rle": [], "brushlabels": ["cat"]}

PLACED = {
    "labelme, two points": (labelme({"label": "cat", "points": LINE}), "polygon that cover nothing"),
    "labelme, a flat rectangle": (
        labelme({"label": "cat", "shape_type": "rectangle", "points": LINE}), "rectangle that cover nothing"
    ),
    "labelme, a circle without radius": (
        labelme({"label": "cat", "shape_type": "circle", "points": [[12.5, 5.5]] * 2}), "circle that cover nothing"
    ),
    "COCO, two points": (coco({"segmentation": [FLAT]}), "annotations that cover nothing"),
    "COCO, three points on a line": (coco({"segmentation": [[*FLAT, 12, 5.5]]}), "annotations that cover nothing"),
    "COCO, a flat box": (coco({"segmentation": [], "bbox": [10, 5.5, 5, 0]}), "annotations that cover nothing"),
    "COCO, a box of negative width": (coco({"bbox": [14.5, 5.5, -4, -0.5]}), "annotations that cover nothing"),
    "CVAT, two points": (cvat(f'<polygon label="cat" points="{LINE_TEXT}"/>'), "polygons that cover nothing"),
    "CVAT, a flat box": (cvat('<box label="cat" xtl="10" ytl="5.5" xbr="15" ybr="5.5"/>'), "boxes without area"),
    "CVAT, a cuboid": (
        cvat('<cuboid label="cat" xtl1="10" ytl1="4" xbl1="11" ybl1="7" xtr1="15" ytr1="5"/>'), "elements 'cuboid'"
    ),
    "Label Studio, two points": (label_studio(in_percent("polygonlabels", ["cat"])), "polygons that cover nothing"),
    "Label Studio, two labels": (label_studio(in_percent("rectanglelabels", ["cat", "dog"])), "several labels"),
    "Label Studio, no label": (label_studio(in_percent("rectanglelabels", [])), "without a label"),
    "GeoJSON, a ring of two": (geojson(feature("Polygon", [LINE])), "rings that cover nothing"),
    "GeoJSON, no class": (geojson(feature("LineString", LINE, isLocked=False)), "shapes without a class"),
    "GeoJSON, a collection": (geojson(COLLECTION), "type 'GeometryCollection'"),
}  # fmt: skip

UNPLACED = {
    "COCO, neither": (coco({"segmentation": []}), "annotations that cover nothing"),
    "CVAT, an unknown element": (cvat('<blob label="cat"/>'), "elements 'blob'"),
    "Label Studio, a bit mask": (
        label_studio({"type": "bitmasklabels", "value": {"imageDataURL": "data:,", "bitmasklabels": ["cat"]}}),
        "results of type 'bitmasklabels'",
    ),
    "GeoJSON, a curve": (geojson(feature("Curve", LINE)), "shapes of type 'Curve'"),
    "GeoJSON, nowhere": (
        geojson({"type": "Feature", "geometry": None, "properties": {"class": "cat"}}), "features without a shape"
    ),
}  # fmt: skip


def read(tmp_path: Path, file: tuple[str, str]) -> tuple[Hints, str, list[list[int]]]:
    """The hints, the report as text, and the pixels with the rest as background."""
    Image.new("RGB", SIDES).save(tmp_path / "a.png")
    (tmp_path / file[0]).write_text(file[1])
    data = open_dataset(tmp_path, rest="background")
    hints, report = read_any_hints(data.annotations, data)
    filled = fill_rest(hints["a"], "background", data.classes)
    pixels = paint_regions(numbered(filled.regions, data.classes), SIDES[::-1])
    return hints["a"], "\n".join(report.lines()), pixels.tolist()


@pytest.mark.parametrize("case", PLACED)
def test_what_has_a_place_is_unknown_there_and_the_rest_is_filled(case: str, tmp_path: Path) -> None:
    file, reason = PLACED[case]
    hints, report, pixels = read(tmp_path, file)
    assert " left out: " in report
    assert reason in report
    assert pixels[ON_THE_LINE[1]][ON_THE_LINE[0]] == UNKNOWN
    assert pixels[BESIDE[1]][BESIDE[0]] == 0
    assert pixels[5][2] == 1
    assert hints.drawn() == ["cat"]


@pytest.mark.parametrize("case", UNPLACED)
def test_where_the_place_is_not_known_nothing_is_filled(case: str, tmp_path: Path) -> None:
    file, reason = UNPLACED[case]
    hints, report, pixels = read(tmp_path, file)
    assert f"1 left out: {reason}" in report
    assert hints.unplaced == 1
    assert pixels == [[1] * 4 + [UNKNOWN] * 16] * 10
    (said,) = [one for one in examine(tmp_path, rest="background").findings if one.key == "rest-unfilled"]
    assert said.what.startswith("1 images: pixels without an annotation stay unknown")
    assert not [one for one in examine(tmp_path).findings if one.key == "rest-unfilled"]


@pytest.mark.parametrize(
    "segmentation", [[[]], [FLAT], {"size": [10, 20], "counts": [200]}, [], [[*FLAT, 12, 5.5]]]
)  # fmt: skip
def test_a_sound_box_stands_for_a_segmentation_that_covers_nothing(segmentation: Any, tmp_path: Path) -> None:
    hints, report, _ = read(tmp_path, coco({"segmentation": segmentation, "bbox": [10, 2, 5, 6]}))
    assert hints.boxes == (Box("cat", 10, 2, 15, 8),)
    assert "left out" not in report


def test_run_lengths_of_no_pixel_say_so_themselves(tmp_path: Path) -> None:
    """Readable, and nothing there: counted, and no reason to leave the rest open."""
    _, report, pixels = read(tmp_path, coco({"segmentation": {"size": [10, 20], "counts": [200]}}))
    assert "1 left out: annotations that cover nothing" in report
    assert pixels == [[1] * 4 + [0] * 16] * 10


def test_what_coco_files_mark_as_ignored_is_ignored(tmp_path: Path) -> None:
    """pycocotools' field; a crowd is no reason to ignore, it is many objects of the class."""
    part = [8, 0, 20, 0, 20, 10, 8, 10]
    hints, _, pixels = read(tmp_path, coco({"segmentation": [part], "ignore": 1}))
    assert pixels == [[1] * 4 + [0] * 4 + [UNKNOWN] * 12] * 10
    hints, _, pixels = read(tmp_path, coco({"segmentation": [part], "iscrowd": 1, "ignore": 0}))
    assert pixels == [[1] * 4 + [0] * 4 + [1] * 12] * 10
    assert hints.drawn() == ["cat", "cat"]


def corners(*points: tuple[float, float], kind: str = "rectangle", label: str = "cat") -> dict[str, Any]:
    return {"label": label, "shape_type": kind, "points": [list(point) for point in points]}


@pytest.mark.parametrize("kind", ["rectangle", "rotation", "oriented_rectangle"])
def test_labelme_rectangles_of_four_corners(kind: str, tmp_path: Path) -> None:
    """X-AnyLabeling's: upright ones are their box, turned ones the upright box around, cut at the border."""
    hints, report, _ = read(tmp_path, labelme(corners((6, 2), (12, 2), (12, 8), (6, 8), kind=kind)))
    assert hints.boxes == (Box("cat", 6, 2, 12, 8),)
    assert "left out" not in report
    hints, report, _ = read(tmp_path, labelme(corners((15, 1), (21, 5), (15, 9), (11, 5), kind=kind)))
    assert hints.boxes == (Box("cat", 11, 1, 20, 9),)
    assert "1 left out: angles of rotated boxes (the upright box around each is kept)" in report


def test_an_ignored_rectangle_keeps_its_place_among_areas(tmp_path: Path) -> None:
    over = {"label": "cat", "points": [[10, 0], [20, 0], [20, 10], [10, 10]]}
    shapes = corners((2, 0), (12, 10), label="__ignore__"), over
    _, _, pixels = read(tmp_path, labelme(*shapes))
    assert pixels == [[1] * 2 + [UNKNOWN] * 8 + [1] * 10] * 10
