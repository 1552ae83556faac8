"""COCO instances: the vectors of the format, exact round trips, and every bad file named."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from underpaint.annotations.coco import coco_classes, is_coco, read_coco, write_coco
from underpaint.annotations.coco.rle import read_rle, runs_of_string, string_of_runs
from underpaint.core.classes import ClassTable
from underpaint.core.errors import FormatError, HintError, UnderpaintError
from underpaint.hints.rasterise import bitmap_of, region_area, runs_of
from underpaint.hints.types import Bitmap, Box, Click, Hints, Polygon

TABLE = ClassTable.of(["background", "cat", "dog"])
PIXELS = np.array([[0, 1, 1, 0], [0, 1, 0, 0], [0, 0, 0, 1]], bool)
COUNTS = [3, 2, 1, 1, 4, 1]
MASK = Bitmap("cat", 1, 0, 3, 3, (0, 2, 1, 1, 4, 1))


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("os.fsync", lambda handle: None)
    return tmp_path / "coco.json"


def content(*annotations: dict[str, Any], **image: Any) -> dict[str, Any]:
    first = {"id": 7, "file_name": "d/a.jpg", "width": 4, "height": 3} | image
    made = [{"id": i, "image_id": 7, "category_id": 18, "iscrowd": 0} | one for i, one in enumerate(annotations)]
    # Category ids with a gap, and in another order than the names.
    return {
        "images": [first],
        "annotations": made,
        "categories": [{"id": 90, "name": "dog"}, {"id": 18, "name": "cat"}],
    }


def read(file: Path, *annotations: dict[str, Any], **image: Any) -> Hints:
    file.write_text(json.dumps(content(*annotations, **image)))
    return read_coco(file)["d/a.jpg"]


@pytest.mark.parametrize("counts", [COUNTS, "321O30"])
@pytest.mark.parametrize("crowd", [0, 1])
def test_both_forms_of_run_lengths(file: Path, counts: Any, crowd: int) -> None:
    hints = read(file, {"segmentation": {"size": [3, 4], "counts": counts}, "iscrowd": crowd})
    assert hints.regions == (MASK,)
    assert hints.size == (3, 4)


def test_the_string_of_the_docs() -> None:
    assert runs_of_string("321O30", "here").tolist() == COUNTS
    assert string_of_runs(COUNTS) == "321O30"


@given(st.lists(st.integers(0, 10**8), min_size=1, max_size=30))
def test_strings_of_any_runs(runs: list[int]) -> None:
    assert runs_of_string(string_of_runs(runs), "here").tolist() == runs


def test_pycocotools_agrees() -> None:
    mask = pytest.importorskip("pycocotools.mask")
    for seed in range(20):
        pixels = np.random.default_rng(seed).random((9 + seed, 31)) < 0.1 * (seed % 10)
        theirs = mask.encode(np.asfortranarray(pixels.astype(np.uint8)))["counts"].decode()
        assert string_of_runs(runs_of(pixels.T.ravel()).tolist()) == theirs
        assert read_rle("a", pixels.shape, theirs, "here") == bitmap_of("a", pixels)


def test_polygons_boxes_and_key_points(file: Path) -> None:
    hints = read(
        file,
        {"segmentation": [[0, 0, 3, 0, 3, 2], [1, 1, 2, 2], [0, 1, 2, 1, 2, 3]], "bbox": [0, 0, 3, 3]},
        {"segmentation": [], "bbox": [1, 0.5, 2, 1], "category_id": 90},
        {"keypoints": [0.5, 1.5, 2, 2, 2, 1, 0, 0, 0], "num_keypoints": 2, "bbox": [0, 0, 0, 0]},
        {"bbox": [1, 1, 0, 5]},
    )
    assert hints.regions[1:] == (Polygon("cat", ((0, 0), (3, 0), (3, 2))), Polygon("cat", ((0, 1), (2, 1), (2, 3))))
    assert hints.regions[:1] == hints.ignored(), "along the box without width nothing is known"
    assert hints.boxes == (Box("dog", 1, 0.5, 3, 1.5),)
    assert hints.clicks == (Click("cat", 0.5, 1.5),)
    assert hints.tags is None
    assert not hints.boxed


def test_classes_come_in_the_order_of_the_file(file: Path) -> None:
    file.write_text(json.dumps(content()))
    assert coco_classes(file) == ("dog", "cat")
    assert is_coco(file)
    file.write_text('{"categories": 3, "images": [], "annotations": []}')
    with pytest.raises(FormatError, match="no categories"):
        coco_classes(file)


def test_any_order_of_the_members(file: Path) -> None:
    """Categories that stand elsewhere first, under the same key, are not taken for the file's own."""
    made = content({"segmentation": [[0, 0, 3, 0, 3, 2]], "extra": {"categories": [{"id": 18, "name": "elk"}]}})
    expected = (Polygon("cat", ((0, 0), (3, 0), (3, 2))),)
    for order in itertools.permutations(made):
        file.write_text(json.dumps({key: made[key] for key in order}))
        assert read_coco(file)["d/a.jpg"].regions == expected


def test_images_without_annotations_say_nothing(file: Path) -> None:
    assert not read(file).kinds()


