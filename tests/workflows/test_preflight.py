"""What is said of hints before a training: by `train` and by `doctor` the same; what cannot work is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from underpaint import plan, simulate
from underpaint.annotations.jsonl import write_hints
from underpaint.core.classes import ClassTable
from underpaint.core.errors import DataError
from underpaint.doctor import Level, examine
from underpaint.hints.types import Click, Hints, Tags
from underpaint.workflows.preflight import preflight

WITH = ClassTable.of(("background", "cat", "dog", "cow"))
STREET = ClassTable.of(("road", "sky", "car", "pole"))


def tagged(classes: ClassTable, *rows: str, complete: bool = True) -> dict[str, Hints]:
    found = {}
    for number, row in enumerate(rows):
        present = frozenset(row.split())
        tags = Tags.complete(present, classes.names) if complete else Tags(present)
        found[str(number)] = Hints(str(number), tags=tags)
    return found


def test_varied_tags_are_sound() -> None:
    (note,) = preflight(tagged(WITH, "cat", "dog", "cow cat"), WITH).notes
    assert note.startswith("fewer than 5 images show 3 of the classes: cat (2), dog (1), cow (1); label more")
    assert preflight(tagged(WITH, *["cat", "dog", "cow cat"] * 5), WITH).notes == ()


IMPOSSIBLE = {
    "one class that all images show": (WITH, ["cat"] * 40 + ["background"], True, "1 of the 1 tagged classes: cat"),
    "one class, and no image lacks it": (WITH, ["cat", "cat"], False, "lack any of the 1 tagged classes: cat"),
    "tags that never say no": (WITH, ["cat", "dog cow"], False, "lack any of the 3 tagged classes: cat, dog, cow"),
    "street scenes": (STREET, ["road sky car", "road sky", "road sky pole"], True, "2 of the 4 .*: road, sky"),
}


@pytest.mark.parametrize("case", IMPOSSIBLE)
def test_tags_that_cannot_work_are_refused_by_train_and_block_for_doctor(case: str, tmp_path: Path) -> None:
    classes, rows, complete, said = IMPOSSIBLE[case]
    hints = tagged(classes, *rows, complete=complete)
    with pytest.raises(DataError, match=f"tags alone cannot work here: .*{said}") as caught:
        preflight(hints, classes)
    assert "scribbles or boxes" in str(caught.value)
    (tmp_path / "images").mkdir()
    (tmp_path / "classes.txt").write_text("\n".join(classes.names), encoding="utf-8")
    for name in hints:
        Image.fromarray(np.zeros((32, 32, 3), np.uint8)).save(tmp_path / "images" / f"{name}.png")
    write_hints(tmp_path / "tags.jsonl", list(hints.values()))
    blocking = [f for f in examine(tmp_path, hints=[tmp_path / "tags.jsonl"]).findings if f.level is Level.BLOCKS]
    assert [finding.what in str(caught.value) for finding in blocking] == [True]


def test_one_class_with_images_that_lack_it_is_enough() -> None:
    notes = preflight(tagged(WITH, "cat", "background", "cat"), WITH).notes
    assert [note for note in notes if "tags" in note] == []


def test_a_constant_class_among_others_is_a_note() -> None:
    notes = preflight(tagged(WITH, "cat dog", "cat cow", "cat dog cow"), WITH).notes
    assert any(
        note.startswith("tags cannot show the positions of 1 of the 3 tagged classes, which nearly every")
        for note in notes
    )
    assert any("every image shows: cat; add images" in note for note in notes)


def test_hints_on_pixels_lift_every_objection_to_tags() -> None:
    found = tagged(WITH, "cat", "cat")
    found["0"] = Hints("0", shapes=(Click("cat", 1.0, 1.0),), tags=found["0"].tags)
    assert [note for note in preflight(found, WITH).notes if "tags" in note] == []


def test_classes_without_a_label_are_named() -> None:
    hints = {"0": Hints("0", shapes=(Click("cat", 1.0, 1.0), Click("background", 5.0, 5.0)))}
    checked = preflight(hints, WITH)
    assert checked.warning == ""
    assert any(note.startswith("no label shows 2 of the classes: dog, cow; label some") for note in checked.notes)


def test_hints_that_name_nothing_are_refused() -> None:
    with pytest.raises(DataError, match="nothing can be learned"):
        preflight({"0": Hints("0", tags=Tags(absent=frozenset({"cat"})))}, WITH)


def test_auto_chooses_sc_cam_for_tags_alone(scenes: Path, tmp_path: Path) -> None:
    path = tmp_path / "tags.jsonl"
    simulate(scenes, path, kind="tags")
    assert plan(scenes, hints=[path]).config.method.name == "sc-cam"


@pytest.mark.parametrize(("method", "crop", "scale", "said"), [
    ("partial", 256, 0.25, "the network sees crops of 64 x 64 pixels"), ("partial", 1024, 0.25, None),
    ("partial", 64, 1.0, None), ("quick", 256, 0.25, None),
])  # fmt: skip
def test_crops_that_a_scale_makes_too_small_are_said(
    scenes: Path, tmp_path: Path, method: str, crop: int, scale: float, said: str | None
) -> None:
    path = tmp_path / "clicks.jsonl"
    simulate(scenes, path, kind="clicks")
    settings = [f"views.crop=[{crop},{crop}]", f"model.scale={scale}"]
    found = [note for note in plan(scenes, hints=[path], method=method, settings=settings).notes if "crops of" in note]
    assert len(found) == (said is not None)
    for note in found:
        assert note.startswith(str(said))
        assert note.endswith("set views.crop=[1024,1024]")
