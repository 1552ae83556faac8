"""From one format to another: what is lost is said, what is written covers the same pixels, nothing is overwritten."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from benchmarks import format_tables
from PIL import Image
from typer.testing import CliRunner

from underpaint.annotations.format import Format
from underpaint.annotations.jsonl import read_hints, write_hints
from underpaint.annotations.registry import WRITABLE
from underpaint.cli import app
from underpaint.core.classes import ClassTable
from underpaint.core.errors import DataError, HintError
from underpaint.datasets.convert import plan_conversion
from underpaint.datasets.folder import open_folder
from underpaint.datasets.hints import read_any_hints
from underpaint.hints.parts import Part
from underpaint.hints.rasterise import UNKNOWN, numbered, paint_regions
from underpaint.hints.types import Bitmap, Box, Click, Hints, Polygon, Scribble, Tags
from underpaint.imagefiles.masks import read_index_mask, write_index_mask

TABLE = ClassTable.of(["background", "car", "person"])
SIZE = (20, 30)
HOLED = Polygon("car", ((2, 2), (12, 2), (12, 12), (2, 12)), (((5, 5), (8, 5), (8, 8), (5, 8)),))
DOT = Bitmap("person", 20, 3, 3, 3, (0, 2, 1, 1, 4, 1))
FULL = Hints(
    "d/a_leftImg8bit",
    size=SIZE,
    shapes=(
        Click("car", 1.5, 1.5),
        Scribble("person", ((1, 15), (9, 15)), width=2.0),
        Box("car", 2, 2, 12, 12),
        HOLED,
        DOT,
    ),
    boxed=frozenset({"car"}),
    tags=Tags(frozenset({"car"}), frozenset({"background"})),
    seconds=3.0,
    source="anna",
)
AREAS = [form for form in WRITABLE if {Part.POLYGONS, Part.BITMAPS} & (form.holds | form.as_pixels)]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A data set of one photograph with every kind of hint."""
    data = tmp_path / "data"
    (data / "images/d").mkdir(parents=True)
    Image.new("RGB", SIZE[::-1]).save(data / "images/d/a_leftImg8bit.png")
    (data / "classes.txt").write_text("\n".join(TABLE.names))
    write_hints(data / "hints.jsonl", [FULL])
    return data


def ending(form: Format) -> str:
    return form.layout.split()[1] if form.one_file else ""


def painted(hints: Hints, data_root: Path) -> np.ndarray:
    labels = None
    if hints.mask is not None:
        labels = read_index_mask(data_root / hints.mask, TABLE, void_stated=True)
    return paint_regions(numbered(hints.regions, TABLE), SIZE, labels)


@pytest.mark.parametrize("form", AREAS, ids=lambda form: form.name)
def test_areas_cover_the_same_pixels_in_every_format(form: Format, root: Path, tmp_path: Path) -> None:
    areas = Hints("d/a_leftImg8bit", size=SIZE, shapes=FULL.regions)
    write_hints(root / "hints.jsonl", [areas])
    out = tmp_path / f"out{ending(form)}"
    planned = plan_conversion(root, to=form.name)
    assert not planned.losses.lost.keys() & {Part.POLYGONS, Part.BITMAPS, Part.HOLES}
    planned.write(out)
    data = open_folder(root)
    back, report = read_any_hints(out, data)
    assert report.sources == [(out, form.title)]
    np.testing.assert_array_equal(painted(back["d/a_leftImg8bit"], root), painted(areas, root))


@pytest.mark.parametrize("form", AREAS, ids=lambda form: form.name)
def test_masks_become_areas_of_the_same_pixels(form: Format, root: Path, tmp_path: Path) -> None:
    (root / "hints.jsonl").unlink()
    mask = np.random.default_rng(0).integers(0, 3, SIZE).astype(np.uint8)
    mask[3:6, 4:9] = UNKNOWN
    write_index_mask(root / "masks/d/a_leftImg8bit.png", mask, TABLE)
    out = tmp_path / f"out{ending(form)}"
    planned = plan_conversion(root, to=form.name)
    assert planned.source == "masks of the data set"
    planned.write(out)
    back, _ = read_any_hints(out, open_folder(root))
    np.testing.assert_array_equal(painted(back["d/a_leftImg8bit"], root), mask)


