"""Numbers that stand for classes never travel without their names: mapped by name, or refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from underpaint.annotations.jsonl import read_hints, write_hints
from underpaint.core.classes import ClassTable, Meaning, Numbering, read_classes
from underpaint.core.errors import DataError, FormatError
from underpaint.datasets.convert import plan_conversion
from underpaint.datasets.folder import DataFolder
from underpaint.datasets.hints import read_any_hints
from underpaint.datasets.open import open_dataset
from underpaint.hints.types import Hints
from underpaint.imagefiles.masks import read_index_mask, write_index_mask
from underpaint.imagefiles.numbering import CLASS_LISTS

SIZE = (20, 30)
OWN = np.full(SIZE, 255, np.uint8)  # numbers of the list background, cat, dog
OWN[2:12, 3:25], OWN[14:18, 5:20] = 1, 2
LISTS = {
    "classes.txt": "background\ncat\ndog\n",
    "class_names.txt": "__ignore__\n_background_\ncat\ndog",
    "labelmap.txt": "# label:color_rgb:parts:actions\nbackground:0,0,0::\ncat:1,2,3::\ndog:4,5,6::\n",
    "labels.txt": "__ignore__\n_background_\ncat\ndog",
    "obj.names": "background\ncat\ndog",
    "summary.csv": "image,height,width,background,cat,dog\np,20,30,0,1,0\n",
}


def data_set(root: Path, names: str) -> DataFolder:
    """A data set of one photograph with the classes in this order."""
    (root / "images").mkdir(parents=True)
    Image.new("RGB", SIZE[::-1]).save(root / "images/p.png")
    (root / "classes.txt").write_text("\n".join(names.split()))
    return open_dataset(root)


def grey(folder: Path, values: np.ndarray = OWN) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values).save(folder / "p.png")
    return folder


def learned(data: DataFolder, folder: Path, *, lenient: bool = False) -> tuple[str, ...]:
    """The class of a pixel drawn as cat, one drawn as dog, and one of which nothing is known."""
    hints, _ = read_any_hints(folder, data, ignore_unknown=lenient)
    file = data.labels(hints["p"])
    assert file is not None
    mask = file.read(data.classes)
    names = (*data.classes.names, *[""] * (255 - len(data.classes)), "unknown")
    return names[mask[5, 5]], names[mask[15, 8]], names[mask[0, 0]]


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize("order", ["background dog cat", "dog cat background", "background cat dog", "sky dog cat"])
def test_a_class_list_beside_label_images_gives_their_classes(tmp_path: Path, name: str, order: str) -> None:
    data, folder = data_set(tmp_path / "data", order), grey(tmp_path / "drawn")
    (folder / name).write_text(LISTS[name])
    assert learned(data, folder) == ("cat", "dog", "unknown")
    sub = grey(tmp_path / "deep/drawn/sub").parent
    (sub / "sub/p.png").rename(sub / "p.png")
    (sub.parent / name).write_text(LISTS[name])
    above = name in CLASS_LISTS  # the other lists are of their own folder only
    expected = ("cat", "dog") if above else data.classes.names[1:3]
    assert learned(data, sub)[:2] == expected


@pytest.mark.parametrize("name", LISTS)
def test_a_class_that_the_data_lacks_is_refused_or_left_unknown(tmp_path: Path, name: str) -> None:
    data, folder = data_set(tmp_path / "data", "background dog owl"), grey(tmp_path / "drawn")
    (folder / name).write_text(LISTS[name])
    with pytest.raises(DataError, match=r"classes that are not in the data set: 1 \(cat\)"):
        learned(data, folder)
    assert learned(data, folder, lenient=True) == ("unknown", "dog", "unknown")
    _, report = read_any_hints(folder, data, ignore_unknown=True)
    assert any("not in the data set: cat" in line for line in report.lines())


def test_pictures_in_the_colours_of_their_own_list(tmp_path: Path) -> None:
    data, folder = data_set(tmp_path / "data", "dog background cat"), tmp_path / "drawn"
    folder.mkdir()
    (folder / "labelmap.txt").write_text(LISTS["labelmap.txt"])
    shades = np.array([(0, 0, 0), (1, 2, 3), (4, 5, 6)], np.uint8)
    layer = np.zeros((*SIZE, 4), np.uint8)
    layer[OWN != 255, :3], layer[OWN != 255, 3] = shades[OWN[OWN != 255]], 255
    Image.fromarray(layer).save(folder / "p.png")
    assert learned(data, folder) == ("cat", "dog", "unknown")


def test_a_palette_tells_the_classes_where_no_list_does(tmp_path: Path) -> None:
    black, red, green = (0, 0, 0), (200, 0, 0), (0, 200, 0)
    write_index_mask(tmp_path / "drawn/p.png", OWN, ClassTable(("background", "cat", "dog"), (black, red, green), 0))
    data_set(tmp_path / "data", "background dog cat")
    (tmp_path / "data/classes.txt").write_text("background 0 0 0\ndog 0 200 0\ncat 200 0 0\n")
    assert learned(open_dataset(tmp_path / "data"), tmp_path / "drawn") == ("cat", "dog", "unknown")
    (tmp_path / "data/classes.txt").write_text("background 0 0 0\ndog 0 200 0\ncat 9 9 9\n")
    assert learned(open_dataset(tmp_path / "data"), tmp_path / "drawn") == ("dog", "cat", "unknown")


def test_a_palette_in_another_order_is_refused_where_no_person_chose_the_colours(tmp_path: Path) -> None:
    black, second, third = ClassTable.of(["background", "cat", "dog"]).colours
    write_index_mask(tmp_path / "drawn/p.png", OWN, ClassTable(("background", "a", "b"), (black, third, second), 0))
    with pytest.raises(DataError, match="number 1 has the colour of 'cat'"):
        learned(data_set(tmp_path / "data", "background dog cat"), tmp_path / "drawn")


@pytest.mark.parametrize("suffix", ["png", "tif", "bmp"])
def test_stated_colours_in_another_order_decide_in_the_masks_of_the_data_set_too(tmp_path: Path, suffix: str) -> None:
    data = data_set(tmp_path / "data", "background cat dog")
    image = Image.fromarray(OWN)
    image.putpalette([0, 0, 0, 9, 9, 9, 200, 30, 0, *[0] * 759])  # 1 has the colour of cat, 2 that of dog
    (data.root / "masks").mkdir()
    image.save(data.root / f"masks/p.{suffix}")
    read = {}
    for order in ("cat 9 9 9\ndog 200 30 0", "dog 200 30 0\ncat 9 9 9", "dog 200 30 1\ncat 9 9 9"):
        (data.root / "classes.txt").write_text(f"background 0 0 0\n{order}")
        mask = open_dataset(data.root).mask("p").read(read_classes(data.root / "classes.txt"))
        read[order.replace("\n", " ")] = (int(mask[5, 5]), int(mask[15, 8]), int(mask[0, 0]))
    # By colour where both are in the list, and else by number.
    assert list(read.values()) == [(1, 2, 255), (2, 1, 255), (1, 2, 255)]


def test_without_a_list_or_a_palette_the_numbers_are_the_data_sets(tmp_path: Path) -> None:
    data = data_set(tmp_path / "data", "background dog cat")
    assert learned(data, grey(tmp_path / "drawn")) == ("dog", "cat", "unknown")


def test_masks_of_the_data_set_with_a_list_among_them(tmp_path: Path) -> None:
    data_set(tmp_path / "data", "background dog cat")
    (grey(tmp_path / "data/masks") / "classes.txt").write_text(LISTS["classes.txt"])
    data = open_dataset(tmp_path / "data")
    mask = data.mask("p").read(data.classes)
    assert (data.classes.names[mask[5, 5]], data.classes.names[mask[15, 8]]) == ("cat", "dog")
    np.testing.assert_array_equal(read_index_mask(data.masks["p"], data.classes), mask)


def test_a_hints_file_keeps_what_the_numbers_of_a_label_file_stand_for(tmp_path: Path) -> None:
    data, folder = data_set(tmp_path / "data", "background dog cat"), grey(tmp_path / "data/drawn")
    (folder / "classes.txt").write_text(LISTS["classes.txt"])
    hints, _ = read_any_hints(folder, data)
    write_hints(tmp_path / "hints.jsonl", hints.values())
    (folder / "classes.txt").unlink()
    assert learned(data, tmp_path / "hints.jsonl") == ("cat", "dog", "unknown")
    text = (tmp_path / "hints.jsonl").read_text()
    assert json.loads(text.splitlines()[1])["numbering"]["numbers"][1] == {"class": "cat", "number": 1}
    (tmp_path / "bad.jsonl").write_text(text.replace('"number": 1', '"number": -1'))
    with pytest.raises(FormatError, match="'number' is -1"):
        read_hints(tmp_path / "bad.jsonl")


def box_yolo(root: Path) -> None:
    (root / "labels").mkdir()
    (root / "labels/p.txt").write_text("0 .5 .5 .2 .2\n1 .2 .2 .1 .1\n")
    (root / "data.yaml").write_text("names: [cat, dog]")


def box_coco(root: Path) -> None:
    categories = [{"id": 7, "name": "dog"}, {"id": 3, "name": "cat"}]
    boxes = [{"id": i, "image_id": 1, "category_id": i, "bbox": [1, 1, 9, 9], "segmentation": []} for i in (3, 7)]
    image = {"id": 1, "file_name": "p.png", "height": SIZE[0], "width": SIZE[1]}
    (root / "a.json").write_text(json.dumps({"images": [image], "categories": categories, "annotations": boxes}))


def photograph(root: Path) -> Path:
    (root / "images").mkdir(parents=True)
    Image.new("RGB", SIZE[::-1]).save(root / "images/p.png")
    return root


@pytest.mark.parametrize("listed", ["", "background cat dog"])
def test_yolo_numbers_stay(tmp_path: Path, listed: str) -> None:
    box_yolo(photograph(tmp_path / "a"))
    if listed:
        (tmp_path / "a/classes.txt").write_text("\n".join(listed.split()))
    plan_conversion(tmp_path / "a", to="yolo").write(tmp_path / "out")
    assert [line.split()[0] for line in (tmp_path / "out/labels/p.txt").read_text().splitlines()] == ["0", "1"]
    assert yaml.safe_load((tmp_path / "out/data.yaml").read_text())["names"] == {0: "cat", 1: "dog"}


def test_coco_ids_stay(tmp_path: Path) -> None:
    box_coco(photograph(tmp_path / "a"))
    plan_conversion(tmp_path / "a", to="coco").write(tmp_path / "out.json")
    made = json.loads((tmp_path / "out.json").read_text())
    assert {one["id"]: one["name"] for one in made["categories"]} == {7: "dog", 3: "cat"}
    assert [one["category_id"] for one in made["annotations"]] == [3, 7]
    again = plan_conversion(tmp_path / "out.json", to="coco")
    again.write(tmp_path / "again.json")
    assert json.loads((tmp_path / "again.json").read_text())["categories"] == made["categories"]


@pytest.mark.parametrize("make", [box_yolo, box_coco])
@pytest.mark.parametrize("to", ["yolo", "coco", "cvat", "label-studio", "labelme", "underpaint", "voc"])
def test_no_class_that_nobody_drew(tmp_path: Path, make: Callable[[Path], None], to: str) -> None:
    make(photograph(tmp_path / "a"))
    planned = plan_conversion(tmp_path / "a", to=to)
    assert set(planned.classes.names) == {"cat", "dog"}
    suffix = {"yolo": "", "coco": ".json", "cvat": ".xml", "label-studio": ".json", "underpaint": ".jsonl"}.get(to, "")
    planned.write(tmp_path / f"out{suffix}")
    files = [tmp_path / f"out{suffix}", *(tmp_path / f"out{suffix}").rglob("*")]
    assert not any(b"background" in file.read_bytes() for file in files if file.is_file())


def test_a_single_class_gets_its_background_at_the_end(tmp_path: Path) -> None:
    """`classes.txt` numbers the labels, as Label Studio exports it; the network's background must not shift them."""
    root = photograph(tmp_path / "a")
    (root / "labels").mkdir()
    (root / "labels/p.txt").write_text("0 .5 .5 .2 .2\n")
    (root / "classes.txt").write_text("cat\n")
    data = open_dataset(root)
    assert (data.classes.names, data.classes.background) == (("cat", "background"), 1)
    hints, _ = read_any_hints(data.annotations, data)
    assert [box.name for box in hints["p"].boxes] == ["cat"]
    plan_conversion(root, to="yolo").write(tmp_path / "out")
    assert (tmp_path / "out/labels/p.txt").read_text().startswith("0 ")
    (root / "classes.txt").write_text("background\ncat\n")
    with pytest.raises(FormatError, match="to the end"):
        read_any_hints(root / "labels", open_dataset(root))
    (root / "masks").mkdir()
    (root / "classes.txt").write_text("cat\n")
    with pytest.raises(DataError, match="above the class if 0 is the background"):
        open_dataset(root)


