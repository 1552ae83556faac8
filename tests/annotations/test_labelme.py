"""labelme JSON: every shape, exact round trips, and every bad file named."""

from __future__ import annotations

import base64
import io
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from underpaint.annotations.labelme import is_labelme, read_labelme, write_labelme
from underpaint.core.errors import FormatError, UnderpaintError
from underpaint.hints.rasterise import region_area
from underpaint.hints.types import Bitmap, Box, Click, Hints, Polygon, Scribble, Tags

PIXELS = np.array([[1, 1, 0], [1, 0, 0], [0, 0, 1]], np.uint8)
RUNS = (0, 2, 1, 1, 4, 1)


def png(array: np.ndarray) -> str:
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, format="PNG")
    return base64.b64encode(buffer.getvalue()).decode()


def record(*shapes: dict[str, Any], **top: Any) -> dict[str, Any]:
    return {"shapes": list(shapes), "imagePath": "a.jpg", "imageData": None, "imageHeight": 48, "imageWidth": 64} | top


def read(tmp_path: Path, *shapes: dict[str, Any], **top: Any) -> Hints:
    file = tmp_path / "a.json"
    file.write_text(json.dumps(record(*shapes, **top)))
    assert is_labelme(file)
    return read_labelme(file)["a"]


def shape(kind: str, *points: tuple[float, float], **more: Any) -> dict[str, Any]:
    return {"label": "food", "shape_type": kind, "points": [list(point) for point in points]} | more


def test_every_shape(tmp_path: Path) -> None:
    hints = read(
        tmp_path,
        shape("polygon", (1, 2), (5, 2), (5, 9)),
        shape("polygon", (1, 2), (5, 2)),
        shape("rectangle", (30, 20.5), (10, 40)),
        shape("line", (1, 1), (9, 9)),
        shape("linestrip", (1, 1), (9, 9), (9, 1)),
        shape("point", (3, 4)),
        shape("points", (5, 6), (7, 8)),
        shape("mask", (23, 19), (25, 21), mask=png(PIXELS * 255)),
        {"label": "x", "points": [[0, 0], [1, 0], [1, 1]]},
        flags={"indoor": True, "blurred": False},
    )
    assert hints.size == (48, 64)
    assert hints.boxes == (Box("food", 10, 20.5, 30, 40),)
    assert hints.scribbles == (Scribble("food", ((1, 1), (9, 9))), Scribble("food", ((1, 1), (9, 9), (9, 1))))
    assert hints.clicks == (Click("food", 3, 4), Click("food", 5, 6), Click("food", 7, 8))
    triangle = Polygon("food", ((1, 2), (5, 2), (5, 9)))
    others = tuple(region for region in hints.regions if region.name)
    assert others == (triangle, Bitmap("food", 23, 19, 3, 3, RUNS), Polygon("x", ((0, 0), (1, 0), (1, 1))))
    assert len(hints.ignored()) == 1, "the line of two points"
    assert hints.tags == Tags(frozenset({"indoor"}))


def test_masks_of_any_single_channel(tmp_path: Path) -> None:
    for array in (PIXELS, PIXELS * 255, PIXELS.astype(bool)):
        assert read(tmp_path, shape("mask", (0, 0), (2, 2), mask=png(array))).regions == (
            Bitmap("food", 0, 0, 3, 3, RUNS),
        )
    assert not read(tmp_path, shape("mask", (0, 0), (2, 2), mask=png(0 * PIXELS))).regions


def test_a_circle_is_its_disc(tmp_path: Path) -> None:
    (region,) = read(tmp_path, shape("circle", (20, 20), (20, 30))).regions
    assert isinstance(region, Polygon)
    assert all(math.dist(point, (20, 20)) == pytest.approx(10) for point in region.ring)
    assert region_area(region, (48, 64))[1].sum() == pytest.approx(100 * math.pi, rel=0.02)


