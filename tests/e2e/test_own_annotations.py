"""A data set annotated in any format trains without a rename or a config."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from underpaint import plan
from underpaint.annotations.format import Format, Writing
from underpaint.annotations.registry import WRITABLE, format_named
from underpaint.data.synthetic import SCENE_CLASSES
from underpaint.datasets.folder import open_folder
from underpaint.datasets.open import open_dataset
from underpaint.hints.outline import outline
from underpaint.hints.parts import Part
from underpaint.hints.rasterise import bitmap_of, paint_regions
from underpaint.hints.types import Bitmap, Box, Hints, Kind, Region
from underpaint.imagefiles.masks import read_index_mask

TRAINED = [form for form in WRITABLE if {Part.POLYGONS, Part.BITMAPS} & form.holds]
THINGS = [i for i, name in enumerate(SCENE_CLASSES.names) if name != "background"]


def masks_of(scenes: Path) -> dict[str, np.ndarray]:
    data = open_folder(scenes)
    return {name: read_index_mask(data.masks[name], data.classes) for name in data.splits["train"]}


def areas(mask: np.ndarray, form: Format) -> tuple[Region, ...]:
    """The objects of a mask as regions that the format holds."""
    bitmaps = [made for i in THINGS if (made := bitmap_of(SCENE_CLASSES.names[i], mask == i)) is not None]
    if Part.BITMAPS in form.holds:
        return tuple(bitmaps)
    return tuple(polygon for one in bitmaps for polygon in outline(one))


def annotate(root: Path, scenes: Path, form: Format) -> None:
    """The scenes' photographs without classes, splits and masks, and annotations as a tool would leave them."""
    shutil.copytree(scenes / "images", root / "images", ignore=shutil.ignore_patterns("test-*"))
    hints = [Hints(name, size=mask.shape, shapes=areas(mask, form)) for name, mask in masks_of(scenes).items()]
    written = root.parent / f"export{form.layout.split()[1] if form.one_file else ''}"
    form.write(written, hints, Writing(SCENE_CLASSES, {name: f"{name}.png" for name in masks_of(scenes)}))
    if written.is_dir():
        shutil.copytree(written, root if form.name == "yolo" else root / "annotations", dirs_exist_ok=True)
    else:
        shutil.copy(written, root / written.name)


@pytest.mark.parametrize("form", TRAINED, ids=lambda form: form.name)
def test_every_format_is_learned_from_as_it_lies(form: Format, scenes: Path, tmp_path: Path, small: list[str]) -> None:
    annotate(tmp_path / "data", scenes, form)
    planned = plan(tmp_path / "data", rest="background", settings=small)
    assert planned.kinds == {Kind.MASK: 8}
    assert planned.config.method.name == "supervised"
    names = planned.data.classes.names
    for name, mask in masks_of(scenes).items():
        regions = [(names.index(region.name), region) for region in planned.hints[name].regions]
        seen = paint_regions(regions, mask.shape)
        words, truth = np.array(names)[seen], np.array(SCENE_CLASSES.names)[mask]
        np.testing.assert_array_equal(words, truth)


@pytest.mark.parametrize(
    "form",
    [form if form.name == "coco" else pytest.param(form, marks=pytest.mark.slow) for form in TRAINED],
    ids=lambda form: form.name,
)
def test_every_format_trains(form: Format, scenes: Path, tmp_path: Path, small: list[str]) -> None:
    annotate(tmp_path / "data", scenes, form)
    run = plan(tmp_path / "data", settings=[*small, "train.epochs=0.5"]).train(tmp_path / "run")
    assert run.complete


def test_without_the_word_of_a_person_the_rest_is_unknown(scenes: Path, tmp_path: Path, small: list[str]) -> None:
    annotate(tmp_path / "data", scenes, format_named("coco"))
    planned = plan(tmp_path / "data", settings=small)
    assert not any(region.name == "background" for hint in planned.hints.values() for region in hint.regions)
    assert "--rest background" in planned.warning
    other = plan(tmp_path / "data", rest="sand", settings=small)
    assert other.data.classes.names[0] == "sand"
    assert other.data.classes.background == 0
    assert any("8 images: all pixels without an annotation are 'sand'" in note for note in other.notes)


def test_boxes_are_complete_where_the_rest_is_background(scenes: Path, tmp_path: Path, small: list[str]) -> None:
    coco = format_named("coco")
    annotate(tmp_path / "data", scenes, coco)
    boxed = []
    for name, mask in masks_of(scenes).items():
        regions = [region for region in areas(mask, coco) if isinstance(region, Bitmap)]
        boxes = tuple(Box(r.name, r.x, r.y, r.x + r.width, r.y + r.height) for r in regions)
        boxed.append(Hints(name, size=mask.shape, shapes=boxes))
    coco.write(tmp_path / "data/export.json", boxed, Writing(SCENE_CLASSES))
    assert open_dataset(tmp_path / "data").annotations == (tmp_path / "data/export.json",)
    plain, filled = (plan(tmp_path / "data", rest=rest, settings=small) for rest in (None, "background"))
    assert plain.kinds == filled.kinds == {Kind.BOX: 8}
    assert not any(hint.boxed for hint in plain.hints.values())
    assert all(len(hint.boxed) == len(THINGS) for hint in filled.hints.values())