def test_labels_of_another_data_set_have_the_numbers_of_its_list(tmp_path: Path) -> None:
    other = photograph(tmp_path / "other")
    (other / "labels").mkdir()
    (other / "labels/p.txt").write_text("0 .5 .5 .2 .2\n")
    (other / "classes.txt").write_text("cat\ndog\n")
    hints, _ = read_any_hints(other / "labels", data_set(tmp_path / "data", "dog cat background"))
    assert [box.name for box in hints["p"].boxes] == ["cat"]


@pytest.mark.parametrize("name", LISTS)
def test_label_images_by_themselves_are_converted_by_their_list(tmp_path: Path, name: str) -> None:
    """What `predict` and `convert --to masks` write goes back into an annotation tool."""
    folder = grey(tmp_path / "drawn")
    with pytest.raises(DataError, match="no class list states"):
        plan_conversion(folder, to="coco")
    (folder / name).write_text(LISTS[name])
    plan_conversion(folder, to="masks").write(tmp_path / "again")
    table = read_classes(tmp_path / "again/classes.txt")
    assert table.names == ("background", "cat", "dog")
    with Image.open(tmp_path / "again/p.png") as image:
        np.testing.assert_array_equal(np.array(image), OWN)
    plan_conversion(folder, to="labelme").write(tmp_path / "labelme")
    assert {s["label"] for s in json.loads((tmp_path / "labelme/p.json").read_text())["shapes"]} == {"cat", "dog"}


