"""Which area lies above which: a part that was drawn before the whole does not vanish without a word."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from underpaint.annotations.format import Format, Reading, Writing
from underpaint.annotations.jsonl import write_hints
from underpaint.annotations.registry import FORMATS
from underpaint.core.classes import ClassTable
from underpaint.datasets.convert import plan_conversion
from underpaint.datasets.hints import read_any_hints
from underpaint.datasets.open import open_dataset
from underpaint.hints.layers import hidden, raised, visible
from underpaint.hints.rasterise import numbered, paint_regions
from underpaint.hints.types import IGNORED, Hints, Polygon

TABLE = ClassTable.of(["background", "car", "wheel", "hub"])
SIZE = (8, 12)


def block(name: str, x0: int, y0: int, x1: int, y1: int) -> Polygon:
    return Polygon(name, ((x0, y0), (x1, y0), (x1, y1), (x0, y1)))


HUB, WHEEL, CAR = block("hub", 3, 3, 4, 4), block("wheel", 2, 2, 5, 5), block("car", 0, 0, 10, 6)
BESIDE = block("wheel", 9, 5, 12, 8)


def names(hints: Hints) -> list[str]:
    return [region.name for region in hints.regions]


def test_parts_drawn_before_the_whole_go_above_it() -> None:
    """Of several the larger lies lower; what is covered in part alone keeps its place."""
    found, moved = raised(Hints("a", size=SIZE, shapes=(HUB, WHEEL, BESIDE, CAR)))
    assert found.regions == (BESIDE, CAR, WHEEL, HUB)
    assert moved == 2
    same = Hints("a", size=SIZE, shapes=(CAR, WHEEL, HUB, BESIDE))
    assert raised(same) == (same, 0)


def test_without_a_size_and_outside_of_the_image_as_well() -> None:
    assert names(raised(Hints("a", shapes=(HUB, CAR)))[0]) == ["car", "hub"]
    away = Hints("a", size=SIZE, shapes=(block("hub", 20, 20, 22, 22), block("car", 19, 19, 30, 30)))
    assert raised(away) == (away, 0), "neither has a pixel in the image"


def test_what_is_as_large_stays_below_and_is_counted_as_hidden() -> None:
    twice = Hints("a", size=SIZE, shapes=(WHEEL, block("car", 2, 2, 5, 5)))
    assert raised(twice) == (twice, 0)
    assert hidden(twice) == 1
    assert visible(twice.regions, SIZE) == twice.regions[1:]


def test_of_one_class_nothing_is_lost_and_an_ignored_area_takes_away() -> None:
    same = Hints("a", size=SIZE, shapes=(block("car", 1, 1, 2, 2), CAR))
    void = Hints("a", size=SIZE, shapes=(WHEEL, block(IGNORED, 0, 0, 10, 6)))
    for hints in (same, void):
        assert raised(hints) == (hints, 0)
        assert hidden(hints) == 0
    ignored_part = Hints("a", size=SIZE, shapes=(block(IGNORED, 2, 2, 5, 5), CAR))
    assert names(raised(ignored_part)[0]) == ["car", IGNORED]


corners = st.tuples(st.integers(0, 9), st.integers(0, 6), st.integers(1, 6), st.integers(1, 5))
blocks = st.builds(
    lambda name, c: block(name, c[0], c[1], c[0] + c[2], c[1] + c[3]), st.sampled_from(TABLE.names), corners
)


@settings(max_examples=60, deadline=None)
@given(st.lists(blocks, max_size=6))
def test_after_it_no_area_is_covered_whole_by_a_larger_one(regions: list[Polygon]) -> None:
    """By sets of pixels; the same areas are there. One below two others is seen where the upper one is of its class."""
    before = Hints("a", size=SIZE, shapes=tuple(regions))
    found, _ = raised(before)
    assert sorted(map(repr, found.regions)) == sorted(map(repr, regions))
    pixels = [paint_regions([(1, region)], SIZE) == 1 for region in found.regions]
    for low, (region, area) in enumerate(zip(found.regions, pixels, strict=True)):
        covering = [
            above.name
            for above, cover in zip(found.regions[low + 1 :], pixels[low + 1 :], strict=True)
            if area.any() and not (area & ~cover).any() and cover.sum() > area.sum()
        ]
        assert not covering or covering[-1] == region.name


@settings(max_examples=60, deadline=None)
@given(st.lists(blocks, max_size=6))
def test_areas_that_are_not_seen_can_be_left_away(regions: list[Polygon]) -> None:
    expected = paint_regions(numbered(regions, TABLE), SIZE)
    np.testing.assert_array_equal(paint_regions(numbered(visible(regions, SIZE), TABLE), SIZE), expected)


UNORDERED = ("coco", "labelme", "yolo", "label-studio", "geojson", "via")
WITH_AREAS = [form for form in FORMATS if form.name in (*UNORDERED, "cvat", "underpaint")]


@pytest.mark.parametrize("form", WITH_AREAS, ids=lambda form: form.name)
def test_every_format_keeps_the_part_or_says_that_it_is_hidden(form: Format, tmp_path: Path) -> None:
    """Written as the tool would, the part first; read again through the report."""
    Image.new("RGB", SIZE[::-1]).save(tmp_path / "a.png")
    out = tmp_path / f"out{form.layout.split()[1] if form.one_file else ''}"
    form.write(out, [Hints("a", size=SIZE, shapes=(WHEEL, CAR))], Writing(TABLE, {"a": "a.png"}))
    reading = Reading(TABLE, tmp_path, {"a": tmp_path / "a.png"})
    (one,) = form.hints(out, reading).values()
    (remark,) = reading.remarks
    if form.ordered:
        assert names(one) == ["wheel", "car"]
        assert remark.startswith("areas that a later area covers completely")
    else:
        assert names(one) == ["car", "wheel"]
        assert remark.startswith("areas that a larger, later area covered completely")
    assert sum(reading.remarks.values()) == 1
    assert form.ordered is (form.name not in UNORDERED)


def test_the_report_says_it(tmp_path: Path) -> None:
    Image.new("RGB", SIZE[::-1]).save(tmp_path / "a.png")
    shapes = [{"label": one.name, "points": [list(point) for point in one.ring]} for one in (WHEEL, CAR)]
    (tmp_path / "a.json").write_text(json.dumps({"imagePath": "a.png", "shapes": shapes}))
    data = open_dataset(tmp_path)
    hints, report = read_any_hints(data.annotations, data)
    assert names(hints["a"]) == ["car", "wheel"]
    assert "1 areas that a larger, later area covered completely: they were moved above it" in report.lines()


def test_what_is_hidden_is_not_written_where_the_order_is_lost(tmp_path: Path) -> None:
    """The pixels stay what they were; what is not written is said."""
    write_hints(tmp_path / "h.jsonl", [Hints("a", size=SIZE, shapes=(WHEEL, CAR, BESIDE))])
    planned = plan_conversion(tmp_path / "h.jsonl", to="coco")
    assert any(note.startswith("1 areas that a later area covers completely") for note in planned.notes)
    planned.write(tmp_path / "out.json")
    (back,) = plan_conversion(tmp_path / "out.json", to="underpaint").hints.values()
    assert names(back) == ["car", "wheel"]
    kept = plan_conversion(tmp_path / "h.jsonl", to="cvat")
    assert not any("not written" in note for note in kept.notes)
