"""Which photograph a name means, in every format: two names never put their shapes on one photograph."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.annotations.foreign import END, FOREIGN

from underpaint.annotations.format import Format, Writing
from underpaint.annotations.registry import FORMATS
from underpaint.core.classes import ClassTable
from underpaint.core.errors import DataError, FormatError
from underpaint.datasets.folder import DataFolder, open_folder
from underpaint.datasets.hints import read_any_hints
from underpaint.doctor import examine
from underpaint.hints.types import Box, Click, Hints, Polygon, Scribble, Tags
from underpaint.imagefiles.masks import write_index_mask
from underpaint.imagefiles.naming import Names
from underpaint.imagefiles.spelling import bare_names, without_ending

TABLE = ClassTable.of(["background", "cat", "dog", "road"])
SIZE = (20, 30)
SHAPES = (
    Polygon("road", ((2.0, 2.0), (12.0, 2.0), (12.0, 12.0))),
    Box("cat", 2.0, 2.0, 12.0, 12.0),
    Scribble("cat", ((1.5, 15.5), (9.5, 15.5)), 3.0),
    Click("cat", 3.5, 3.5),
)


def data_set(root: Path, *names: str) -> DataFolder:
    for name in names:
        (root / "images" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", SIZE[::-1]).save(root / "images" / name)
    (root / "classes.txt").write_text("\n".join(TABLE.names))
    return open_folder(root)


def written(form: Format, folder: Path, *names: str) -> Path:
    """A file or folder of the format with the same hints under each name."""
    path = folder / (f"hints{form.layout.split()[1]}" if form.one_file else "hints")
    if form.name in FOREIGN:
        FOREIGN[form.name](path, names)
        return path
    hints = [Hints(name, SIZE, SHAPES, tags=Tags(frozenset({"cat"}))) for name in names]
    form.write(path, hints, Writing(TABLE, {name: f"{name}.png" for name in names}))
    return path


@pytest.mark.parametrize("form", FORMATS, ids=lambda form: form.name)
def test_of_two_folders_the_one_that_is_there_keeps_its_photograph(form: Format, tmp_path: Path) -> None:
    data = data_set(tmp_path / "data", f"v1/a{END}.png")
    path = written(form, tmp_path, f"v1/a{END}", f"v2/a{END}")
    found, report = read_any_hints(path, data)
    single, _ = read_any_hints(written(form, tmp_path / "one", f"v1/a{END}"), data)
    assert list(found) == [f"v1/a{END}"]
    assert (found[f"v1/a{END}"].regions, found[f"v1/a{END}"].boxes) == (
        single[f"v1/a{END}"].regions, single[f"v1/a{END}"].boxes,
    )  # fmt: skip
    assert [without_ending(name)[0].removeprefix("images/") for name in report.missing] == [f"v2/a{END}"]
    assert list(report.rivals.values()) == [f"v1/a{END}"]
    assert any("another name matches" in line for line in report.lines())
    strays = next(one for one in examine(data.root, hints=[path]).findings if one.key == "hints-without-photograph")
    assert strays.count == 1
    assert f"v1/a{END}" in strays.cause


@pytest.mark.parametrize("form", FORMATS, ids=lambda form: form.name)
def test_of_two_names_that_fit_alike_neither_has_the_photograph(form: Format, tmp_path: Path) -> None:
    data = data_set(tmp_path / "data", f"a{END}.png", f"b{END}.png")
    path = written(form, tmp_path, f"v1/a{END}", f"v2/a{END}", f"v1/b{END}")
    found, report = read_any_hints(path, data)
    assert list(found) == [f"b{END}"]  # the only name for it: taken without its folder
    assert len(report.missing) == 2
    alone = written(form, tmp_path / "alone", f"v1/a{END}", f"v2/a{END}")
    with pytest.raises(DataError, match="none of the 2 hinted images") as caught:
        read_any_hints(alone, data)
    assert "another name matches" in str(caught.value)


@pytest.mark.parametrize(
    ("photographs", "names", "expected"),
    [
        (["a.png"], ["a.png", "a.jpg"], {"a.png": "a"}),
        (["a.png"], ["a.jpg"], {"a.jpg": "a"}),
        (["a.png"], ["a", "a.png"], {"a.png": "a"}),
        (["cat.png"], ["cat.png", "cat (1).png", "cat 2.png"], {"cat.png": "cat"}),
        (["cat.png"], ["cat (1).png"], {}),
        (["x/a.png", "y/a.png"], ["a.png"], {}),
        (["x/a.png", "y/a.png"], ["y\\a.png", "./x/a.png"], {"y\\a.png": "y/a", "./x/a.png": "x/a"}),
        (["a.png"], ["data/images/a.png", "old/a.png"], {"data/images/a.png": "a"}),
        (["a.png"], ["1a2b3c4d-a.png"], {"1a2b3c4d-a.png": "a"}),
        (["a.png"], ["1a2b3c4d-a.png", "ffffffff-a.png"], {}),
        (["a.png"], ["1a2b3c4d-a.png", "a.png"], {"a.png": "a"}),
        (["1a2b3c4d-a.png", "a.png"], ["1a2b3c4d-a.png", "a.png"], {"1a2b3c4d-a.png": "1a2b3c4d-a", "a.png": "a"}),
        (["my cat (2).jpg"], ["x/1a2b3c4d-my_cat_2.jpg"], {"x/1a2b3c4d-my_cat_2.jpg": "my cat (2)"}),
        (["my cat.jpg"], ["my%20cat.jpg"], {"my%20cat.jpg": "my cat"}),
        (["my cat.jpg"], ["my_cat.jpg"], {"my_cat.jpg": "my cat"}),
        (["my cat.jpg", "my_cat.jpg"], ["my_cat.jpg", "my%20cat.jpg"], {"my_cat.jpg": "my_cat"}),
        (["100%.jpg"], ["100%.jpg", "%ff.jpg"], {"100%.jpg": "100%"}),
        (["my cat.jpg"], ["my-cat_jpg.rf.0e2a142fc9ab9da3.jpg"], {"my-cat_jpg.rf.0e2a142fc9ab9da3.jpg": "my cat"}),
        (["cat_png.rf.0e2a142fc9ab9da3.jpg"], ["cat.png"], {"cat.png": "cat_png.rf.0e2a142fc9ab9da3"}),
        (["cat.jpg"], ["cat_jpg.rf.0e2a142fc9ab9da3.jpg", "cat_jpg.rf.77aa4a2b0e2a142f.jpg"], {}),
        (["a-1.jpg"], ["a_1.jpg"], {}),
    ],
)
def test_names_of_one_file(tmp_path: Path, photographs: list[str], names: list[str], expected: dict[str, str]) -> None:
    images = {without_ending(name)[0]: tmp_path / "data/images" / name for name in photographs}
    assert Names(images).match([(tmp_path / "hints.json", names)])[0].images == expected


def test_letters_taken_apart_are_the_same_name(tmp_path: Path) -> None:
    apart, whole = (unicodedata.normalize(form, "\u00e9t\u00e9") for form in ("NFD", "NFC"))
    assert apart != whole
    for held, said in ((apart, whole), (whole, apart)):
        images = {held: tmp_path / f"{held}.png", "b": tmp_path / "b.png"}
        assert Names(images).match([(tmp_path / "x.json", [f"{said}.png"])])[0].images == {f"{said}.png": held}
    both = {held: tmp_path / f"{held}.png" for held in (apart, whole)}
    assert Names(both).match([(tmp_path / "x.json", [apart, whole])])[0].images == {apart: apart, whole: whole}
    data_set(tmp_path / "data", f"{whole}.png")
    mask = tmp_path / "data/masks" / f"{apart}.png"
    write_index_mask(mask, np.ones(SIZE, np.uint8), TABLE)
    (tmp_path / "data/splits").mkdir()
    (tmp_path / "data/splits/train.txt").write_text(f"{apart}.png\n")
    data = open_folder(tmp_path / "data")
    assert data.masks == {whole: mask}
    assert data.split("train") == (whole,)


def test_names_of_two_sources_share_a_photograph_unless_they_contradict_each_other(tmp_path: Path) -> None:
    names = Names({"a": tmp_path / "images/a.png", "train2017/b": tmp_path / "images/train2017/b.png"})

    def found(*sources: tuple[str, str]) -> list[dict[str, str]]:
        return [one.images for one in names.match([(tmp_path / path, [name]) for path, name in sources])]

    assert found(("x.json", "photos/a.png"), ("y.csv", "a.png")) == [{"photos/a.png": "a"}, {"a.png": "a"}]
    assert found(("x.json", "1a2b3c4d-a.png"), ("y.csv", "a")) == [{"1a2b3c4d-a.png": "a"}, {"a": "a"}]
    assert found(("x.json", "v1/a.png"), ("y.json", "v2/a.png")) == [{}, {}]
    assert found(("x.json", "a.jpg"), ("y.json", "a.png")) == [{}, {"a.png": "a"}]
    # The photographs of the validation set were not copied.
    train, val = ("annotations/instances_train2017.json", "b.png"), ("annotations/instances_val2017.json", "b.png")
    assert found(train, val) == [{"b.png": "train2017/b"}, {}]
    assert found(val) == [{"b.png": "train2017/b"}]


def test_a_split_list_never_takes_another_picture(tmp_path: Path) -> None:
    data_set(tmp_path, "cat.png", "dog.png", "x/owl.png")
    (tmp_path / "splits").mkdir()
    lists = {
        "train": "dog\n/d/images/x/owl.jpg /d/masks/x/owl.png\n",
        "one": "cat 2.png\n",
        "two": "cat\t2\n",
        "three": "y/owl\n",
    }
    for name, text in lists.items():
        (tmp_path / f"splits/{name}.txt").write_text(text)
    data = open_folder(tmp_path)
    assert data.split("train") == ("dog", "x/owl")
    for name in ("one", "two", "three"):
        with pytest.raises(DataError, match="1 of the 1 names"):
            data.split(name)


@pytest.mark.parametrize("masks", [True, False])
def test_two_label_images_of_one_photograph_are_refused(tmp_path: Path, masks: bool) -> None:
    data = data_set(tmp_path / "data", "a.png")
    folder = data.root / "masks" if masks else tmp_path / "labels"
    folder.mkdir()
    for ending in (".png", ".bmp"):
        Image.fromarray(np.ones(SIZE, np.uint8)).save(folder / f"a{ending}")
    with pytest.raises(DataError, match="belong to two files"):
        open_folder(data.root) if masks else read_any_hints(folder, data)


def test_two_files_of_one_frame_are_refused_in_cityscapes(tmp_path: Path) -> None:
    data = data_set(tmp_path / "data", f"a{END}.png")
    for folder in (tmp_path / "city", tmp_path / "city/gtFine"):
        folder.mkdir()
        Image.fromarray(np.full(SIZE, 7, np.uint8)).save(folder / "a_gtFine_labelIds.png")
    with pytest.raises(DataError, match="two files belong to the frame"):
        read_any_hints(tmp_path / "city", data)


def test_two_geojson_files_of_one_name_stay_apart(tmp_path: Path) -> None:
    data = data_set(tmp_path / "data", "a.png")
    (tmp_path / "shapes").mkdir()
    for x, name in enumerate(("a.jpg.geojson", "a.png.geojson"), start=1):
        feature = {"geometry": {"type": "Point", "coordinates": [x, x]}, "properties": {"class": "cat"}}
        content = {"type": "FeatureCollection", "pixelCoordinates": True, "features": [{"type": "Feature", **feature}]}
        (tmp_path / "shapes" / name).write_text(json.dumps(content))
    found, report = read_any_hints(tmp_path / "shapes", data)
    assert found["a"].clicks == (Click("cat", 2.0, 2.0),)
    assert report.missing == ["a.jpg"]


def test_names_keep_their_endings_where_nothing_else_tells_them_apart() -> None:
    assert bare_names(["a.png", "a.jpg", "b.png", "c", "d.tar"]) == {
        "a.png": "a.png", "a.jpg": "a.jpg", "b.png": "b", "c": "c", "d.tar": "d.tar",
    }  # fmt: skip


COCO = {
    "images": [{"id": 1, "file_name": "a.png"}],
    "categories": [{"id": 1, "name": "cat"}],
    "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 1, 9, 9]}],
}


@pytest.mark.parametrize(
    ("key", "other"),
    [
        ("images", {"file_name": "b.png"}),
        ("categories", {"name": "dog"}),
        ("annotations", {"bbox": [2, 2, 9, 9]}),
    ],
)
def test_an_id_given_twice_is_named_and_an_exact_repeat_passes(
    tmp_path: Path, key: str, other: dict[str, object]
) -> None:
    data = data_set(tmp_path, "a.png", "b.png")
    entry = dict(COCO[key][0], id=1)
    for second, passes in ((entry, True), (entry | other, False)):
        (tmp_path / "coco.json").write_text(json.dumps({**COCO, key: [entry, second]}))
        if passes:
            found, _ = read_any_hints(tmp_path / "coco.json", data)
            assert found["a"].boxes == (Box("cat", 1.0, 1.0, 10.0, 10.0),)
        else:
            with pytest.raises(FormatError, match=f"two of the {key} have the id 1"):
                read_any_hints(tmp_path / "coco.json", data)


def test_two_images_of_one_name_are_refused_in_cvat(tmp_path: Path) -> None:
    data = data_set(tmp_path, "a.png")
    element = (
        '<image id="{}" name="a.png" width="30" height="20"><box label="cat" xtl="1" ytl="1" xbr="9" ybr="9"/></image>'
    )
    text = "<annotations>{}</annotations>".format("".join(element.format(i) for i in (0, 1)))
    (tmp_path / "annotations.xml").write_text(text)
    with pytest.raises(FormatError, match=r"two images have the name 'a\.png'"):
        read_any_hints(tmp_path / "annotations.xml", data)


def test_a_copied_labelme_file_does_not_take_the_photograph_of_another(tmp_path: Path) -> None:
    data = data_set(tmp_path, "a.png")
    (tmp_path / "json").mkdir()
    for name, x in (("a", 1), ("a copy", 5)):
        shape = {"label": "cat", "shape_type": "point", "points": [[x, x]]}
        (tmp_path / f"json/{name}.json").write_text(json.dumps({"shapes": [shape], "imagePath": "a.png"}))
    found, report = read_any_hints(tmp_path / "json", data)
    assert found["a"].clicks == (Click("cat", 1.0, 1.0),)
    assert report.missing == ["a copy"]
