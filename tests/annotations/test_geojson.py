"""GeoJSON in pixels: minimal files with known answers, maps refused, round trips, hostile names."""

from __future__ import annotations

import contextlib
import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from underpaint.annotations.geojson import is_geojson, read_geojson, write_geojson
from underpaint.core.errors import DataError, FormatError, HintError, UnderpaintError
from underpaint.hints.rasterise import paint_regions
from underpaint.hints.types import Bitmap, Box, Click, Hints, Polygon, Scribble

OUTER = [[10, 10], [60, 10], [60, 50], [10, 50], [10, 10]]
HOLE = [[20, 20], [30, 20], [30, 30], [20, 20]]


def feature(kind: str, coordinates: Any, **properties: Any) -> dict[str, Any]:
    properties = properties or {"classification": {"name": "Tumor", "color": [200, 0, 0]}}
    return {"type": "Feature", "geometry": {"type": kind, "coordinates": coordinates}, "properties": properties}


def read(tmp_path: Path, content: Any, left_out: Counter[str] | None = None) -> Hints:
    path = tmp_path / "a.geojson"
    path.write_text(json.dumps(content), encoding="utf-8")
    return read_geojson(path, left_out=left_out).get("a", Hints("a"))


def test_a_polygon_with_a_hole_of_qupath(tmp_path: Path) -> None:
    expected = Hints(
        "a",
        source="GeoJSON",
        shapes=(Polygon("Tumor", ((10, 10), (60, 10), (60, 50), (10, 50)), (((20, 20), (30, 20), (30, 30)),)),),
    )
    one = feature("Polygon", [OUTER, HOLE])
    assert read(tmp_path, {"type": "FeatureCollection", "features": [one]}) == expected
    assert read(tmp_path, [one]) == expected
    assert read(tmp_path, one) == expected


def test_every_kind_of_shape(tmp_path: Path) -> None:
    left_out: Counter[str] = Counter()
    triangle = [[0, 0], [9, 0], [9, 9], [0, 0]]
    features = [
        feature("Point", [3.5, 4.5, 7]),
        feature("MultiPoint", [[1, 1], [2, 2]]),
        feature("LineString", [[1, 1], [200, 2]]),
        feature("MultiLineString", [[[1, 1], [2, 2]], [[3, 3], [4, 4]]]),
        feature("MultiPolygon", [[triangle], [OUTER, HOLE[:2]], [triangle[:2]]]),
        feature("GeometryCollection", []),
        feature("Point", [1, 1], name="no class"),
        feature("Polygon", [triangle], isLocked=False),
        feature("Point", [1, 1], classification={"names": ["Immune", "CD8"]}),
        {"type": "Feature", "geometry": None, "properties": {"class": "cat"}},
    ]
    found = read(tmp_path, features, left_out)
    assert [(click.name, click.x, click.y) for click in found.clicks] == [
        ("Tumor", 3.5, 4.5),
        ("Tumor", 1, 1),
        ("Tumor", 2, 2),
        ("Immune: CD8", 1, 1),
    ]
    assert [len(scribble.points) for scribble in found.scribbles] == [2, 2, 2]
    assert [len(region.ring) for region in found.regions if isinstance(region, Polygon) and region.name] == [3, 4]
    assert left_out == {
        "rings that cover nothing": 2,
        "shapes of type 'GeometryCollection'": 1,
        "shapes without a class": 2,
        "features without a shape": 1,
    }
    assert found.unplaced == 2, "the collection is empty, and a feature has no shape"
    assert len(found.ignored()) == 3, "a ring on a line, a click and a polygon without a class"


@pytest.mark.parametrize("key", ["classification", "class", "label"])
def test_other_keys_of_the_class(tmp_path: Path, key: str) -> None:
    assert read(tmp_path, [feature("Point", [1, 1], **{key: "cat"})]).clicks == (Click("cat", 1, 1),)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ({"type": "FeatureCollection", "crs": {"type": "name"}, "features": []}, "crs"),
        ([feature("Polygon", [[[391000, 5820000], [391010, 5820000], [391010, 5820010]]])], "metres"),
        ([feature("Point", [-71.06, 42.36])], "degrees"),
        ([feature("Polygon", [[[13.4, 52.5], [13.41, 52.5], [13.41, 52.51]]])], "smaller than a pixel"),
    ],
)
def test_maps_are_refused_with_the_reason(tmp_path: Path, content: Any, reason: str) -> None:
    with pytest.raises(FormatError, match=reason) as caught:
        read(tmp_path, content)
    assert "pixel coordinates" in str(caught.value)


def test_a_shape_that_leaves_the_picture_is_no_map(tmp_path: Path) -> None:
    found = read(tmp_path, [feature("Polygon", [[[-5, 0], [300, 0], [300, 200]]])])
    assert len(found.regions) == 1


