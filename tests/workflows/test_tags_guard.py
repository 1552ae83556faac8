"""Tags that cannot work are refused before the training, with what to do instead."""

from __future__ import annotations

from pathlib import Path

import pytest

from underpaint.core.classes import ClassTable
from underpaint.core.errors import DataError
from underpaint.hints.types import Click, Hints, Tags
from underpaint.workflows.simulate import simulate
from underpaint.workflows.tags import check_tags
from underpaint.workflows.train import plan

WITH = ClassTable.of(("background", "cat", "dog", "cow"))
STREET = ClassTable.of(("road", "sky", "car", "pole"))


def tagged(classes: ClassTable, *rows: str, complete: bool = True) -> dict[str, Hints]:
    found = {}
    for number, row in enumerate(rows):
        present = frozenset(row.split())
        tags = Tags.complete(present, classes.names) if complete else Tags(present)
        found[str(number)] = Hints(str(number), tags=tags)
    return found


def test_varied_tags_pass_without_a_word() -> None:
    assert check_tags(tagged(WITH, "cat", "dog", "cow cat"), WITH) == []


def test_one_class_in_every_image() -> None:
    with pytest.raises(DataError, match=r"'cat' is the only class tagged, and none of the 2 images") as caught:
        check_tags(tagged(WITH, "cat", "cat", complete=False), WITH)
    assert "scribbles or boxes" in str(caught.value)
    with pytest.raises(DataError, match=r"1 of 1 tagged classes are in nearly every image \(cat\)"):
        check_tags(tagged(WITH, *["cat"] * 40, "background"), WITH)


def test_one_class_with_images_that_lack_it_is_enough() -> None:
    assert check_tags(tagged(WITH, "cat", "background", "cat"), WITH) == []


def test_tags_that_never_say_no() -> None:
    with pytest.raises(DataError, match="of no class the tags of the 2 images say that it is absent"):
        check_tags(tagged(WITH, "cat", "dog cow", complete=False), WITH)


def test_street_scenes() -> None:
    with pytest.raises(DataError, match=r"2 of 4 tagged classes .*\(road, sky\)"):
        check_tags(tagged(STREET, "road sky car", "road sky", "road sky pole"), STREET)


def test_a_constant_class_among_others_is_a_note() -> None:
    notes = check_tags(tagged(WITH, "cat dog", "cat cow", "cat dog cow"), WITH)
    assert len(notes) == 1
    assert "cannot place cat" in notes[0]


def test_hints_on_pixels_lift_every_objection() -> None:
    found = tagged(WITH, "cat", "cat")
    found["0"] = Hints("0", clicks=(Click("cat", 1.0, 1.0),), tags=found["0"].tags)
    assert check_tags(found, WITH) == []


def test_auto_chooses_sc_cam_for_tags_alone(scenes: Path, tmp_path: Path) -> None:
    path = tmp_path / "tags.jsonl"
    simulate(scenes, path, kind="tags")
    assert plan(scenes, hints=[path]).config.method.name == "sc-cam"
