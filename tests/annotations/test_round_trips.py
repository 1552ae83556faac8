"""Every writer against its reader: what a format says that it holds comes back, and the registry agrees with itself."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from underpaint.annotations.format import Format, Reading, Writing
from underpaint.annotations.registry import FORMATS, WRITABLE, format_named, recognise
from underpaint.core.classes import ClassTable
from underpaint.hints.parts import PEN, Part, parts
from underpaint.hints.rasterise import bitmap_of
from underpaint.hints.types import Box, Click, Hints, Polygon, Region, Scribble, Tags

TABLE = ClassTable.of(["background", "cat", "dög <b>"])
SIZE = (48, 64)
WRITTEN = [form for form in WRITABLE if form.name != "masks"]
"""Label images hold pixels alone: their tests are elsewhere."""

xs, ys = st.floats(0, SIZE[1], width=32), st.floats(0, SIZE[0], width=32)
points = st.tuples(xs, ys)


def on_a_line(ring: tuple[tuple[float, float], ...]) -> bool:
    """Whether a ring covers nothing: such a polygon is left out, and counted, when it is read."""
    return all(
        (x - ring[0][0]) * (w - ring[0][1]) == (y - ring[0][1]) * (v - ring[0][0]) for x, y in ring for v, w in ring
    )


rings = st.lists(points, min_size=3, max_size=5, unique=True).map(tuple).filter(lambda ring: not on_a_line(ring))


def bitmap(name: str, seed: int, x: int, y: int) -> Region:
    made = bitmap_of(name, np.random.default_rng(seed).random((5, 6)) < 0.6, x=x, y=y)
    assert made is not None
    return made


sides = st.tuples(st.integers(0, 30), st.integers(0, 20), st.integers(1, 30), st.integers(1, 20))


def holding(form: Format) -> st.SearchStrategy[Hints]:
    """Hints of the parts that the format holds; images of a size that is known."""
    some = form.holds
    names = st.sampled_from(TABLE.names)
    regions: st.SearchStrategy[Region] = st.nothing()
    if Part.POLYGONS in some:
        holes = st.lists(rings, max_size=2 if Part.HOLES in some else 0).map(tuple)
        regions = st.builds(Polygon, names, rings, holes)
    if Part.BITMAPS in some:
        regions = regions | st.builds(bitmap, names, st.integers(0, 99), st.integers(0, 58), st.integers(0, 43))
    widths = st.floats(0.5, 9, width=32) if Part.WIDTHS in some else st.just(PEN)
    lines = st.builds(Scribble, names, st.lists(points, min_size=2, max_size=4, unique=True).map(tuple), widths)
    boxes = st.builds(lambda name, s: Box(name, s[0], s[1], s[0] + s[2], s[1] + s[3]), names, sides)
    said = st.frozensets(names, max_size=2 if Part.ABSENT in some else 0)
    tags = st.builds(lambda p, a: Tags(p, a - p), st.frozensets(names, min_size=1, max_size=2), said)

    def listed(part: Part, one: st.SearchStrategy[object]) -> st.SearchStrategy[tuple[object, ...]]:
        return st.lists(one, max_size=3 if part in some else 0).map(tuple)

    return st.builds(
        Hints,
        image=st.just("a"),
        size=st.just(SIZE),
        shapes=st.tuples(
            listed(Part.CLICKS, st.builds(Click, names, xs, ys)),
            listed(Part.SCRIBBLES, lines),
            listed(Part.BOXES, boxes),
            listed(Part.POLYGONS if Part.POLYGONS in some else Part.BITMAPS, regions),
        ).map(lambda kinds: tuple(itertools.chain(*kinds))),
        boxed=st.frozensets(names, max_size=2 if Part.BOXED in some else 0),
        tags=st.none() | tags if Part.TAGS in some else st.none(),
        source=st.just(""),
        seconds=st.floats(0, 99) if Part.SECONDS in some else st.none(),
    ).map(consistent)


def consistent(one: Hints) -> Hints:
    return replace(one, tags=Tags(one.tags.present, one.tags.absent - set(one.drawn()))) if one.tags else one


def close(one: object, other: object) -> bool:
    """Equal, but for the rounding of numbers."""
    if isinstance(one, float | int) and isinstance(other, float | int):
        return abs(one - other) < 1e-5
    if isinstance(one, tuple) and isinstance(other, tuple):
        return len(one) == len(other) and all(map(close, one, other))
    fields = getattr(one, "__dataclass_fields__", None)
    if fields is None or type(one) is not type(other):
        return one == other
    return all(close(getattr(one, name), getattr(other, name)) for name in fields)


@pytest.mark.parametrize("form", WRITTEN, ids=lambda form: form.name)
def test_what_a_format_holds_comes_back(form: Format, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.fsync", lambda handle: None)
    Image.new("RGB", SIZE[::-1]).save(tmp_path / "a.png")
    reading = Reading(TABLE, tmp_path, {"a": tmp_path / "a.png"})
    numbers = itertools.count()

    @settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
    @given(holding(form))
    def back(hints: Hints) -> None:
        target = tmp_path / f"out{next(numbers)}"
        form.write(target, [hints], Writing(TABLE))
        if hints.kinds() or form.name == "underpaint":
            read = form.read(target, reading)
            (one,) = [read[name] for name in read if name in ("a", "labels/a")]
            if Part.SIZES not in form.holds:
                one = replace(one, size=SIZE)
            assert close(replace(one, image="a", source=""), hints), (one, hints)

    back()


def test_names_are_unique_and_known() -> None:
    assert len({form.name for form in FORMATS}) == len(FORMATS)
    assert format_named("coco").title == "COCO JSON"
    for form in FORMATS:
        assert not form.holds & form.as_pixels
        assert form.holds or form.as_pixels


def test_parts_are_counted() -> None:
    hole = ((1.0, 1.0), (2.0, 1.0), (2.0, 2.0))
    one = Hints(
        "a",
        size=SIZE,
        shapes=(Scribble("cat", ((0, 0),)), Scribble("cat", ((0, 0),), width=1), Polygon("cat", hole, (hole, hole))),
        tags=Tags(frozenset({"cat"})),
    )
    expected = {Part.SIZES: 1, Part.SCRIBBLES: 2, Part.WIDTHS: 1, Part.POLYGONS: 1, Part.HOLES: 2, Part.TAGS: 1}
    assert parts(one) == expected


@pytest.mark.parametrize("form", WRITTEN, ids=lambda form: form.name)
def test_what_is_written_is_recognised(form: Format, tmp_path: Path) -> None:
    Image.new("RGB", SIZE[::-1]).save(tmp_path / "a.png")
    square = Polygon("cat", ((1, 1), (9, 1), (9, 9), (1, 9)))
    said = {
        Part.POLYGONS: Hints("a", size=SIZE, shapes=(square,)),
        Part.BOXES: Hints("a", size=SIZE, shapes=(Box("cat", 1, 1, 9, 9),)),
        Part.SCRIBBLES: Hints("a", size=SIZE, shapes=(Scribble("cat", ((1, 1), (9, 9))),)),
        Part.CLICKS: Hints("a", shapes=(Click("cat", 1, 1),)),
        Part.TAGS: Hints("a", tags=Tags(frozenset({"cat"}))),
    }
    hints = next(hints for part, hints in said.items() if part in form.holds)
    suffix = form.layout.split()[1] if form.layout.startswith("one ") else ""
    form.write(tmp_path / f"out{suffix}", [hints], Writing(TABLE))
    assert recognise(tmp_path / f"out{suffix}") is form