def test_what_is_lost_is_counted(root: Path) -> None:
    losses = plan_conversion(root, to="coco").losses
    kept = {Part.CLICKS: 1, Part.BOXES: 1, Part.POLYGONS: 1, Part.BITMAPS: 1, Part.SIZES: 1}
    lost = [Part.SCRIBBLES, Part.WIDTHS, Part.BOXED, Part.TAGS, Part.ABSENT, Part.SOURCES, Part.SECONDS]
    assert losses.kept == kept
    assert losses.as_pixels == {Part.HOLES: 1}
    assert losses.lost == dict.fromkeys(lost, 1)
    assert losses.lines()[0].startswith("lost: 1 scribbles, 1 pen widths")
    assert not plan_conversion(root, to="underpaint").losses.lost


def test_annotations_without_their_photographs(root: Path, tmp_path: Path) -> None:
    plan_conversion(root / "hints.jsonl", to="coco").write(tmp_path / "coco.json")
    back = plan_conversion(tmp_path / "coco.json", to="underpaint")
    assert (back.source, back.classes.names) == ("COCO JSON", ("background", "car", "person"))
    back.write(tmp_path / "again.jsonl")
    assert read_hints(tmp_path / "again.jsonl")["d/a_leftImg8bit"].boxes == FULL.boxes
    folder = tmp_path / "labelme"
    plan_conversion(tmp_path / "again.jsonl", to="labelme").write(folder)
    assert plan_conversion(folder, to="underpaint").hints["d/a_leftImg8bit"].clicks == FULL.clicks
    plan_conversion(root, to="yolo").write(tmp_path / "yolo")
    with pytest.raises(DataError, match="cannot be read without the images"):
        plan_conversion(tmp_path / "yolo", to="coco")


def test_the_rest_is_written_as_well(root: Path, tmp_path: Path) -> None:
    write_hints(root / "hints.jsonl", [Hints("d/a_leftImg8bit", size=SIZE, shapes=FULL.regions)])
    plan_conversion(root, to="masks", rest="background").write(tmp_path / "out")
    mask = read_index_mask(tmp_path / "out/d/a_leftImg8bit.png", TABLE)
    assert not (mask == UNKNOWN).any()
    expected = painted(Hints("d/a_leftImg8bit", shapes=FULL.regions), root)
    np.testing.assert_array_equal(mask, np.where(expected == UNKNOWN, 0, expected))


def test_strokes_and_clicks_become_pixels_of_label_images(root: Path, tmp_path: Path) -> None:
    plan_conversion(root, to="masks").write(tmp_path / "out")
    mask = read_index_mask(tmp_path / "out/d/a_leftImg8bit.png", TABLE)
    assert mask[1, 1] == TABLE.index("car")
    assert mask[15, 5] == mask[14, 5] == TABLE.index("person")
    assert (tmp_path / "out/classes.txt").read_text().startswith("background 0 0 0\ncar ")