def test_a_circle_of_any_size_has_a_bounded_number_of_corners(tmp_path: Path) -> None:
    (found,) = read(tmp_path, shape("circle", (0, 0), (1e8, 0))).regions
    assert isinstance(found, Polygon)
    assert len(found.ring) == 1000


def test_the_image_is_named_by_its_file_or_its_path(tmp_path: Path) -> None:
    for name, inside in (("d/a", "..\\photos\\b.jpg"), ("d/c", "x.png")):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / f"{name}.json").write_text(json.dumps(record(imagePath=inside)))
    assert is_labelme(tmp_path)
    assert list(read_labelme(tmp_path)) == ["d/a", "d/c"]
    assert list(read_labelme(tmp_path, {"b": Path("b.jpg"), "c": Path("c.jpg")})) == ["d/../photos/b.jpg", "d/c"]


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (shape("polygon"), "at least one point"),
        (shape("ellipse", (1, 1), (2, 2)), "shape_type"),
        (shape("rectangle", (1, 1)), "two opposite corners or four"),
        (shape("mask", (1, 1), (2, 2)), "'mask' is missing"),
        (shape("mask", (1, 1), (2, 2), mask="no base64!"), "base64"),
        (shape("mask", (1, 1), (2, 2), mask="aGVsbG8="), "not an image"),
        (shape("mask", (1, 1), (2, 2), mask=png(np.zeros((2, 2, 3), np.uint8))), "one channel"),
        (shape("mask", (1e300, 1), (1e300, 2), mask=png(PIXELS)), "number up to"),
        (shape("polygon", (1, 1), (2, 2), (3, 1), label=3), "label"),
    ],
)
def test_a_bad_shape_is_named(tmp_path: Path, bad: dict[str, Any], message: str) -> None:
    with pytest.raises(UnderpaintError, match=message) as caught:
        read(tmp_path, shape("point", (1, 1)), bad)
    assert "a.json" in str(caught.value)


def test_an_oversized_mask_is_refused_before_it_is_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("underpaint.annotations.labelme.read.MAX_PIXELS", 8)
    with pytest.raises(UnderpaintError, match="3 x 3 pixels"):
        read(tmp_path, shape("mask", (1, 1), (3, 3), mask=png(PIXELS)))


def test_two_files_of_one_image_are_refused(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.json").write_text(json.dumps(record(imagePath="c.jpg")))
    with pytest.raises(FormatError, match="2 files belong to the image"):
        read_labelme(tmp_path, {"c": Path("c.jpg")})


def test_holes_are_written_as_pixels(tmp_path: Path) -> None:
    ring, hole = ((2.0, 2.0), (9.0, 2.0), (9.0, 9.0), (2.0, 9.0)), ((4.0, 4.0), (5.0, 4.0), (5.0, 5.0))
    holed = Polygon("cat", ring, (hole,))
    write_labelme(tmp_path / "out", [Hints("d/a", size=(48, 64), shapes=(holed,))], {"d/a": "d/a.jpg"})
    (region,) = read_labelme(tmp_path / "out")["d/a"].regions
    assert isinstance(region, Bitmap)
    seen, expected = (np.zeros((48, 64), bool) for _ in range(2))
    for target, one in ((seen, region), (expected, holed)):
        window, inside = region_area(one, (48, 64))
        target[window] = inside
    np.testing.assert_array_equal(seen, expected)
    assert json.loads((tmp_path / "out/d/a.json").read_text())["imagePath"] == "a.jpg"


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_mutated_bytes_give_hints_or_a_typed_error(tmp_path: Path, data: st.DataObject) -> None:
    start = record(shape("mask", (1, 1), (3, 3), mask=png(PIXELS)), shape("circle", (1, 1), (3, 3)), flags={"a": True})
    raw = bytearray(json.dumps(start).encode())
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    (tmp_path / "a.json").write_bytes(raw)
    try:
        read_labelme(tmp_path / "a.json")
    except UnderpaintError:
        return