def test_a_folder_of_files_named_like_the_images(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    text = json.dumps([feature("Point", [1, 1])])
    (tmp_path / "x" / "a.jpg.geojson").write_text(text)
    (tmp_path / "b.json").write_text(text)
    (tmp_path / "c.geojson").write_text("[]")
    assert list(read_geojson(tmp_path)) == ["b", "x/a"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (3, "no features"),
        ({"type": "FeatureCollection"}, "no features"),
        ({"type": "Polygon", "coordinates": []}, "no features"),
        ([1], "not an object"),
        ([feature("Point", "here")], r"\[x, y\]"),
        ([feature("Point", [1])], r"\[x, y\]"),
        ([feature("Point", [1, None])], r"\[x, y\]"),
        ([feature("Point", [1, 10**400])], r"\[x, y\]"),
        ([feature("LineString", [])], "without points"),
        ([feature("Polygon", [3])], "not a list"),
        ([feature("MultiPolygon", 3)], "not a list"),
    ],
)
def test_faults_name_the_file(tmp_path: Path, content: Any, message: str) -> None:
    with pytest.raises(FormatError, match=message) as caught:
        read(tmp_path, content)
    assert "a.geojson" in str(caught.value)


# Writing

NAMES = st.sampled_from(["cat", "<b>&\"'", "猫"])
NUMBERS = st.floats(0, 9)
points = st.tuples(NUMBERS, NUMBERS)


def on_a_line(ring: tuple[tuple[float, float], ...]) -> bool:
    """Whether a ring covers nothing: such a polygon is left out, and counted, when it is read."""
    return all(
        (x - ring[0][0]) * (w - ring[0][1]) == (y - ring[0][1]) * (v - ring[0][0]) for x, y in ring for v, w in ring
    )


rings = st.lists(points, min_size=3, max_size=5).map(tuple).filter(lambda ring: not on_a_line(ring))
rings = rings.filter(lambda ring: ring[0] != ring[-1])
polygons = st.builds(Polygon, NAMES, rings, st.lists(rings, max_size=2).map(tuple))
strokes = st.builds(Scribble, NAMES, st.lists(points, min_size=1, max_size=3, unique=True).map(tuple))
everything = st.builds(
    Hints,
    image=st.sampled_from(["a", "pets/b", "d e", "猫"]),
    shapes=st.lists(st.builds(Click, NAMES, NUMBERS, NUMBERS) | strokes | polygons, max_size=6).map(tuple),
    source=st.just("GeoJSON"),
)


@settings(deadline=None, max_examples=40)
@given(everything.filter(lambda hints: bool(hints.kinds())))
def test_what_is_written_reads_back(tmp_path_factory: pytest.TempPathFactory, hints: Hints) -> None:
    folder = tmp_path_factory.mktemp("geojson") / "out"
    write_geojson(folder, [hints], file=lambda image: f"{image}.jpg")
    assert read_geojson(folder) == {hints.image: hints}


def test_a_bitmap_is_written_as_its_outlines(tmp_path: Path) -> None:
    bitmap = Bitmap("cat", 2, 1, 4, 3, (0, 5, 2, 5))
    write_geojson(tmp_path / "out", [Hints("a", shapes=(bitmap,)), Hints("b", shapes=(Box("cat", 0, 0, 1, 1),))])
    regions = read_geojson(tmp_path / "out")["a"].regions
    assert np.array_equal(
        paint_regions([(1, region) for region in regions], (6, 8)), paint_regions([(1, bitmap)], (6, 8))
    )
    assert [file.name for file in (tmp_path / "out").iterdir()] == ["a.geojson"]


@pytest.mark.parametrize("name", ["/etc/x", "../x", "a/../../x", "a\\..\\x", "\0", "x" * 300])
def test_names_that_lead_elsewhere_are_refused_before_writing(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match="name"):
        write_geojson(tmp_path / "out", [Hints(name, shapes=(Click("cat", 1, 1),))])
    assert not list(tmp_path.iterdir())


def test_a_write_that_fails_leaves_what_was_there(tmp_path: Path) -> None:
    one = Hints("a", shapes=(Click("cat", 1, 1),))
    write_geojson(tmp_path / "out", [one])
    with pytest.raises(HintError, match="twice"):
        write_geojson(tmp_path / "out", [replace(one, image="b"), one, one])
    assert list(read_geojson(tmp_path / "out")) == ["a"]
    assert [file.name for file in tmp_path.iterdir()] == ["out"]


def test_our_own_files_say_that_they_are_in_pixels(tmp_path: Path) -> None:
    small = Hints("a", shapes=(Scribble("cat", ((0.25, 0.5),)), Scribble("cat", ((0.1, 0.1), (0.2, 0.2)))))
    write_geojson(tmp_path / "out", [small])
    assert read_geojson(tmp_path / "out")["a"].scribbles == small.scribbles


def test_geojson_is_recognised_by_its_content(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    for content, expected in (([feature("Point", [1, 1])], True), (feature("Point", [1, 1]), True), ({"a": 1}, False)):
        path.write_text(json.dumps(content))
        assert is_geojson(path) == is_geojson(tmp_path) == expected


@settings(deadline=None, max_examples=80)
@given(st.data())
def test_damaged_files_are_refused_by_typed_errors(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    text = json.dumps([feature("MultiPolygon", [[OUTER, HOLE]]), feature("Point", [1.5, 2])])
    at, cut = data.draw(st.integers(0, len(text))), data.draw(st.integers(0, 9))
    inserted = data.draw(
        st.sampled_from(["", "0", "null", "[]", "{}", '"', "-1", "1e400", "\x00", "9" * 400, "[[", "]"])
    )
    path = tmp_path_factory.mktemp("fuzz") / "a.json"
    path.write_text(text[:at] + inserted + text[at + cut :], encoding="utf-8")
    with contextlib.suppress(UnderpaintError):
        assert all(hints.kinds() for hints in read_geojson(path).values())
