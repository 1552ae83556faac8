"""Label Studio's tasks and brush strokes: minimal files with known answers, an independent decoder, round trips."""

from __future__ import annotations

import contextlib
import json
import math
import time
import tracemalloc
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from underpaint.annotations.label_studio import image_name, read_label_studio, write_label_studio
from underpaint.annotations.label_studio.rle import decode_brush, encode_brush
from underpaint.core.errors import FormatError, HintError, UnderpaintError
from underpaint.hints.rasterise import bitmap_of, paint_regions, runs_of
from underpaint.hints.types import Bitmap, Box, Click, Hints, Polygon, Tags

BRUSH = [0, 0, 0, 48, 57, 27, 252, 96, 19, 255, 206, 1, 31, 254, 19, 0, 143, 252]
"""What label-studio-sdk (brush.py, 2026-08) makes of the mask 0110 / 0100 / 0001."""

RECTANGLE = {
    "type": "rectanglelabels",
    "original_width": 640,
    "original_height": 480,
    "image_rotation": 0,
    "value": {"x": 10.0, "y": 20.0, "width": 30.0, "height": 40.0, "rotation": 0, "rectanglelabels": ["cat"]},
}


def task(*results: dict[str, Any], image: str = "a.jpg", **annotation: Any) -> dict[str, Any]:
    return {"id": 1, "data": {"image": image}, "annotations": [{"result": list(results), **annotation}]}


def result(kind: str, columns: int = 200, rows: int = 100, **value: Any) -> dict[str, Any]:
    return {"type": kind, "original_width": columns, "original_height": rows, "value": value}


def read(tmp_path: Path, *tasks: Any, left_out: Counter[str] | None = None) -> Any:
    path = tmp_path / "project.json"
    path.write_text(json.dumps(list(tasks)), encoding="utf-8")
    return read_label_studio(path, left_out=left_out)


def plain_decode(stream: list[int]) -> list[int]:
    """The stated format bit by bit: all values of the picture."""
    bits = iter("".join(f"{byte:08b}" for byte in stream))

    def take(count: int) -> int:
        return int("".join(next(bits) for _ in range(count)), 2)

    total, word = take(32), take(5) + 1
    sizes = [take(4) + 1 for _ in range(4)]
    values: list[int] = []
    while len(values) < total:
        repeated = take(1)
        length = take(sizes[take(2)]) + 1
        values += [take(word)] * length if repeated else [take(word) for _ in range(length)]
    return values


# The brush


def test_the_brush_of_the_reference_converter() -> None:
    assert decode_brush(bytes(BRUSH), (3, 4), "test").tolist() == [1, 2, 2, 1, 5, 1]
    assert encode_brush([1, 2, 2, 1, 5, 1], (3, 4)) == BRUSH


masks = st.tuples(st.integers(1, 12), st.integers(1, 12)).flatmap(
    lambda size: st.lists(st.booleans(), min_size=size[0] * size[1], max_size=size[0] * size[1]).map(
        lambda pixels: np.array(pixels).reshape(size)
    )
)


@settings(deadline=None, max_examples=40)
@given(masks)
def test_a_written_brush_reads_as_the_same_pixels_bit_by_bit(mask: np.ndarray[Any, Any]) -> None:
    stream = encode_brush(runs_of(mask.ravel()).tolist(), mask.shape)
    assert plain_decode(stream) == (np.repeat(mask.ravel(), 4) * 255).tolist()
    assert decode_brush(bytes(stream), mask.shape, "test").tolist() == runs_of(mask.ravel()).tolist()