def test_of_a_hints_file_too_the_numbers_of_unknown_classes_are_left_unknown(tmp_path: Path) -> None:
    data, folder = data_set(tmp_path / "data", "background dog owl"), grey(tmp_path / "data/drawn")
    numbering = Numbering.of(["background", "cat", "dog"])
    write_hints(tmp_path / "h.jsonl", [Hints("p", mask="drawn/p.png", numbering=numbering)])
    assert folder.is_dir()
    with pytest.raises(DataError, match=r"1 \(cat\)"):
        learned(data, tmp_path / "h.jsonl")
    assert learned(data, tmp_path / "h.jsonl", lenient=True) == ("unknown", "dog", "unknown")


def test_numbers_of_unknown_classes_that_occur_nowhere_do_no_harm(tmp_path: Path) -> None:
    data, folder = data_set(tmp_path / "data", "background cat dog"), grey(tmp_path / "drawn")
    (folder / "classes.txt").write_text("background\ncat\ndog\nowl\nhorse\n")
    assert learned(data, folder) == ("cat", "dog", "unknown")


def test_a_list_above_that_may_number_boxes_is_not_taken_for_that_of_label_images(tmp_path: Path) -> None:
    data, folder = data_set(tmp_path / "data", "background cat dog"), grey(tmp_path / "other/drawn")
    (tmp_path / "other/classes.txt").write_text("cat\ndog\n")
    with pytest.raises(DataError, match=r"above the label images has no .background."):
        learned(data, folder)
    (folder / "classes.txt").write_text(LISTS["classes.txt"])
    assert learned(data, folder) == ("cat", "dog", "unknown")


