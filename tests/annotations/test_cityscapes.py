"""Cityscapes: ids, train ids and polygons say the same, void stays unknown, and the layout of the download is read."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from underpaint.annotations.cityscapes import CLASSES, LABEL_IDS, is_cityscapes, read_cityscapes
from underpaint.core.errors import DataError, FormatError
from underpaint.datasets.open import open_cityscapes
from underpaint.hints.rasterise import paint_regions
from underpaint.hints.types import IGNORED, Hints

FRAME = "aachen_000000_000019"
NAME = f"train/aachen/{FRAME}_leftImg8bit"
# road 7, bicycle 33, license plate -1, unlabeled 0, sky 23
IDS = [[7, 7, 33, 255], [7, 0, 33, 23]]


def save(path: Path, pixels: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.array(pixels, np.uint8)).save(path)
    return path


def annotation(root: Path, kind: str, fine: str = "gtFine", split: str = "train", frame: str = FRAME) -> Path:
    path = root / fine / split / "aachen" / f"{frame}_{fine}_{kind}"
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def polygons(root: Path, *objects: dict[str, Any], width: int = 6, height: int = 4) -> None:
    content = {"imgHeight": height, "imgWidth": width, "objects": list(objects)}
    annotation(root, "polygons.json").write_text(json.dumps(content))


def shape(label: str, x0: int, y0: int, x1: int, y1: int, **more: Any) -> dict[str, Any]:
    return {"label": label, "polygon": [[x0, y0], [x1, y0], [x1, y1], [x0, y1]], **more}


def painted(hints: Hints) -> list[list[int]]:
    assert hints.size is not None
    numbers = {name: number for number, name in enumerate(CLASSES.names)}
    regions = [(numbers.get(region.name, 255), region) for region in hints.regions]
    return [[int(value) for value in row] for row in paint_regions(regions, hints.size)]


def test_the_classes_of_the_benchmark() -> None:
    """Label ids 7 road to 33 bicycle are the train ids 0 to 18."""
    assert len(CLASSES) == 19
    assert CLASSES.background is None
    assert (CLASSES.names[0], LABEL_IDS[0], CLASSES.colours[0]) == ("road", 7, (128, 64, 128))
    assert (CLASSES.names[18], LABEL_IDS[18], CLASSES.colours[18]) == ("bicycle", 33, (119, 11, 32))
    assert LABEL_IDS == (7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33)


def test_label_ids_are_no_class_numbers_and_void_stays_unknown(tmp_path: Path) -> None:
    save(annotation(tmp_path, "labelIds.png"), IDS)
    found = read_cityscapes(tmp_path)
    assert list(found) == [NAME]
    assert painted(found[NAME]) == [[0, 0, 18, 255], [0, 255, 18, 10]]
    assert [region.name for region in found[NAME].regions] == ["road", "sky", "bicycle", IGNORED]


def test_train_ids_count_before_ids_and_ids_before_polygons_and_fine_before_coarse(tmp_path: Path) -> None:
    polygons(tmp_path, shape("car", 0, 0, 6, 4))
    save(annotation(tmp_path, "labelTrainIds.png", "gtCoarse"), [[1]])
    assert {region.name for region in read_cityscapes(tmp_path)[NAME].regions} == {"car"}
    save(annotation(tmp_path, "labelIds.png"), [[7]])
    assert {region.name for region in read_cityscapes(tmp_path)[NAME].regions} == {"road"}
    save(annotation(tmp_path, "labelTrainIds.png"), [[18, 255]])
    assert {region.name for region in read_cityscapes(tmp_path)[NAME].regions} == {"bicycle", IGNORED}
    assert {region.name for region in read_cityscapes(tmp_path / "gtCoarse")[NAME].regions} == {"sidewalk"}


def test_polygons_lie_one_above_the_other_and_void_takes_away(tmp_path: Path) -> None:
    polygons(
        tmp_path,
        shape("road", 0, 0, 6, 4),
        shape("cargroup", 1, 1, 3, 3),
        shape("license plate", 1, 1, 2, 2),
        shape("sky", 0, 0, 6, 4, deleted=1),
        shape("ego vehicle", 0, 3, 6, 4),
        {"label": "pole", "polygon": [[0, 0], [1, 1]]},
    )
    left_out: Counter[str] = Counter()
    assert painted(read_cityscapes(tmp_path, left_out=left_out)[NAME]) == [
        [0, 0, 0, 0, 0, 0],
        [0, 13, 13, 0, 0, 0],
        [0, 13, 13, 0, 0, 0],
        [255] * 6,
    ]
    assert left_out == {"polygons that cover nothing": 1}


def test_frames_of_the_test_split_are_void(tmp_path: Path) -> None:
    save(annotation(tmp_path, "labelIds.png"), [[0, 1], [3, 4]])
    left_out: Counter[str] = Counter()
    assert read_cityscapes(tmp_path, left_out=left_out) == {}
    assert left_out == {"frames with only void pixels": 1}


def test_the_download_as_a_data_set(tmp_path: Path) -> None:
    for split, frame in (("train", FRAME), ("val", "frankfurt_000000_000294")):
        save(tmp_path / "leftImg8bit" / split / "aachen" / f"{frame}_leftImg8bit.png", np.zeros((2, 4, 3)))
    mask = save(annotation(tmp_path, "labelTrainIds.png"), [[0, 255, 18, 1]] * 2)
    save(annotation(tmp_path, "color.png"), [[0]])
    data = open_cityscapes(tmp_path)
    assert data.classes is CLASSES
    assert data.split("train") == (NAME,)
    assert data.split("val") == ("val/aachen/frankfurt_000000_000294_leftImg8bit",)
    assert data.masks == {NAME: mask}
    with pytest.raises(DataError):
        open_cityscapes(tmp_path / "gtFine")


def test_only_its_names_are_recognised(tmp_path: Path) -> None:
    save(tmp_path / "a" / "b.png", [[0]])
    assert not is_cityscapes(tmp_path)
    save(annotation(tmp_path, "color.png"), [[0]])
    assert not is_cityscapes(tmp_path)
    save(annotation(tmp_path, "labelIds.png"), IDS)
    assert is_cityscapes(tmp_path)
    assert not is_cityscapes(annotation(tmp_path, "labelIds.png"))


def test_numbers_and_labels_that_there_are_not(tmp_path: Path) -> None:
    save(annotation(tmp_path, "labelIds.png"), [[7, 34]])
    with pytest.raises(DataError, match="numbers 34"):
        read_cityscapes(tmp_path)
    save(annotation(tmp_path, "labelTrainIds.png"), [[18, 19]])
    with pytest.raises(DataError, match="numbers 19"):
        read_cityscapes(tmp_path)
    save(annotation(tmp_path, "labelTrainIds.png"), [[[1, 2, 3]]])
    with pytest.raises(DataError, match="RGB"):
        read_cityscapes(tmp_path)
    annotation(tmp_path, "labelTrainIds.png").write_bytes(b"no image")
    with pytest.raises(DataError, match="not an image"):
        read_cityscapes(tmp_path)


@pytest.mark.parametrize(
    ("objects", "size", "message"),
    [
        ([shape("roda", 0, 0, 1, 1)], 4, "'roda'"),
        ([{"label": "road"}], 4, "polygon"),
        ([{"label": "road", "polygon": [["x", 1]]}], 4, "polygon"),
        ([3], 4, "object"),
        ([], 0, "imgWidth"),
        ([], 10**9, "pixels"),
    ],
)
def test_faults_of_polygons(tmp_path: Path, objects: list[Any], size: int, message: str) -> None:
    polygons(tmp_path, *objects, width=size)
    with pytest.raises(FormatError, match=message) as caught:
        read_cityscapes(tmp_path)
    assert "polygons.json" in str(caught.value)