@settings(deadline=None, max_examples=40)
@given(st.data())
def test_any_packets_read_as_the_plain_decoder_reads_them(data: st.DataObject) -> None:
    """Literal values, other lengths of the lengths, packets that end within a pixel, alpha of any strength."""
    pixels = data.draw(st.integers(1, 5))
    sizes = data.draw(st.lists(st.integers(1, 16), min_size=4, max_size=4))
    bits = f"{pixels * 4:032b}00111" + "".join(f"{size - 1:04b}" for size in sizes)
    left = pixels * 4
    while left:
        choice = data.draw(st.integers(0, 3))
        length = data.draw(st.integers(1, min(left, 1 << sizes[choice])))
        repeated = data.draw(st.booleans())
        values = data.draw(st.lists(st.integers(0, 255), min_size=1 if repeated else length, max_size=length))
        values = values[:1] if repeated else values
        bits += f"{repeated:b}{choice:02b}{length - 1:0{sizes[choice]}b}" + "".join(f"{v:08b}" for v in values)
        left -= length
    stream = list(int(bits.ljust(-(-len(bits) // 8) * 8, "0"), 2).to_bytes(-(-len(bits) // 8), "big"))
    painted = np.array(plain_decode(stream)[3::4]) > 0
    assert decode_brush(bytes(stream), (1, pixels), "test").tolist() == runs_of(painted).tolist()


def test_long_runs_are_split_as_the_format_demands() -> None:
    size = (300, 400)
    stream = encode_brush([50_000, 70_000], size)
    assert plain_decode(stream) == [0] * 200_000 + [255] * 280_000


@pytest.mark.parametrize(
    "stream",
    [
        [255, 255, 255, 255, 57, 27, 248],  # 4 GiB of values in 7 bytes
        [],
        BRUSH[:6],
        BRUSH[:-4],
        [0, 0, 0, 52, *BRUSH[4:]],
        [0, 0, 0, 48, 57 | 128, *BRUSH[5:]],  # 24 bits a value
        [0, 0, 0, 48, 57, 27, 254, 0, 255, 127, 248],  # one run beyond the end
    ],
)
def test_a_damaged_brush_is_refused_before_anything_is_allocated(stream: list[int]) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(FormatError) as caught:
            decode_brush(bytes(stream), (3, 4), "task 0, result 0")
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()
    assert "task 0, result 0" in str(caught.value)


def test_an_image_that_is_said_to_be_huge_costs_nothing() -> None:
    with pytest.raises(FormatError, match="pixels"):
        decode_brush(bytes([255, 255, 255, 252, 57, 27, 248]), (1 << 15, 1 << 15), "test")


def test_a_busy_brush_is_decoded_faster_than_bit_by_bit() -> None:
    """Noise; the reference decoder, which works as the plain one here, needs 1.6 s for 512 x 512 pixels."""
    noise = np.random.default_rng(0).random((128, 128)) < 0.5
    stream = encode_brush(runs_of(noise.ravel()).tolist(), noise.shape)
    times = [time.perf_counter()]
    runs = decode_brush(bytes(stream), noise.shape, "test")
    times.append(time.perf_counter())
    plain_decode(stream)
    times.append(time.perf_counter())
    assert 2 * (times[1] - times[0]) < times[2] - times[1]
    assert np.array_equal(runs, runs_of(noise.ravel()))


# Tasks


def test_a_rectangle_in_percent(tmp_path: Path) -> None:
    read_back = read(tmp_path, task(RECTANGLE, lead_time=4.5))
    assert read_back == {
        "a": Hints("a", (480, 640), shapes=(Box("cat", 64, 96, 256, 288),), source="Label Studio", seconds=4.5)
    }


def test_every_kind_of_result(tmp_path: Path) -> None:
    left_out: Counter[str] = Counter()
    results = [
        result("keypointlabels", x=50, y=10, width=1, keypointlabels=["cat"]),
        result("polygonlabels", points=[[0, 0], [50, 0], [50, 100]], polygonlabels=["dog"]),
        result("polygonlabels", points=[[0, 0], [50, 0]], polygonlabels=["dog"]),
        result("choices", choices=["cat", "dog"]),
        result("choices", choices=["blurred"], x=1, y=1, width=2, height=2),
        result("textarea", text=["<img onerror=alert(1)>"]),
        result("rectanglelabels", x=0, y=0, width=10, height=10, rectanglelabels=["cat", "dog"]),
        result("rectanglelabels", x=0, y=0, width=10, height=0, rectanglelabels=["cat"]),
        result("keypoint", x=50, y=10),
        {"type": "relation", "from_id": "1", "to_id": "2"},
    ]
    found = read(tmp_path, task(*results), left_out=left_out)["a"]
    assert len(found.ignored()) == 4, "two labels, none, and twice no area"
    assert replace(found, shapes=tuple(shape for shape in found.shapes if shape.name)) == Hints(
        "a",
        (100, 200),
        shapes=(Click("cat", 100, 10), Polygon("dog", ((0, 0), (100, 0), (100, 100)))),
        tags=Tags(frozenset({"cat", "dog"})),
        source="Label Studio",
    )
    assert left_out == {
        "polygons that cover nothing": 1,
        "results of type 'choices'": 1,
        "results of type 'textarea'": 1,
        "results of type 'relation'": 1,
        "regions with several labels": 1,
        "regions without a label": 1,
        "boxes without area in the image": 1,
    }


def test_a_brush_becomes_the_pixels_that_it_painted(tmp_path: Path) -> None:
    found = read(tmp_path, task(result("brushlabels", 4, 3, rle=BRUSH, format="rle", brushlabels=["sky"])))
    assert found["a"].regions == (Bitmap("sky", 1, 0, 3, 3, (0, 2, 1, 1, 4, 1)),)


def test_shapes_and_labels_in_two_results_with_one_id(tmp_path: Path) -> None:
    """<Rectangle> beside <Labels>: the shape is not counted twice, nor as unlabelled."""
    left_out: Counter[str] = Counter()
    plain = result("rectangle", x=10, y=10, width=10, height=10) | {"id": "r1"}
    named = result("labels", x=10, y=10, width=10, height=10, labels=["cat"]) | {"id": "r1"}
    found = read(tmp_path, task(plain, named), left_out=left_out)
    assert found["a"].boxes == (Box("cat", 20, 10, 40, 20),)
    assert not left_out


def test_the_view_may_be_turned_and_coordinates_are_not(tmp_path: Path) -> None:
    assert read(tmp_path, task(RECTANGLE | {"image_rotation": 90})) == read(tmp_path, task(RECTANGLE))


@pytest.mark.parametrize(
    ("angle", "expected"),
    [
        # Of the box [100, 140) x [40, 60), turned clockwise on the screen about (100, 40).
        (90, (80, 40, 100, 80)),
        (180, (60, 20, 100, 40)),
        (-90, (100, 0, 120, 40)),
        (360, (100, 40, 140, 60)),
        (45, (100 - 20 * math.sqrt(0.5), 40, 100 + 40 * math.sqrt(0.5), 40 + 60 * math.sqrt(0.5))),
    ],
)
def test_a_turned_rectangle_keeps_its_extent(tmp_path: Path, angle: float, expected: tuple[float, ...]) -> None:
    left_out: Counter[str] = Counter()
    box = result("rectanglelabels", x=50, y=40, width=20, height=20, rotation=angle, rectanglelabels=["cat"])
    read_box = read(tmp_path, task(box), left_out=left_out)["a"].boxes[0]
    assert (read_box.x0, read_box.y0, read_box.x1, read_box.y1) == pytest.approx(expected)
    assert left_out.total() == (angle == 45)


def test_a_turned_rectangle_is_cut_at_the_border(tmp_path: Path) -> None:
    box = result("rectanglelabels", x=0, y=0, width=20, height=20, rotation=45, rectanglelabels=["cat"])
    read_box = read(tmp_path, task(box))["a"].boxes[0]
    assert (read_box.x0, read_box.y0) == (0, 0)


@pytest.mark.parametrize("angle", [0.0, 30.0])
def test_an_ellipse_covers_the_pixels_whose_centres_are_in_it(tmp_path: Path, angle: float) -> None:
    """Oracle: the equation of the ellipse, centre by centre; it is cut at the left border."""
    value: dict[str, Any] = {
        "x": 10,
        "y": 50,
        "radiusX": 20,
        "radiusY": 15,
        "rotation": angle,
        "ellipselabels": ["cat"],
    }
    region = read(tmp_path, task(result("ellipselabels", **value)))["a"].regions[0]
    assert min(x for x, _ in region.ring) == 0
    painted = paint_regions([(1, region)], (100, 200)) == 1
    row, column = np.mgrid[0:100, 0:200] + 0.5
    x, y = column - 20, row - 50
    cosine, sine = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    inside = ((x * cosine + y * sine) / 40) ** 2 + ((y * cosine - x * sine) / 15) ** 2 < 1
    assert inside.sum() > 1000
    assert (painted != inside).sum() <= 4  # centres within a fiftieth of a pixel of the curve


def test_which_of_several_annotations_counts(tmp_path: Path) -> None:
    def annotation(name: str, **more: Any) -> dict[str, Any]:
        return {"result": [result("choices", choices=[name])], **more}

    def chosen(*annotations: dict[str, Any]) -> list[str]:
        found = read(tmp_path, {"data": {"image": "a.jpg"}, "annotations": list(annotations)}, left_out=left_out)
        return sorted(found["a"].tags.present) if found else []

    left_out: Counter[str] = Counter()
    old = annotation("old", updated_at="2024-05-02T10:00:00.000000Z")
    new = annotation("new", updated_at="2024-05-11T09:00:00.000000Z")
    assert chosen(new, old) == ["new"]
    assert chosen(annotation("first"), annotation("second")) == ["second"]
    assert chosen(new, annotation("truth", ground_truth=True), old) == ["truth"]
    assert chosen(annotation("skipped", was_cancelled=True)) == []
    assert left_out == {"further annotations of the same task": 4, "skipped annotations": 1}


def test_predictions_are_no_hints_and_old_exports_say_completions(tmp_path: Path) -> None:
    left_out: Counter[str] = Counter()
    assert read(tmp_path, {"data": {"image": "a.jpg"}, "predictions": [task()]}, left_out=left_out) == {}
    assert left_out == {"predictions of a model": 1}
    old = task(RECTANGLE)
    assert read(tmp_path, {"data": old["data"], "completions": old["annotations"]}) == read(tmp_path, old)


def test_two_tasks_of_one_image_are_put_together(tmp_path: Path) -> None:
    found = read(tmp_path, task(RECTANGLE), task(result("choices", 640, 480, choices=["dog"])))
    assert found["a"].boxes
    assert found["a"].tags == Tags(frozenset({"dog"}))


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("a.jpg", "a"),
        ("/data/upload/3/1a2b3c4d-cat.jpg", "/data/upload/3/1a2b3c4d-cat"),
        ("/data/local-files/?d=pets%2Fmy%20cat.jpg", "pets/my cat"),
        ("https://host/x/cat.png?token=1#f", "/x/cat"),
        ("s3://bucket/pets/cat.jpeg", "/pets/cat"),
        ("100%25.jpg", "100%25"),
        ("../../etc/passwd", "../../etc/passwd"),
        ("http://[", "http://["),
        (".jpg", ".jpg"),
        ("\x1b[31m<img onerror=x>", "\x1b[31m<img onerror=x>"),
    ],
)
def test_names_of_images_are_text_to_match(text: str, name: str) -> None:
    assert image_name({"image": text}, "test") == name


def test_the_image_is_found_under_other_keys(tmp_path: Path) -> None:
    assert image_name({"photo": "b.png", "text": "a cat"}, "test") == "b"
    unclear: tuple[Any, ...] = ({"one": "a.jpg", "two": "b.jpg"}, {"text": "a cat"}, {"image": ["a.jpg"]}, None, [])
    for data in unclear:
        with pytest.raises(FormatError, match="images"):
            image_name(data, "test")


def test_two_addresses_that_come_down_to_one_name_stay_apart(tmp_path: Path) -> None:
    addresses = ["https://one.org/cat.jpg", "https://two.org/cat.jpg", "/data/upload/3/dog.png", "owl.jpg", "owl.png"]
    tasks = [task(RECTANGLE, image=address) for address in addresses]
    assert list(read(tmp_path, *tasks)) == [*addresses[:2], "/data/upload/3/dog", *addresses[3:]]


@pytest.mark.parametrize(
    ("tasks", "message"),
    [
        ([3], "not an object"),
        ([{"data": {"image": "a.jpg"}, "annotations": {"a": 1}}], "not a list"),
        ([{"data": {"image": "a.jpg"}, "annotations": [{"result": [1]}]}], "not a list"),
        ([task(result("rectanglelabels", x="1", y=2, width=3, height=4, rectanglelabels=["a"]))], "'x'"),
        ([task(result("rectanglelabels", x=1, y=2, width=-3, height=4, rectanglelabels=["a"]))], "'width'"),
        ([task(result("rectanglelabels", 0, 5, x=1, y=2, width=3, height=4, rectanglelabels=["a"]))], "original_width"),
        ([task(result("keypointlabels", 10**400, 1, x=1, y=2, keypointlabels=["a"]))], "100000000 pixels"),
        ([task(result("brushlabels", rle=[1, 2, 300], brushlabels=["a"]))], "0..255"),
        ([task(result("brushlabels", rle="abc", brushlabels=["a"]))], "'rle'"),
        ([task(result("polygonlabels", points=[[1]], polygonlabels=["a"]))], "points"),
        ([task(RECTANGLE, result("choices", choices=["a"]))], "2 sizes"),
    ],
)
def test_faults_name_the_task(tmp_path: Path, tasks: list[Any], message: str) -> None:
    with pytest.raises(FormatError, match=message) as caught:
        read(tmp_path, *tasks)
    assert "task 0" in str(caught.value)


def test_numbers_beyond_all_bounds_are_refused(tmp_path: Path) -> None:
    far = result("keypointlabels", x=1e308, y=1, keypointlabels=["a"])
    with pytest.raises(FormatError, match="finite number up to"):
        read(tmp_path, task(far))


# Round trips

SIZE = (7, 9)
NAMES = st.sampled_from(["cat", "a;b", "<b>&\"'", "猫"])
STEP = st.integers(0, 7 * 64).map(lambda number: number / 64)


def bitmap(name: str, pixels: list[bool]) -> Bitmap | None:
    return bitmap_of(name, np.array(pixels).reshape(SIZE))


points = st.tuples(STEP, STEP)


def on_a_line(ring: tuple[tuple[float, float], ...]) -> bool:
    """Whether a ring covers nothing: such a polygon is left out, and counted, when it is read."""
    return all(
        (x - ring[0][0]) * (w - ring[0][1]) == (y - ring[0][1]) * (v - ring[0][0]) for x, y in ring for v, w in ring
    )


rings = st.lists(points, min_size=3, max_size=5).map(tuple).filter(lambda ring: not on_a_line(ring))
boxes = st.builds(Box, NAMES, STEP, STEP, STEP, STEP).filter(lambda box: box.x0 < box.x1 and box.y0 < box.y1)
bitmaps = st.builds(bitmap, NAMES, st.lists(st.booleans(), min_size=63, max_size=63)).filter(bool)
everything = st.builds(
    Hints,
    image=st.sampled_from(["a", "pets/b", "../c", "d e"]),
    size=st.just(SIZE),
    shapes=st.lists(
        st.builds(Click, NAMES, STEP, STEP) | boxes | st.builds(Polygon, NAMES, rings) | bitmaps, max_size=6
    ).map(tuple),
    tags=st.none() | st.builds(Tags, st.frozensets(NAMES, min_size=1)),
    source=st.just("Label Studio"),
    seconds=st.none() | st.floats(0, 1e6),
)


@settings(deadline=None, max_examples=30)
@given(everything.filter(lambda hints: bool(hints.kinds())))
def test_what_is_written_reads_back(tmp_path_factory: pytest.TempPathFactory, hints: Hints) -> None:
    path = tmp_path_factory.mktemp("ls") / "out.json"
    write_label_studio(path, [hints], file=lambda image: f"{image}.jpg")
    assert read_label_studio(path) == {hints.image: hints}


def test_a_hole_is_written_as_the_pixels_around_it(tmp_path: Path) -> None:
    ring, hole = ((1.0, 1.0), (6.0, 1.0), (6.0, 6.0), (1.0, 6.0)), ((3.0, 3.0), (4.0, 3.0), (4.0, 4.0), (3.0, 4.0))
    hints = Hints("a", SIZE, shapes=(Polygon("cat", ring, (hole,)),))
    write_label_studio(tmp_path / "out.json", [hints])
    (region,) = read_label_studio(tmp_path / "out.json")["a"].regions
    expected = np.full(SIZE, 255, np.uint8)
    expected[1:6, 1:6] = 0
    expected[3, 3] = 255
    assert isinstance(region, Bitmap)
    assert np.array_equal(paint_regions([(0, region)], SIZE), expected)


def test_percent_need_a_size(tmp_path: Path) -> None:
    with pytest.raises(HintError, match="size"):
        write_label_studio(tmp_path / "out.json", [Hints("a", shapes=(Click("cat", 1, 1),))])
    assert not list(tmp_path.iterdir())
    write_label_studio(tmp_path / "out.json", [Hints("a", tags=Tags(frozenset({"cat"})))])
    assert read_label_studio(tmp_path / "out.json")["a"].size is None


@settings(deadline=None, max_examples=80)
@given(st.data())
def test_damaged_files_are_refused_by_typed_errors(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    text = json.dumps([task(RECTANGLE, result("brushlabels", 4, 3, rle=BRUSH, brushlabels=["a"]), lead_time=1)])
    at = data.draw(st.integers(0, len(text)))
    cut = data.draw(st.integers(0, 9))
    inserted = data.draw(st.sampled_from(["", "0", "null", "[]", "{}", '"', "-1", "1e400", "\x00", "9" * 400]))
    path = tmp_path_factory.mktemp("fuzz") / "a.json"
    path.write_text(text[:at] + inserted + text[at + cut :], encoding="utf-8")
    with contextlib.suppress(UnderpaintError):
        assert all(hints.kinds() for hints in read_label_studio(path).values())


@pytest.mark.parametrize("kind", [{"a": 1}, [1], 7, True])
def test_a_type_that_is_no_word_is_left_out(tmp_path: Path, kind: object) -> None:
    left_out: Counter[str] = Counter()
    read(tmp_path, task({"type": kind, "value": {"t": 1}}), left_out=left_out)
    assert left_out == {"results of type 'unknown'": 1}