@pytest.mark.parametrize("suffix", ["png", "tif", "bmp"])
@pytest.mark.parametrize("wide", [False, True])
def test_lists_hold_for_every_kind_of_file(tmp_path: Path, suffix: str, wide: bool) -> None:
    if wide and suffix == "bmp":
        pytest.skip("a BMP has 8 bits")
    data, folder = data_set(tmp_path / "data", "dog background cat"), tmp_path / "drawn"
    folder.mkdir()
    values = np.where(OWN == 255, 65535, OWN).astype(np.uint16) if wide else OWN
    Image.fromarray(values).save(folder / f"p.{suffix}")
    (folder / "classes.txt").write_text(LISTS["classes.txt"])
    assert learned(data, folder) == ("cat", "dog", "unknown")


def test_photographs_with_label_images_have_the_classes_of_their_list(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    Image.new("RGB", SIZE[::-1]).save(tmp_path / "photos/p.jpg")
    folder = grey(tmp_path / "drawn", np.where(OWN == 255, 255, OWN - 1).astype(np.uint8))
    with pytest.raises(DataError, match="no data set recognised"):
        open_dataset(tmp_path / "photos", hints=[folder])
    (folder / "classes.txt").write_text("cat\ndog\n")
    data = open_dataset(tmp_path / "photos", hints=[folder])
    assert data.classes.names == ("background", "cat", "dog")
    assert learned(data, folder) == ("cat", "dog", "unknown")


def test_a_data_set_is_opened_where_the_command_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`underpaint train .`: the folder of annotations has no name of its own."""
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", SIZE[::-1]).save("p.jpg")
    box = "<name>cat</name><bndbox><xmin>2</xmin><ymin>2</ymin><xmax>9</xmax><ymax>9</ymax></bndbox>"
    size = "<size><width>30</width><height>20</height><depth>3</depth></size>"
    Path("p.xml").write_text(f"<annotation><filename>p.jpg</filename>{size}<object>{box}</object></annotation>")
    data = open_dataset(Path())
    assert data.annotations == (Path(),)
    hints, _ = read_any_hints(data.annotations, data)
    assert [box.name for box in hints["p"].boxes] == ["cat"]


def test_numberings_and_strokes_come_back_from_a_hints_file(tmp_path: Path) -> None:
    meanings = (Meaning(0, "cat", (1, 2, 3)), Meaning(7, None), Meaning(9, "dog"))
    every = [
        Hints("a", mask="drawn/a.png", numbering=Numbering(meanings, others="owl", source="there"), strokes=True),
        Hints("b", mask="drawn/b.png", numbering=Numbering(meanings)),
        Hints("c", mask="drawn/c.png"),
    ]
    write_hints(tmp_path / "h.jsonl", every)
    assert list(read_hints(tmp_path / "h.jsonl").values()) == every
    assert every[0].numbering != every[1].numbering
    text = (tmp_path / "h.jsonl").read_text()
    for bad in ('"colour": [1, 2]', '"colour": [1, 2, 256]', '"colour": [1, 2, 3], "size": 1'):
        (tmp_path / "bad.jsonl").write_text(text.replace('"colour": [1, 2, 3]', bad))
        with pytest.raises(FormatError, match=r"bad\.jsonl:2"):
            read_hints(tmp_path / "bad.jsonl")
