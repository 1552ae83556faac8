"""Hints of any format for a data set: recognised, merged, fitted, and what is left out counted."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from underpaint.annotations.jsonl import write_hints
from underpaint.core.errors import DataError, HintError
from underpaint.datasets.folder import DataFolder, open_folder
from underpaint.datasets.hints import read_any_hints
from underpaint.datasets.open import open_dataset
from underpaint.hints.fit import fit_hints
from underpaint.hints.merge import merge_hints
from underpaint.hints.types import Bitmap, Box, Click, Hints, Polygon, Scribble, Tags
from underpaint.imagefiles.masks import write_index_mask

DATA = Path(os.environ.get("UNDERPAINT_DATA", Path(__file__).resolve().parents[2] / "../shared/data"))
CAT = frozenset({"cat"})


@pytest.fixture
def data(tmp_path: Path) -> DataFolder:
    root = tmp_path / "set"
    (root / "images").mkdir(parents=True)
    for name in ("a", "b"):
        Image.new("RGB", (40, 30)).save(root / "images" / f"{name}.png")
    (root / "classes.txt").write_text("background\ncat\ndog\n")
    return open_folder(root)


def box_xml(word: str = "cat", side: int = 9) -> str:
    corners = f"<xmin>2</xmin><ymin>2</ymin><xmax>{side}</xmax><ymax>9</ymax>"
    return f"<annotation><object><name>{word}</name><bndbox>{corners}</bndbox></object></annotation>"


LINE_XML = "<annotation><polygon><tag>dog</tag><point><X>3</X><Y>4</Y></point></polygon></annotation>"
CLICK_JSON = '{"a": [{"x": 5, "y": 6, "cls": 8}], "b": [{"x": 5, "y": 6, "cls": 9}]}'


def test_every_format_is_recognised(tmp_path: Path, data: DataFolder) -> None:
    (tmp_path / "boxes").mkdir()
    (tmp_path / "boxes/a.xml").write_text("<annotation/>")
    (tmp_path / "boxes/b.xml").write_text(box_xml())
    (tmp_path / "lines").mkdir()
    (tmp_path / "lines/a.xml").write_text(LINE_XML)
    write_index_mask(tmp_path / "labels/a.png", np.zeros((30, 40), np.uint8), data.classes)
    (tmp_path / "clicks.json").write_text('{"a": [{"x": 5, "y": 6, "cls": 8}]}')
    (tmp_path / "tags.csv").write_text("image,tags\na.png,cat\n")
    write_hints(tmp_path / "hints.jsonl", [Hints("a", shapes=(Click("cat", 1.0, 1.0),))])
    expected = {
        "boxes": ("VOC boxes", "boxes"),
        "lines": ("ScribbleSup scribbles", "scribbles"),
        "lines/a.xml": ("ScribbleSup scribbles", "scribbles"),
        "labels": ("label images", "masks"),
        "clicks.json": ("What's the Point clicks", "clicks"),
        "tags.csv": ("table of tags", "tags"),
        "hints.jsonl": ("hints file", "clicks"),
    }
    for name, (form, kind) in expected.items():
        hints, report = read_any_hints(tmp_path / name, data)
        assert report.sources == [(tmp_path / name, form)]
        assert kind in hints["a"].kinds(), name
        assert hints["a"].size == (30, 40)
        assert report.images == len(hints)


def test_several_sources_merge(tmp_path: Path, data: DataFolder) -> None:
    (tmp_path / "a.xml").write_text(box_xml())
    (tmp_path / "clicks.json").write_text('{"a": [{"x": 5, "y": 6, "cls": 8}]}')
    (tmp_path / "clicks_bg_from_scribbles.json").write_text('{"a": [{"x": 30, "y": 20, "cls": 0}]}')
    (tmp_path / "tags.csv").write_text("image,cat,dog\nimages/a.png,1,\nb,0,1\n")
    hints, report = read_any_hints([tmp_path / n for n in ("a.xml", "clicks.json", "tags.csv")], data)
    assert hints["a"].boxes == (Box("cat", 1.0, 1.0, 9.0, 9.0),)
    assert hints["a"].clicks == (Click("cat", 5.0, 6.0), Click("background", 30.0, 20.0))
    assert hints["a"].tags == Tags(CAT, frozenset({"dog"}))
    assert hints["a"].source == "VOC boxes; What's the Point clicks; tags"
    assert hints["b"].tags == Tags(frozenset({"dog"}), CAT)
    assert [form for _, form in report.sources] == [
        "VOC boxes",
        "What's the Point clicks",
        "What's the Point clicks",
        "table of tags",
    ]


def test_a_background_file_given_as_well_is_read_once(tmp_path: Path, data: DataFolder) -> None:
    paths = [tmp_path / "clicks.json", tmp_path / "clicks_bg_from_scribbles.json"]
    paths[0].write_text('{"a": [{"x": 5, "y": 6, "cls": 8}]}')
    paths[1].write_text('{"a": [{"x": 30, "y": 20, "cls": 0}]}')
    assert len(read_any_hints(paths, data)[0]["a"].clicks) == 2


def test_unknown_classes_are_refused_or_counted(tmp_path: Path, data: DataFolder) -> None:
    (tmp_path / "clicks.json").write_text(CLICK_JSON)  # 9 is VOC's chair
    with pytest.raises(HintError, match="unknown class 'chair'") as caught:
        read_any_hints(tmp_path / "clicks.json", data)
    assert "image 'b'" in str(caught.value)
    hints, report = read_any_hints(tmp_path / "clicks.json", data, ignore_unknown=True)
    assert list(hints) == ["a"]
    assert report.unknown == {"chair": 1}
    assert "1 hints of classes outside the table left out: chair (1)" in report.lines()


def test_unknown_tags_and_boxed_classes_go_as_well(tmp_path: Path, data: DataFolder) -> None:
    odd = Hints("a", boxed=CAT | {"owl"}, tags=Tags(CAT | {"elk"}, frozenset({"owl", "dog"})))
    write_hints(tmp_path / "h.jsonl", [odd])
    hints, _ = read_any_hints(tmp_path / "h.jsonl", data, ignore_unknown=True)
    assert hints["a"].boxed == CAT
    assert hints["a"].tags == Tags(CAT, frozenset({"dog"}))


def test_hints_outside_are_refused_or_counted(tmp_path: Path, data: DataFolder) -> None:
    (tmp_path / "a.xml").write_text(box_xml(side=90))
    with pytest.raises(HintError, match="box lies outside the image 'a' of 30 rows and 40 columns"):
        read_any_hints(tmp_path / "a.xml", data)
    hints, report = read_any_hints(tmp_path / "a.xml", data, ignore_outside=True)
    assert (report.outside, report.cut) == (0, 1)
    assert hints["a"].boxes == (Box("cat", 1.0, 1.0, 40.0, 9.0),)
    assert hints["a"].boxed == {"cat", "dog"}


def test_images_that_are_missing_are_counted(tmp_path: Path, data: DataFolder) -> None:
    write_hints(tmp_path / "h.jsonl", [Hints(name, tags=Tags(CAT)) for name in ("b", "x", "a", "y")])
    hints, report = read_any_hints(tmp_path / "h.jsonl", data)
    assert list(hints) == ["a", "b"]
    assert report.missing == ["x", "y"]
    assert "2 hinted images are not in the data set: x, y" in report.lines()


def test_hints_of_another_data_set_are_refused(tmp_path: Path, data: DataFolder) -> None:
    write_hints(tmp_path / "h.jsonl", [Hints("x", tags=Tags(CAT))])
    with pytest.raises(DataError, match="none of the 1 hinted images is in the data set: x"):
        read_any_hints(tmp_path / "h.jsonl", data)


def test_a_photograph_that_cannot_be_read_is_counted(tmp_path: Path, data: DataFolder) -> None:
    data.images["b"].write_bytes(b"no image")
    write_hints(tmp_path / "h.jsonl", [Hints(name, tags=Tags(CAT)) for name in ("a", "b")])
    hints, report = read_any_hints(tmp_path / "h.jsonl", data)
    assert list(hints) == ["a"]
    assert list(report.unreadable) == ["b"]
    assert "1 images cannot be read: b" in report.lines()


def test_unknown_formats_are_refused(tmp_path: Path, data: DataFolder) -> None:
    with pytest.raises(DataError, match="hints are missing"):
        read_any_hints(tmp_path / "nowhere.jsonl", data)
    (tmp_path / "a.npy").write_bytes(b"")
    with pytest.raises(DataError, match=r"format of the hints is unknown: a\.npy"):
        read_any_hints(tmp_path / "a.npy", data)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="the folder has no hints"):
        read_any_hints(tmp_path / "empty", data)
    (tmp_path / "empty/a.xml").write_text(box_xml())
    (tmp_path / "empty/a.png").write_bytes(b"")
    assert read_any_hints(tmp_path / "empty", data)[1].sources[0][1] == "VOC boxes"  # beside a photograph
    (tmp_path / "empty/b.json").write_text('{"shapes": [], "imagePath": "b.png"}')
    with pytest.raises(DataError, match="files of several formats: labelme JSON, VOC boxes"):
        read_any_hints(tmp_path / "empty", data)
    (tmp_path / "a.json").write_text("[]")
    with pytest.raises(DataError, match=r"format of the hints is unknown: a\.json"):
        read_any_hints(tmp_path / "a.json", data)


def test_merging_unites_and_adds() -> None:
    dot, square = Bitmap("cat", 0, 0, 1, 1, (0, 1)), Polygon("dog", ((0, 0), (2, 0), (2, 2)))
    first = Hints("a", (3, 4), shapes=(Click("cat", 1, 1), dot), tags=Tags(CAT), source="x", seconds=2.0)
    second = Hints("a", mask="m.png", boxed=frozenset({"dog"}), tags=Tags(frozenset(), frozenset({"owl"})), seconds=3.0)
    second = replace(second, shapes=(square,))
    merged = merge_hints(first, second)
    assert merged == Hints(
        "a",
        size=(3, 4),
        shapes=(Click("cat", 1, 1), dot, square),
        boxed=frozenset({"dog"}),
        tags=Tags(CAT, frozenset({"owl"})),
        mask="m.png",
        source="x",
        seconds=5.0,
    )
    assert merge_hints(first, Hints("a")) == first
    assert merge_hints(Hints("a"), first) == first


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        (Hints("a", tags=Tags(CAT)), Hints("a", tags=Tags(frozenset(), CAT)), "cat"),
        (Hints("a", shapes=(Click("cat", 1, 1),)), Hints("a", tags=Tags(frozenset(), CAT)), "cat"),
        (Hints("a", mask="x.png"), Hints("a", mask="y.png"), "two masks"),
        (Hints("a", size=(3, 4)), Hints("a", size=(4, 3)), "two sizes"),
        (Hints("a"), Hints("b"), "two images"),
    ],
)
def test_contradictions_are_refused(first: Hints, second: Hints, message: str) -> None:
    with pytest.raises(HintError, match=message):
        merge_hints(first, second)


def test_up_to_one_pixel_outside_is_moved_inside() -> None:
    hints = Hints(
        "a",
        shapes=(
            Click("cat", 41.0, -1.0),
            Click("cat", 39.9, 0.0),
            Scribble("cat", ((40.0, 30.0), (20.0, 10.0))),
            Box("cat", -1.0, -0.5, 41.0, 30.5),
            Polygon("cat", ((-1.0, 3.0), (41.0, 3.0), (5.0, 30.5)), (((1, 4), (2, 4), (2, 31)),)),
        ),
    )
    fitted = fit_hints(hints, (30, 40), drop=False, where="test")
    assert fitted.dropped == 0
    assert fitted.hints.clicks == (Click("cat", 39.5, 0.5), Click("cat", 39.9, 0.0))
    assert fitted.hints.scribbles == (Scribble("cat", ((39.5, 29.5), (20.0, 10.0))),)
    assert fitted.hints.boxes == (Box("cat", 0.0, 0.0, 40.0, 30.0),)
    # A ring may lie on the border itself.
    assert fitted.hints.regions == (Polygon("cat", ((0, 3), (40, 3), (5, 30)), (((1, 4), (2, 4), (2, 30)),)),)


@pytest.mark.parametrize(
    "hints",
    [
        Hints("a", shapes=(Click("cat", 41.1, 5.0),)),
        Hints("a", shapes=(Scribble("cat", ((5.0, 35.0), (9.0, 35.0))),)),
        Hints("a", shapes=(Box("cat", 42.0, 10.0, 44.0, 20.0),)),
        Hints("a", shapes=(Polygon("cat", ((41, 1), (45, 1), (42, 9))),)),
        Hints("a", shapes=(Bitmap("cat", 40, 0, 2, 1, (0, 2)),)),
        Hints("a", shapes=(Bitmap("cat", -2, 0, 2, 1, (0, 2)),)),
        Hints("a", shapes=(Box("cat", 40.0, 10.0, 41.0, 20.0),)),  # within a pixel, and nothing of it inside
    ],
)
def test_farther_outside_is_refused_or_dropped(hints: Hints) -> None:
    with pytest.raises(HintError, match="outside the image"):
        fit_hints(hints, (30, 40), drop=False, where="test")
    fitted = fit_hints(hints, (30, 40), drop=True, where="test")
    assert (fitted.dropped, fitted.cut) == (1, 0)
    assert not fitted.hints.kinds()


def test_another_size_is_never_stretched() -> None:
    with pytest.raises(HintError, match=r"drawn on an image of 40 x 30.*EXIF rotation"):
        fit_hints(Hints("a", size=(40, 30)), (30, 40), drop=True, where="test")


@pytest.mark.skipif(not (DATA / "voc_animals").is_dir(), reason="the VOC animal photographs are not at hand")
def test_the_real_weak_labels() -> None:
    data = open_dataset(DATA / "voc_animals")
    weak = DATA / "voc_animals/weak"
    with pytest.raises(HintError, match="unknown class"):
        read_any_hints(weak / "voc_whats_the_point.json", data)
    with pytest.raises(HintError, match="outside the image"):
        read_any_hints(weak / "voc_whats_the_point.json", data, ignore_unknown=True)
    paths = [weak / "voc_whats_the_point.json", weak / "tags.csv"]
    hints, report = read_any_hints(paths, data, ignore_unknown=True, ignore_outside=True)
    assert report.images == len(hints) == 1945
    assert report.unknown.total() == 348
    assert report.outside == 10  # counted in the list of them: 1 on a person, 9 on background; 4 more lie on the border
    assert all(one.tags is not None and one.size is not None for one in hints.values())


@pytest.mark.skipif(not (DATA / "voc_sample").is_dir(), reason="the VOC sample is not at hand")
def test_the_real_sample_in_vocs_own_layout() -> None:
    data = open_dataset(DATA / "voc_sample")
    boxes, _ = read_any_hints(data.root / "Annotations", data)
    assert boxes["2007_000332"].boxes == (Box("horse", 53.0, 49.0, 285.0, 262.0),)
    clicks, _ = read_any_hints(DATA / "voc_sample/voc_whats_the_point.json", data)
    assert [click.name for click in clicks["2007_000332"].clicks] == ["horse", "background", "background"]
    scribbles, _ = read_any_hints(DATA / "voc_sample/scribbles", data)
    assert {stroke.name for stroke in scribbles["2008_000003"].scribbles} == {"person", "train", "background"}
