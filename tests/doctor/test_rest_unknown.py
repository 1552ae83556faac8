"""Where hints show objects alone, `doctor` and `train` say first that the masks will contain only objects."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from underpaint import plan
from underpaint.annotations.jsonl import write_hints
from underpaint.core.classes import ClassTable
from underpaint.doctor import Level, examine
from underpaint.doctor.rest import BackgroundCheck
from underpaint.hints.types import Box, Click, Hints, Polygon, Scribble, Tags

WITH = ClassTable.of(("background", "cat", "dog"))
WITHOUT = ClassTable.of(("cat", "dog"))
SIZE = (40, 60)


def area(name: str, width: float = 20.0, height: float = 20.0) -> Polygon:
    return Polygon(name, ((0.0, 0.0), (width, 0.0), (width, height), (0.0, height)))


CAT, BOX = area("cat"), Box("cat", 5.0, 5.0, 20.0, 20.0)
STROKE = Scribble("cat", ((1.0, 1.0), (9.0, 9.0)))
BEHIND = Scribble("background", ((30.0, 30.0),))
NO_BACKGROUND = Tags(absent=frozenset({"background"}))
FLOODS = {
    "areas": (WITH, Hints("p0", SIZE, shapes=(CAT,))),
    "areas of all classes but the background": (WITH, Hints("p0", SIZE, shapes=(CAT, area("dog", 9.0)))),
    "boxes": (WITH, Hints("p0", SIZE, shapes=(BOX,))),
    "boxes with tags": (WITH, Hints("p0", SIZE, shapes=(BOX,), tags=Tags(frozenset({"cat"})))),
    "areas and strokes on objects": (WITH, Hints("p0", SIZE, shapes=(STROKE, CAT))),
    "strokes on objects": (WITH, Hints("p0", SIZE, shapes=(STROKE,))),
    "clicks on objects": (WITH, Hints("p0", SIZE, shapes=(Click("cat", 3.0, 3.0),))),
    "areas, no background in the table": (WITHOUT, Hints("p0", SIZE, shapes=(CAT,))),
    "boxes, no background in the table": (WITHOUT, Hints("p0", SIZE, shapes=(BOX,))),
}
SOUND = {
    "a stroke on the background": (
        WITH,
        Hints("p0", SIZE, shapes=(BEHIND, CAT)),
    ),
    "an area of background": (WITH, Hints("p0", SIZE, shapes=(area("background", 60, 40), CAT))),
    "complete boxes": (WITH, Hints("p0", SIZE, shapes=(BOX,), boxed=frozenset({"cat", "dog"}))),
    "a label image": (WITH, Hints("p0", SIZE, mask="masks/p0.png")),
    "no background in this image": (
        WITH,
        Hints("p0", SIZE, shapes=(CAT,), tags=NO_BACKGROUND),
    ),
    "areas that cover all": (WITH, Hints("p0", SIZE, shapes=(area("cat", 60, 39),))),
    "tags alone": (WITH, Hints("p0", SIZE, tags=Tags(frozenset({"cat"})))),
    "scenes labelled in part": (WITHOUT, Hints("p0", SIZE, shapes=(area("cat", 60, 21),))),
    "strokes, no background in the table": (WITHOUT, Hints("p0", SIZE, shapes=(STROKE,))),
}


@pytest.mark.parametrize("case", FLOODS)
def test_objects_alone_are_warned_of(case: str) -> None:
    table, hints = FLOODS[case]
    rest = BackgroundCheck(table)
    rest.add(hints)
    (finding,) = rest.findings()
    assert (finding.key, finding.level, finding.count) == ("rest-unknown", Level.WARNS, 1)
    assert "only objects" in finding.what
    assert ("--rest background" in finding.fix) == bool(hints.regions or hints.boxes)
    assert "stroke on the background" in finding.fix


@pytest.mark.parametrize("case", SOUND)
def test_where_something_says_what_the_rest_is_nothing_is_said(case: str) -> None:
    table, hints = SOUND[case]
    rest = BackgroundCheck(table)
    rest.add(hints)
    assert rest.findings() == []


def test_one_image_with_background_is_enough() -> None:
    rest = BackgroundCheck(WITH)
    rest.add(FLOODS["areas"][1])
    rest.add(SOUND["a stroke on the background"][1])
    rest.add(FLOODS["boxes"][1])
    assert rest.findings() == []


@pytest.fixture
def objects(tmp_path: Path) -> Path:
    """Four photographs with a COCO file of one area each and no class list, as annotation tools leave them."""
    rng = np.random.default_rng(0)
    images, annotations = [], []
    for i in range(4):
        Image.fromarray(rng.integers(0, 256, (*SIZE, 3), np.uint8)).save(tmp_path / f"p{i}.png")
        images.append({"id": i, "file_name": f"p{i}.png", "height": SIZE[0], "width": SIZE[1]})
        ring = [5, 5, 25, 5, 25, 25, 5, 25]
        annotations.append({"id": i, "image_id": i, "category_id": 1, "segmentation": [ring], "bbox": [5, 5, 20, 20]})
    content = {"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "fruit"}]}
    (tmp_path / "coco.json").write_text(json.dumps(content))
    return tmp_path


def test_doctor_says_so_first_and_no_longer_advises_to_drop_the_class(objects: Path) -> None:
    report = examine(objects)
    assert report.findings[0].key == "rest-unknown"
    assert report.findings[0].count == 4
    assert not any("background" in finding.names for finding in report.findings)
    assert "rest-unknown" not in [finding.key for finding in examine(objects, rest="background").findings]


def test_train_says_so_before_anything_else(objects: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        made = plan(objects)
    assert [record.getMessage() for record in caplog.records] == [made.warning]
    assert made.warning.splitlines()[0] == "no hint shows background: the masks will contain only objects"
    assert "--rest background" in made.warning
    assert not any("label shows" in note for note in made.notes)
    caplog.clear()
    assert plan(objects, rest="background").warning == ""
    assert caplog.records == []


def test_complete_boxes_show_the_background(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "classes.txt").write_text("background\ncat\ndog\n")
    for i in range(2):
        Image.fromarray(np.zeros((*SIZE, 3), np.uint8)).save(tmp_path / "images" / f"p{i}.png")
    boxed = frozenset({"cat", "dog"})
    write_hints(tmp_path / "h.jsonl", [Hints(f"p{i}", SIZE, shapes=(BOX,), boxed=boxed) for i in range(2)])
    findings = {finding.key: finding for finding in examine(tmp_path, hints=[tmp_path / "h.jsonl"]).findings}
    assert findings["class-never"].names == ("dog",)
    made = plan(tmp_path, hints=[tmp_path / "h.jsonl"])
    assert made.warning == ""
    assert any(note.startswith("no label shows 1 of the classes: dog;") for note in made.notes)