@pytest.mark.parametrize(
    ("annotation", "message"),
    [
        ({"image_id": 8}, "image_id"),
        ({"category_id": 1}, "category_id"),
        ({"segmentation": [[0, 0, 1]]}, "lists"),
        ({"segmentation": [[0, 0, 1, None]]}, "lists"),
        ({"segmentation": [3, 2, 1]}, "lists"),
        ({"segmentation": "321O30"}, "object"),
        ({"segmentation": {"size": [3, 4], "counts": "321O3"}}, "sum"),
        ({"segmentation": {"size": [3, 4], "counts": "321Ox"}}, "run-length string"),
        ({"segmentation": {"size": [3, 4], "counts": "oooooooooooo0"}}, "too long"),
        ({"segmentation": {"size": [3, 4], "counts": "\\u00ff"}}, "run-length string"),
        ({"segmentation": {"size": [3, 4], "counts": [3, 2]}}, "sum"),
        ({"segmentation": {"size": [3, 4], "counts": [-3, 15]}}, "whole numbers"),
        ({"segmentation": {"size": [3, 4], "counts": []}}, "sum"),
        ({"segmentation": {"size": [4, 3], "counts": COUNTS}}, "size"),
        ({"segmentation": {"size": [3], "counts": COUNTS}}, "size"),
        ({"bbox": [1, 2, 3]}, "bbox"),
        ({"bbox": [1, 2, 3, float("nan")]}, "NaN"),
        ({"keypoints": [1, 2]}, "keypoints"),
        ({"keypoints": [1, 2, 0.5]}, "'v'"),
    ],
)
def test_a_bad_annotation_is_named(file: Path, annotation: dict[str, Any], message: str) -> None:
    with pytest.raises(FormatError, match=message) as caught:
        read(file, {"bbox": [0, 0, 1, 1]}, annotation)
    assert str(file) in str(caught.value)


def test_run_lengths_without_a_size_are_refused(file: Path) -> None:
    with pytest.raises(FormatError, match="size"):
        read(file, {"segmentation": {"counts": [0, 4]}})


def test_a_mask_of_a_huge_size_is_refused_before_it_is_made(file: Path) -> None:
    huge = {"segmentation": {"size": [100_000, 100_000], "counts": [10**10]}}
    with pytest.raises(FormatError, match="100000 x 100000 pixels"):
        read(file, huge, height=100_000, width=100_000)


def test_bad_files_are_refused(file: Path) -> None:
    for text in ("[]", "{}", '{"images": 1}', '{"images": [], "categories": [], "annotations": {}}'):
        file.write_text(text)
        with pytest.raises(FormatError):
            read_coco(file)
    both = content()
    both["images"].append({"id": 8, "file_name": "d/a.jpg"})
    file.write_text(json.dumps(both))
    with pytest.raises(FormatError, match="one file name"):
        read_coco(file)


def test_holes_are_written_as_pixels(file: Path) -> None:
    ring, hole = ((0.0, 0.0), (4.0, 0.0), (4.0, 3.0), (0.0, 3.0)), ((1.0, 1.0), (2.0, 1.0), (2.0, 2.0), (1.0, 2.0))
    holed = Polygon("cat", ring, (hole,))
    write_coco(file, [Hints("a", size=(3, 4), shapes=(holed,))], TABLE, {"a": "a.png"})
    back = read_coco(file)["a.png"]
    np.testing.assert_array_equal(region_area(back.regions[0], (3, 4))[1], region_area(holed, (3, 4))[1])
    assert isinstance(back.regions[0], Bitmap)
    with pytest.raises(HintError, match="size of the image"):
        write_coco(file, [Hints("a", shapes=(holed,))], TABLE, {})


def test_what_is_written_by_hand(file: Path) -> None:
    square = Polygon("dog", ((1, 0), (3, 0), (3, 2), (1, 2)))
    write_coco(file, [Hints("a", size=(3, 4), shapes=(MASK, square))], TABLE, {"a": "x/a.jpg"})
    made = json.loads(file.read_text())
    assert made["images"] == [{"id": 1, "file_name": "x/a.jpg", "height": 3, "width": 4}]
    assert made["categories"][1] == {"id": 2, "name": "cat"}
    mask, polygon = made["annotations"]
    assert mask["segmentation"] == {"size": [3, 4], "counts": "321O30"}
    assert (mask["bbox"], mask["area"], mask["category_id"]) == ([1, 0, 3, 3], 4, 2)
    assert (polygon["segmentation"], polygon["area"], polygon["bbox"]) == (
        [[1, 0, 3, 0, 3, 2, 1, 2]],
        4.0,
        [1, 0, 2, 2],
    )


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_mutated_bytes_give_hints_or_a_typed_error(file: Path, data: st.DataObject) -> None:
    start = content(
        {"segmentation": {"size": [3, 4], "counts": "321O30"}},
        {"segmentation": [[0, 0, 3, 0, 3, 2]], "bbox": [0, 0, 3, 2]},
        {"keypoints": [1, 1, 2], "bbox": [0, 0, 1, 1]},
    )
    raw = bytearray(json.dumps(start).encode())
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    file.write_bytes(raw)
    try:
        back = read_coco(file)
        coco_classes(file)
    except UnderpaintError:
        return
    assert all(name == one.image for name, one in back.items())
