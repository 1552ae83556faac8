"""Masks as people have them: read right, or refused with what mends them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from underpaint import evaluate
from underpaint.annotations.jsonl import read_hints, write_hints
from underpaint.cli import app
from underpaint.core.classes import ClassTable, read_classes
from underpaint.core.errors import DataError
from underpaint.datasets.areas import open_with_truth, require_truth
from underpaint.datasets.convert import plan_conversion
from underpaint.datasets.folder import DataFolder
from underpaint.datasets.hints import read_any_hints
from underpaint.datasets.open import open_dataset
from underpaint.doctor.examination import examine
from underpaint.hints.types import Box, Click, Hints, Kind, Polygon, Tags
from underpaint.imagefiles.masks import LabelFile, hold_strokes, read_index_mask
from underpaint.simulate.run import simulate
from underpaint.workflows.training_data import read_training_data

SIZE = (20, 30)
TWO = ClassTable.of(["membrane", "cell"], None)
BLACK_AND_WHITE = ClassTable(("membrane", "cell"), ((0, 0, 0), (255, 255, 255)))


def photograph(root: Path, classes: str, *names: str) -> Path:
    (root / "images").mkdir(parents=True)
    for name in names or ("p",):
        Image.new("RGB", SIZE[::-1]).save(root / f"images/{name}.png")
    (root / "classes.txt").write_text(classes)
    return root


def saved(path: Path, values: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values).save(path)
    return path


def drawn(share: float, label: int = 1) -> np.ndarray:
    """A label image with one class in this share of its pixels."""
    flat = np.full(SIZE[0] * SIZE[1], 255, np.uint8)
    flat[: round(share * flat.size)] = label
    return flat.reshape(SIZE)


@pytest.mark.parametrize("kind", ["8 bits", "1 bit"])
@pytest.mark.parametrize("stated", [False, True])
def test_black_and_white_are_read_by_colour_where_the_list_says_so(tmp_path: Path, kind: str, stated: bool) -> None:
    values = np.array([[0, 255, 255]], np.uint8)
    file = saved(tmp_path / "m.png", values if kind == "8 bits" else values > 0)
    assert read_index_mask(file, BLACK_AND_WHITE, void_stated=stated).tolist() == [[0, 1, 1]]
    turned = ClassTable(("cell", "membrane"), ((255, 255, 255), (0, 0, 0)))
    assert read_index_mask(file, turned, void_stated=stated).tolist() == [[1, 0, 0]]
    saved(file, np.array([[0, 1, 1]], np.uint8))
    assert read_index_mask(file, BLACK_AND_WHITE, void_stated=stated).tolist() == [[0, 1, 1]]


def test_numbers_that_may_be_grey_values_as_well_are_refused(tmp_path: Path) -> None:
    file = saved(tmp_path / "m.png", np.zeros((2, 2), np.uint8))
    with pytest.raises(DataError, match="class numbers or grey values"):
        read_index_mask(file, ClassTable(("cell", "membrane"), ((255, 255, 255), (0, 0, 0))))
    assert not read_index_mask(file, BLACK_AND_WHITE).any()


def test_a_refused_mask_of_two_values_names_the_lines_that_mend_it(tmp_path: Path) -> None:
    root = photograph(tmp_path / "data", "background\ncrack\n")
    saved(root / "masks/p.png", np.repeat([[0, 255]], 20, axis=0).repeat(15, axis=1).astype(np.uint8))
    said = "'background 0 0 0' and 'crack 255 255 255'"
    with pytest.raises(DataError, match=said):
        read_training_data(root)
    assert any(said in finding.cause for finding in examine(root).findings)
    (root / "classes.txt").write_text("background 0 0 0\ncrack 255 255 255\n")
    assert read_training_data(root).hints["p"].kinds() == {Kind.MASK}
    assert examine(root).balance[1]["pixels"] == 300


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_number_for_each_object(tmp_path: Path, dtype: type[np.uint8] | type[np.uint16]) -> None:
    root = photograph(tmp_path / "data", "background\nnucleus\n")
    values: np.ndarray = np.zeros(SIZE, dtype)
    values[2:18, 5:25] = np.arange(1, 321, dtype=np.uint16).reshape(16, 20) if dtype is np.uint16 else 255
    values[2:5, 5:8] = np.arange(1, 10).reshape(3, 3)
    saved(root / "masks/p.tif", values)
    assert any(
        "every object has its own number" in f.cause and "--instances 'nucleus'" in f.cause
        for f in examine(root).findings
    )
    with pytest.raises(DataError, match="every object has its own number"):
        read_training_data(root)
    plan_conversion(root, to="masks", instances="nucleus").write(tmp_path / "out")
    mask = read_index_mask(tmp_path / "out/p.png", open_dataset(root).classes)
    np.testing.assert_array_equal(mask, (values > 0).astype(np.uint8))
    assert read_classes(tmp_path / "out/classes.txt").names == ("background", "nucleus")
    plan_conversion(root / "masks", to="masks", instances="nucleus").write(tmp_path / "alone")
    assert (tmp_path / "alone/p.png").read_bytes() == (tmp_path / "out/p.png").read_bytes()
    write_hints(tmp_path / "h.jsonl", [Hints("p", shapes=(Click("nucleus", 3, 3),))])
    with pytest.raises(DataError, match="for label images with a number for each object"):
        plan_conversion(tmp_path / "h.jsonl", to="coco", instances="nucleus")


@pytest.mark.parametrize("mode", ["RGBA", "P"])
def test_strokes_on_a_transparent_layer(tmp_path: Path, mode: str) -> None:
    root = photograph(tmp_path / "data", "background 0 0 255\nnucleus 255 0 0\n")
    layer = np.zeros((*SIZE, 4), np.uint8)
    layer[3:5, 2:28], layer[10:12, 4:20] = (255, 0, 0, 255), (0, 0, 255, 255)
    image = Image.fromarray(layer)
    (tmp_path / "strokes").mkdir()
    if mode == "P":  # as GIMP exports indexed colours: the palette's order is its own
        image = Image.fromarray(np.where(layer[..., 3] == 0, 2, layer[..., 2] // 255).astype(np.uint8), "P")
        image.putpalette([255, 0, 0, 0, 0, 255, 0, 0, 0])
        image.save(tmp_path / "strokes/p.png", transparency=2)
    else:
        image.save(tmp_path / "strokes/p.png")
    data = read_training_data(root, hints=[tmp_path / "strokes"])
    file = data.data.labels(data.hints["p"])
    assert file is not None
    expected = np.full(SIZE, 255, np.uint8)
    expected[3:5, 2:28], expected[10:12, 4:20] = 1, 0
    np.testing.assert_array_equal(file.read(data.data.classes), expected)
    assert data.hints["p"].kinds() == {Kind.SCRIBBLE}


@pytest.mark.parametrize("place", ["hints", "masks"])
@pytest.mark.parametrize(("share", "kind"), [(0.03, Kind.SCRIBBLE), (0.19, Kind.SCRIBBLE), (0.21, Kind.MASK)])
def test_few_labelled_pixels_are_scribbles(tmp_path: Path, place: str, share: float, kind: Kind) -> None:
    root = photograph(tmp_path / "data", "background\ncat\n")
    folder = root / "masks" if place == "masks" else tmp_path / "strokes"
    saved(folder / "p.png", drawn(share))
    data = read_training_data(root, hints=[] if place == "masks" else [folder])
    assert data.hints["p"].kinds() == {kind}
    assert examine(root, hints=[] if place == "masks" else [folder]).kinds == {kind.value: 1}


@pytest.mark.parametrize(("few", "strokes"), [(0, False), (3, False), (9, False), (11, True), (20, True)])
def test_a_folder_is_of_masks_or_of_strokes_as_most_of_its_files_are(tmp_path: Path, few: int, strokes: bool) -> None:
    shares = [0.05] * few + [0.9] * (20 - few)
    files = {f"{i:03d}": LabelFile(saved(tmp_path / f"{i:03d}.png", drawn(share))) for i, share in enumerate(shares)}
    assert hold_strokes(files, TWO) is strokes


def test_full_masks_that_are_mostly_void_teach_the_supervised_method(tmp_path: Path) -> None:
    root = photograph(tmp_path / "data", "background\ncat\n", "p", "q", "r")
    for name, share in (("p", 0.9), ("q", 0.05), ("r", 1.0)):
        saved(root / "masks" / f"{name}.png", drawn(share))
    hints = read_training_data(root).hints
    assert {name: hint.kinds() for name, hint in hints.items()} == {name: {Kind.MASK} for name in "pqr"}


@pytest.mark.parametrize("place", ["hints", "masks"])
def test_label_images_that_say_nothing_are_refused(tmp_path: Path, place: str) -> None:
    root = photograph(tmp_path / "data", "background\ncat\n", "p", "q")
    folder = root / "masks" if place == "masks" else tmp_path / "strokes"
    for name in "pq":
        image = Image.fromarray(drawn(0), "P")
        image.putpalette([0] * 768)
        folder.mkdir(exist_ok=True)
        image.save(folder / f"{name}.png")
    hints = [] if place == "masks" else [folder]
    with pytest.raises(DataError, match=r"all 2 have only void pixels \(255\)"):
        read_training_data(root, hints=hints)
    report = examine(root, hints=hints)
    assert report.blocks
    assert [row["negatives"] for row in report.balance] == [0, 0]
    saved(folder / "p.png", drawn(0.9))
    assert len(read_training_data(root, hints=hints).hints) == 2
    assert [row["negatives"] for row in examine(root, hints=hints).balance][1] == 0


def test_what_lies_outside_complete_boxes_shows_the_background(tmp_path: Path) -> None:
    root = photograph(tmp_path / "data", "background\ntree\n")
    box = Box("tree", 5, 5, 15, 10)
    write_hints(tmp_path / "h.jsonl", [Hints("p", shapes=(box,), boxed=frozenset({"tree"}))])
    report = examine(root, hints=[tmp_path / "h.jsonl"])
    assert not [f for f in report.findings if f.key == "class-never"]
    assert (report.balance[0]["images"], report.balance[0]["pixels"]) == (1, 20 * 30 - 50)


AREAS = [
    Hints("p", shapes=(Polygon("cat", ((2, 2), (12, 2), (12, 12), (2, 12))),)),
    Hints("q", shapes=(Polygon("dog", ((2, 2), (8, 2), (8, 8), (2, 8))),)),
]


@pytest.fixture
def annotated(tmp_path: Path) -> Path:
    """Photographs with areas as another tool leaves them: no masks, and no class list."""
    root = tmp_path / "data"
    root.mkdir()
    for name in "pq":
        Image.new("RGB", SIZE[::-1]).save(root / f"{name}.jpg")
    write_hints(root / "hints.jsonl", AREAS)
    return root


def truth(data: DataFolder, name: str) -> np.ndarray:
    return data.mask(name).read(data.classes)


def test_areas_are_the_truth_where_there_are_no_masks(annotated: Path, tmp_path: Path) -> None:
    data = open_with_truth(annotated, rest="background")
    expected = np.zeros(SIZE, np.uint8)
    expected[2:12, 2:12] = data.classes.index("cat")
    np.testing.assert_array_equal(truth(data, "p"), expected)
    for name in "pq":
        saved(tmp_path / f"masks/{name}.png", truth(data, name))
    assert evaluate(tmp_path / "masks", annotated, split="train", rest="background").scores.miou == 100
    expected[:] = 0
    saved(tmp_path / "masks/p.png", expected)
    assert evaluate(tmp_path / "masks", annotated, split="train", rest="background").scores.miou < 70
    boxes = {one.image: one.boxes for one in simulate(data, "train", Kind.BOX)}
    assert boxes == {"p": (Box("cat", 2, 2, 12, 12),), "q": (Box("dog", 2, 2, 8, 8),)}
    full = {one.image: one for one in simulate(data, "train", Kind.MASK)}
    assert full["p"].regions[-1] == AREAS[0].regions[0]
    assert full["p"].mask is None


def test_areas_that_leave_much_unknown_are_no_truth(annotated: Path) -> None:
    with pytest.raises(
        DataError, match=r"(?s)89% of the pixels unknown.*--rest background.*convert DATA OUT --to masks"
    ):
        evaluate(annotated, annotated, split="train")
    write_hints(annotated / "hints.jsonl", [AREAS[0], Hints("q", shapes=(Click("dog", 3, 3),))])
    with pytest.raises(DataError, match=r"(?s)1 of 2 images have no mask: q.*convert DATA OUT --to masks --rest"):
        require_truth(open_with_truth(annotated, rest="background"), ["p", "q"])


@pytest.mark.parametrize("name", ["class_names.txt", "labelmap.txt", "classes.txt"])
def test_a_devkit_layout_has_the_classes_of_its_list(tmp_path: Path, name: str) -> None:
    root = tmp_path / "kit"
    for folder in ("JPEGImages", "SegmentationClass"):
        saved(root / folder / "p.png", np.ones(SIZE, np.uint8))
    with pytest.raises(DataError, match=r"1 images are not VOC's: p"):
        open_dataset(root)
    lines = {"labelmap.txt": "background:0,0,0::\ndate:9,9,9::\n"}.get(name, "_background_\ndate\n")
    (root / name).write_text(lines.replace("_background_", "background") if name == "classes.txt" else lines)
    data = open_dataset(root)
    assert (data.classes.names, data.classes.background) == (("background", "date"), 0)
    assert (truth(data, "p") == 1).all()
    (root / name).unlink()
    for folder in ("JPEGImages", "SegmentationClass"):
        (root / folder / "p.png").rename(root / folder / "2007_000032.png")
    assert open_dataset(root).classes.names[1] == "aeroplane"


def test_label_images_beside_other_hints_of_the_same_image(tmp_path: Path) -> None:
    data = open_dataset(photograph(tmp_path / "data", "background\ncat\n"))
    saved(tmp_path / "strokes/p.png", drawn(0.05))
    write_hints(tmp_path / "h.jsonl", [Hints("p", shapes=(Box("cat", 1, 1, 9, 9),))])
    for paths in ([tmp_path / "strokes", tmp_path / "h.jsonl"], [tmp_path / "h.jsonl", tmp_path / "strokes"]):
        hints, _ = read_any_hints(paths, data)
        assert hints["p"].kinds() == {Kind.SCRIBBLE, Kind.BOX}


def test_the_commands_take_the_same_words(annotated: Path, tmp_path: Path) -> None:
    data = open_with_truth(annotated, rest="background")
    for name in "pq":
        saved(tmp_path / f"masks/{name}.png", truth(data, name))
    said = [str(annotated), "--split", "train", "--rest", "background"]
    scored = CliRunner().invoke(app, ["evaluate", str(tmp_path / "masks"), *said, "--json"])
    assert scored.exit_code == 0, scored.output
    assert json.loads(scored.output)["miou"] == 100
    drawn_again = CliRunner().invoke(app, ["simulate", *said, "--kind", "tags", "-o", str(tmp_path / "t.jsonl")])
    assert drawn_again.exit_code == 0, drawn_again.output
    assert read_hints(tmp_path / "t.jsonl")["q"].tags == Tags(frozenset({"background", "dog"}), frozenset({"cat"}))
    assert "--rest" in CliRunner().invoke(app, ["gap", "--help"], env={"COLUMNS": "200"}).output
    root = photograph(tmp_path / "nuclei", "background\nnucleus\n")
    saved(root / "masks/p.png", np.arange(600, dtype=np.uint16).reshape(SIZE))
    made = CliRunner().invoke(
        app, ["convert", str(root), str(tmp_path / "out"), "--to", "masks", "--instances", "nucleus"]
    )
    assert made.exit_code == 0, made.output
    mask = read_index_mask(tmp_path / "out/p.png", open_dataset(root).classes)
    assert (int(mask.min()), int(mask[0, 0]), int(mask.sum())) == (0, 0, 599)


CELL = np.zeros(SIZE, np.uint8)
CELL[4:12, 6:20] = 1


@pytest.mark.parametrize(
    ("file", "said"),
    [
        ("masks/p_old.png", "p_old.png looks like the mask of p"),
        ("masks/mask-p.png", "mask-p.png looks like the mask of p"),
        ("masks/p.gif", "masks/p.gif has no format of label images"),
        ("masks/p.npy", "masks/p.npy has no format of label images"),
        ("labels/p.png", "labels/ holds 1 files with the names of these images"),
        ("SegmentationClass/p.tif", "SegmentationClass/ holds 1 files with the names of these images"),
        ("more/q.png", ""),
    ],
)
def test_masks_under_another_name_or_in_another_place_are_named(tmp_path: Path, file: str, said: str) -> None:
    data = photograph(tmp_path / "data", "background\ncell\n")
    (data / file).parent.mkdir()
    if file.endswith("npy"):
        np.save(data / file, CELL)
    else:
        Image.fromarray(CELL).save(data / file)
    with pytest.raises(DataError, match="1 of 1 images have no mask") as error:
        read_training_data(data)
    (found,) = [one for one in examine(data).findings if one.key == "image-without-labels"]
    assert said in str(error.value)
    assert said in found.cause
    assert ("other names" in found.cause) == (not said)


@pytest.mark.parametrize("place", ["masks", "hints"])
@pytest.mark.parametrize(("size", "said"), [(SIZE[::-1], "sides are swapped"), ((10, 15), "never resized")])
def test_label_images_of_another_size_end_a_training_before_it_starts(
    tmp_path: Path, place: str, size: tuple[int, int], said: str
) -> None:
    data = photograph(tmp_path / "data", "background\ncell\n", "p", "q")
    folder = data / "masks" if place == "masks" else tmp_path / "drawn"
    for name in "pq":
        saved(folder / f"{name}.png", np.ones(size, np.uint8))
    with pytest.raises(DataError, match="1 more masks differ") as error:
        read_training_data(data, hints=() if place == "masks" else folder)
    assert said in str(error.value)


def test_whole_numbers_that_are_stored_as_fractions_are_class_numbers(tmp_path: Path) -> None:
    """ImageJ writes label images as 32-bit fractions."""
    table = ClassTable.of(["background", "cell"])
    file = saved(tmp_path / "whole.tif", CELL.astype(np.float32))
    assert np.array_equal(read_index_mask(file, table), CELL)
    with pytest.raises(DataError, match=r"not whole numbers, such as 0\.5"):
        read_index_mask(saved(tmp_path / "half.tif", CELL.astype(np.float32) / 2), table)
    with pytest.raises(DataError, match="not whole numbers, such as nan"):
        read_index_mask(saved(tmp_path / "nan.tif", np.where(CELL, np.nan, 0).astype(np.float32)), table)


def test_grey_borders_between_black_and_white_are_no_instance_numbers(tmp_path: Path) -> None:
    table = ClassTable.of(["background", "cell"])
    smooth = Image.fromarray(CELL * 255).resize((90, 60), Image.Resampling.BILINEAR)
    assert len(np.unique(np.asarray(smooth))) > 2
    smooth.save(tmp_path / "smooth.png")
    with pytest.raises(DataError, match="smooth borders"):
        read_index_mask(tmp_path / "smooth.png", table)
    strokes = np.full(SIZE, 255, np.uint8)  # white everywhere else, and the classes are missing in the list
    strokes[0], strokes[1, :5], strokes[2, :5] = 0, 7, 9
    with pytest.raises(DataError, match="add the missing classes"):
        read_index_mask(saved(tmp_path / "strokes.png", strokes), table)