def test_nothing_is_overwritten_or_half_written(root: Path, tmp_path: Path) -> None:
    (tmp_path / "old.json").write_text("mine")
    with pytest.raises(DataError, match="with this name exists"):
        plan_conversion(root, to="coco").write(tmp_path / "old.json")
    assert (tmp_path / "old.json").read_text() == "mine"
    with pytest.raises(DataError, match=r"ends in \.json"):
        plan_conversion(root, to="coco").write(tmp_path / "old.txt")
    with pytest.raises(DataError, match="there is no format 'coko'") as caught:
        plan_conversion(root, to="coko")
    assert "cityscapes" not in str(caught.value), "it cannot be written"
    for name in ("whats-the-point", "scribblesup", "cityscapes"):
        with pytest.raises(DataError, match=r"does not write them\n  accepted: underpaint, coco, labelme, .*, masks"):
            plan_conversion(root, to=name)
    write_hints(root / "hints.jsonl", [Hints("d/a_leftImg8bit", size=SIZE, tags=FULL.tags)])
    with pytest.raises(DataError, match="cannot store any"):
        plan_conversion(root, to="coco").write(tmp_path / "new.json")
    (root / "hints.jsonl").write_text("")
    write_hints(tmp_path / "bare.jsonl", [Hints("../a", shapes=(DOT,))])
    with pytest.raises((DataError, HintError)):
        plan_conversion(tmp_path / "bare.jsonl", to="labelme").write(tmp_path / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bare.jsonl", "data", "old.json"]


def test_the_command(root: Path, tmp_path: Path) -> None:
    told = CliRunner().invoke(app, ["convert", str(root), str(tmp_path / "o.json"), "--to", "coco"])
    assert told.exit_code == 0, told.output
    assert re.search(
        r"1 images, hints file -> COCO JSON\nlost: 1 scribbles.*\nkept as the pixels.*\nkept: ", told.output
    )
    made = CliRunner().invoke(app, ["convert", str(root), str(tmp_path / "o.csv"), "--to", "tags", "--json"])
    assert json.loads(made.output)["kept"] == {"tags": 1, "absent classes": 1}
    assert (tmp_path / "o.csv").read_text() == "image,background,car,person\nd/a_leftImg8bit.png,0,1,\n"


def test_the_tables_of_the_documentation_are_current() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs/formats.md").read_text(encoding="utf-8")
    assert format_tables.updated(page) == page, "run: python -m benchmarks.format_tables docs/formats.md"
    with pytest.raises(DataError, match="no place"):
        format_tables.updated("nothing")


def rectangle(label: list[str], width: float = 20.0) -> dict[str, object]:
    value = {"x": 10.0, "y": 10.0, "width": width, "height": 20.0, "rotation": 0, "rectanglelabels": label}
    return {"type": "rectanglelabels", "original_width": SIZE[1], "original_height": SIZE[0], "value": value}


@pytest.mark.parametrize("alone", [False, True])
def test_what_a_reader_leaves_out_is_said(tmp_path: Path, alone: bool) -> None:
    (tmp_path / "data/images").mkdir(parents=True)
    Image.new("RGB", SIZE[::-1]).save(tmp_path / "data/images/p.png")
    shapes = [rectangle(["cat"]), rectangle(["cat", "dog"]), rectangle(["cat"], width=0.0)]
    tasks = [("p.png", shapes), ("elsewhere.png", [rectangle(["cat"])])]
    content = [{"data": {"image": name}, "annotations": [{"result": result}]} for name, result in tasks]
    (tmp_path / "data/tasks.json").write_text(json.dumps(content))
    source = tmp_path / "data/tasks.json" if alone else tmp_path / "data"
    call = ["convert", str(source), str(tmp_path / "out.json"), "--to", "coco"]
    text = CliRunner().invoke(app, call).stdout
    assert "not read: 1 left out: regions with several labels" in text
    assert "not read: 1 left out: boxes without area in the image" in text
    assert ("not read: 1 hinted images are not in the data set: elsewhere" in text) is not alone
    written = json.loads((tmp_path / "out.json").read_text())
    assert len(written["annotations"]) == (2 if alone else 1)
    (tmp_path / "out.json").unlink()
    said = json.loads(CliRunner().invoke(app, [*call, "--json"]).stdout)
    assert len(said["not_read"]) == (2 if alone else 3)


def test_masks_without_a_photograph_are_said(tmp_path: Path) -> None:
    for name in ("images/a.png", "masks/a.png", "masks/b.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        write_index_mask(tmp_path / name, np.ones(SIZE, np.uint8), TABLE)
    (tmp_path / "classes.txt").write_text("\n".join(TABLE.names))
    assert plan_conversion(tmp_path, to="coco").left_out == ["1 masks have no image: b"]


def test_a_click_file_by_itself_brings_its_background(tmp_path: Path) -> None:
    things = [{"x": 1.5, "y": 2, "cls": 8, "rank": 2}, {"x": 3, "y": 4, "cls": 1, "rank": 1}]
    (tmp_path / "clicks.json").write_text(json.dumps({"a": things}))
    (tmp_path / "clicks_bg_from_scribbles.json").write_text(json.dumps({"a": [{"x": 5, "y": 6, "cls": 0}]}))
    planned = plan_conversion(tmp_path / "clicks.json", to="underpaint")
    assert planned.hints["a"].clicks == (Click("aeroplane", 3, 4), Click("cat", 1.5, 2), Click("background", 5, 6))
    assert planned.classes.names == ("background", "aeroplane", "cat")
