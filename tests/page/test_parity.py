"""What the page shows of a mark is what the library learns from it: the same pixels, by another program."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from playwright.sync_api import Page
from scipy import ndimage

from underpaint.hints.rasterise import bitmap_area, bitmap_of, region_area, stroke_pixels
from underpaint.hints.types import Bitmap, Polygon

SIZE = (90, 120)
STROKES = 1000


def random_strokes() -> list[dict[str, Any]]:
    """Strokes of one to nine points, some outside; coordinates to a tenth, so that centres lie exactly on borders."""
    rng = np.random.default_rng(20)
    strokes = []
    for number in range(STROKES):
        points = rng.uniform(-20, 140, (rng.integers(1, 10), 2))
        if number % 3:
            points = points[:1] + np.cumsum(rng.normal(0, 6, points.shape), axis=0)
        step = (10, 2, 1)[number % 3]  # tenths, halves and whole numbers
        width = float(rng.choice([0, 1, 2, 3, 5, 8, 20.5]))
        strokes.append({"points": (np.round(points * step) / step).tolist(), "width": width})
    return strokes


def covered(runs: list[int]) -> npt.NDArray[np.bool_]:
    area = np.zeros(SIZE, bool)
    for row, first, last in np.array(runs, int).reshape(-1, 3).tolist():
        area[row, first:last] = True
    return area


def test_a_thousand_strokes_have_the_pixels_of_the_library(modules: Page) -> None:
    strokes = random_strokes()
    found = modules.evaluate(
        """async ([strokes, [height, width]]) => {
            const { strokeRuns } = await import("/raster.js");
            return strokes.map((one) => strokeRuns(one.points, one.width, width, height));
        }""",
        [strokes, list(SIZE)],
    )
    assert len(found) == STROKES
    wrong = []
    for number, (stroke, runs) in enumerate(zip(strokes, found, strict=True)):
        expected = np.zeros(SIZE, bool)
        expected[stroke_pixels(np.array(stroke["points"]), stroke["width"], SIZE)] = True
        if not np.array_equal(expected, covered(runs)):
            wrong.append(number)
    assert not wrong


def test_areas_have_the_pixels_of_the_library(modules: Page) -> None:
    rng = np.random.default_rng(21)
    rings = [
        [np.round(rng.uniform(-10, 130, (rng.integers(3, 9), 2)) * 2) / 2 for _ in range(1 + n % 2)] for n in range(200)
    ]
    found = modules.evaluate(
        """async ([areas, [height, width]]) => {
            const { polygonRuns, bitmapRuns, Area } = await import("/raster.js");
            return areas.map((rings) => {
                const runs = polygonRuns(rings, width, height);
                const area = Area.of(runs);
                if (!area) return { runs, bitmap: null, again: [] };
                const { x, y } = area;
                const size = { width: area.width, height: area.height };
                const bitmap = { kind: "bitmap", class: "a", x, y, ...size, runs: area.lengths() };
                return { runs, bitmap, again: bitmapRuns(bitmap) };
            });
        }""",
        [[[ring.tolist() for ring in one] for one in rings], list(SIZE)],
    )
    for one, answer in zip(rings, found, strict=True):
        ring, *holes = (tuple((x, y) for x, y in ring.tolist()) for ring in one)
        window, inside = region_area(Polygon("a", ring, tuple(holes)), SIZE)
        expected = np.zeros(SIZE, bool)
        expected[window] = inside
        assert np.array_equal(expected, covered(answer["runs"]))
        assert np.array_equal(expected, covered(answer["again"]))
        bitmap = bitmap_of("a", expected)
        if bitmap is None:
            assert answer["bitmap"] is None
        else:
            said = {key: answer["bitmap"][key] for key in ("x", "y", "width", "height")}
            assert said == {"x": bitmap.x, "y": bitmap.y, "width": bitmap.width, "height": bitmap.height}
            assert tuple(answer["bitmap"]["runs"]) == bitmap.runs


def test_a_filled_region_is_what_hangs_together(modules: Page) -> None:
    rng = np.random.default_rng(22)
    for number in range(20):
        coarse = rng.integers(0, 3, (9, 12)) if number else np.full((9, 12), 255)
        mask = np.kron(coarse, np.ones((5, 4), int)).astype(np.uint8)
        x, y = int(rng.integers(0, mask.shape[1])), int(rng.integers(0, mask.shape[0]))
        runs = modules.evaluate(
            """async ([width, height, values, x, y]) => {
                const { regionAt } = await import("/region.js");
                return regionAt({ width, height, values: Uint8Array.from(values) }, x, y);
            }""",
            [mask.shape[1], mask.shape[0], mask.ravel().tolist(), x, y],
        )
        found = np.zeros(mask.shape, bool)
        for row, first, last in np.array(runs, int).reshape(-1, 3).tolist():
            assert not found[row, first:last].any(), "no pixel comes twice"
            found[row, first:last] = True
        labels, _ = ndimage.label(mask == mask[y, x])
        expected = (labels == labels[y, x]) & (mask != 255)
        assert np.array_equal(found, expected)


def test_an_erased_area_is_what_the_pen_leaves(modules: Page) -> None:
    ring = [[10.0, 10.0], [80.0, 14.0], [70.0, 70.0], [20.0, 60.0]]
    pen = {"points": [[0.0, 30.0], [50.0, 35.5], [100.0, 20.0]], "width": 9}
    left = modules.evaluate(
        """async ([ring, pen, [height, width]]) => {
            const { cut } = await import("/cut.js");
            return cut({ kind: "polygon", class: "a", points: ring }, pen, width, height);
        }""",
        [ring, pen, list(SIZE)],
    )
    window, inside = region_area(Polygon("a", tuple((x, y) for x, y in ring)), SIZE)
    expected = np.zeros(SIZE, bool)
    expected[window] = inside
    expected[stroke_pixels(np.array(pen["points"]), 9.0, SIZE)] = False
    assert len(left) == 1
    x, y, wide, high = (left[0][key] for key in ("x", "y", "width", "height"))
    bitmap = Bitmap("a", x, y, wide, high, tuple(left[0]["runs"]))
    shown = np.zeros(SIZE, bool)
    shown[bitmap.y : bitmap.y + bitmap.height, bitmap.x : bitmap.x + bitmap.width] = bitmap_area(bitmap)
    assert np.array_equal(shown, expected)


@pytest.mark.parametrize("pen_width", [1, 4, 11])
def test_an_erased_line_keeps_clear_of_the_pen_and_loses_nothing_else(modules: Page, pen_width: int) -> None:
    line, pen = [[5.0, 40.0], [60.0, 44.0], [110.0, 40.0]], [[50.0, 10.0], [52.0, 80.0]]
    parts = modules.evaluate(
        """async ([points, pen, pen_width]) => {
            const { cutLine } = await import("/cut.js");
            return cutLine(points, 6, { points: pen, width: pen_width });
        }""",
        [line, pen, pen_width],
    )
    assert len(parts) == 2
    whole, kept, gone = np.zeros(SIZE, bool), np.zeros(SIZE, bool), np.zeros(SIZE, bool)
    whole[stroke_pixels(np.array(line), 6.0, SIZE)] = True
    gone[stroke_pixels(np.array(pen), float(pen_width), SIZE)] = True
    for part in parts:
        kept[stroke_pixels(np.array(part), 6.0, SIZE)] = True
    assert not (kept & gone).any()
    assert not (kept & ~whole).any()
    far = whole.copy()
    far[:, 51 - pen_width - 8 : 51 + pen_width + 8] = False
    assert kept[far].all()


@pytest.mark.parametrize("mode", ["L", "P"])
@pytest.mark.parametrize("classes", [2, 4, 14, 200])
def test_a_mask_is_read_as_its_numbers(modules: Page, mode: str, classes: int) -> None:
    values = np.random.default_rng(classes).integers(0, classes, (37, 53)).astype(np.uint8)
    picture = Image.fromarray(values)
    if mode == "P":
        picture = picture.convert("P")
        picture.putdata(values.ravel().tolist())
        picture.putpalette([0, 0, 0, 255, 255, 255] * (classes // 2))
    file = io.BytesIO()
    picture.save(file, "PNG")
    read = modules.evaluate(
        """async (bytes) => {
            const { readPng } = await import("/png.js");
            const { width, height, values } = await readPng(new Uint8Array(bytes).buffer);
            return { width, height, values: [...values] };
        }""",
        list(file.getvalue()),
    )
    assert (read["height"], read["width"]) == values.shape
    assert read["values"] == values.ravel().tolist()


def test_undo_and_redo_know_marks_by_their_new_numbers(modules: Page) -> None:
    """A line is drawn, cut in two, all is undone and done again: the last entries name marks that exist."""
    said = modules.evaluate(
        """async () => {
            const { History } = await import("/history.js");
            const database = { all: async () => [], put: async () => {}, remove: async () => {} };
            const history = new History(database);
            let count = 0;
            const newId = () => `new${++count}`;
            const marks = new Set();
            const apply = (steps) => steps.forEach((step) => {
                if (step.did === "add") marks.add(step.id);
                else if (!marks.delete(step.id)) throw new Error(`no mark ${step.id}`);
            });
            const turn = (entry) => apply(history.turn(entry, newId));
            const first = [{ did: "add", id: "a", hint: {} }];
            const second = ["b", "c"].map((id) => ({ did: "add", id, hint: {} }));
            second.unshift({ did: "delete", id: "a", hint: {} });
            for (const steps of [first, second]) { apply(steps); history.record(1, steps); }
            const sizes = [marks.size];
            for (let round = 0; round < 3; round++) {
                turn(history.last(1)); sizes.push(marks.size);
                turn(history.last(1)); sizes.push(marks.size);
                turn(history.undone(1)); sizes.push(marks.size);
                turn(history.undone(1)); sizes.push(marks.size);
            }
            return sizes;
        }"""
    )
    assert said == [2, *[1, 0, 1, 2] * 3]
