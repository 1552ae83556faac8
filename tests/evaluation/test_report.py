"""The gap report: what it says, that it needs nothing else, that no name breaks out of it, and its JSON twin."""

from __future__ import annotations

import base64
import io
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from underpaint.core.classes import ClassTable
from underpaint.core.errors import DataError
from underpaint.evaluation.compare import count_image, evaluation
from underpaint.evaluation.pictures import Mask
from underpaint.evaluation.report import GapReport, MethodRow, PictureRow, Role, duration, write_report

EVIL = "<img src=x onerror=alert(1)>\"'&"
TABLE = ClassTable.of(["background", EVIL, "cat"])
FLOOR = MethodRow("partial", Role.FLOOR, {0: 69.5, 1: 69.5}, {0: 40.0, 1: 42.0}, (80.0, 60.0, None), 6.0)
CRF = MethodRow("gated-crf", Role.METHOD, {0: 73.0, 1: 73.0}, {0: 50.0, 1: 50.0}, (81.0, 66.0, None), 6.0)
FULL = MethodRow("supervised", Role.CEILING, {0: 75.6, 1: 75.6}, {0: 60.0, 1: 60.0}, (85.0, 68.0, None), 240.0)


def report(*rows: MethodRow, pictures: tuple[PictureRow, ...] = (), curves: Path | None = None) -> GapReport:
    return GapReport(
        dataset="toys",
        split="test",
        hints="scribbles",
        network="FPN",
        tuning="Nothing was chosen on masks.",
        command="underpaint gap toys",
        machine="2 cores",
        commit="abc",
        classes=TABLE,
        rows=rows or (FLOOR, CRF, FULL),
        pictures=pictures,
        facts={"schedule": "20 epochs"},
        curves=curves,
    )


class Reader(HTMLParser):
    """Collects the tags, the addresses and the visible text; checks that every element is closed."""

    EMPTY = frozenset({"meta", "img", "br"})

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.open: list[str] = []
        self.feed(page)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.EMPTY:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1:] != ["style"]:
            self.text += data


def read(given: GapReport, folder: Path) -> tuple[Reader, str]:
    write_report(given, folder / "report.html")
    page = (folder / "report.html").read_text(encoding="utf-8")
    reader = Reader(page)
    reader.text = re.sub(r"\s+", " ", reader.text.replace("\N{NO-BREAK SPACE}", " "))
    return reader, page


def pictures(height: int = 30, width: int = 40) -> tuple[PictureRow, ...]:
    truth: Mask = np.zeros((height, width), np.uint8)
    truth[:, width // 2 :] = 2
    hints: Mask = np.full_like(truth, 255)
    hints[5, 5:9] = 0
    photo = np.zeros((height, width, 3), np.uint8)
    photo[..., 0] = np.arange(width)
    return (PictureRow(EVIL, photo, {"gated-crf": truth, "supervised": np.zeros_like(truth)}, truth, hints),)


def test_the_page_says_what_was_measured(tmp_path: Path) -> None:
    text = read(report(), tmp_path)[0].text
    assert "gated-crf reaches 73.0 mIoU from scribbles: 97 % of what full masks give." in text
    assert "It closes 57 % of the gap between hint pixels alone (69.5) and full masks (75.6)." in text
    assert "Nothing was chosen on masks." in text
    assert "one confusion matrix over the split; void dropped; classes absent from the ground truth left out" in text
    assert "full masks take 4 h 00" in text
    assert "What the annotation cost" in text
    for word in ("underpaint gap toys", "2 cores", "abc", "20 epochs", "0, 1"):
        assert word in text


def test_the_page_needs_nothing_else(tmp_path: Path) -> None:
    curves = tmp_path / "curves.png"
    Image.new("RGB", (8, 8)).save(curves)
    reader, page = read(report(pictures=pictures(), curves=curves), tmp_path)
    sources = [attributes["src"] or "" for tag, attributes in reader.tags if tag == "img"]
    assert len(sources) == 5
    assert all(re.match(r"data:image/(jpeg|png);base64,[A-Za-z0-9+/=]+$", source) for source in sources)
    assert not {"script", "link", "iframe", "object"} & {tag for tag, _ in reader.tags}
    assert not re.search(r"https?://|url\(|@import", page)
    assert sum(tag == "svg" for tag, _ in reader.tags) == 2


def test_names_are_text_everywhere(tmp_path: Path) -> None:
    evil = replace(CRF, method=EVIL, inference={EVIL: 70.0})
    shown = tuple(replace(picture, masks={EVIL: picture.truth}) for picture in pictures())
    given = replace(
        report(FLOOR, evil, FULL, pictures=shown), dataset=EVIL, hints=EVIL, tuning=EVIL, facts={EVIL: EVIL}
    )
    reader, page = read(given, tmp_path)
    assert "<img src=x" not in page
    assert all("onerror" not in attributes for _, attributes in reader.tags)
    assert {tag for tag, _ in reader.tags} == {
        tag
        for tag, _ in read(report(FLOOR, replace(CRF, inference={"CRF": 70.0}), FULL, pictures=pictures()), tmp_path)[
            0
        ].tags
    }
    assert reader.text.count(EVIL) >= 10


def test_pictures_carry_the_photograph_and_the_score_of_each_mask(tmp_path: Path) -> None:
    reader, page = read(report(pictures=pictures()), tmp_path)
    assert re.findall(r"<figcaption><bdi>(.*?)</bdi><b>(.*?)</b>", page) == [
        ("photo and hints", ""), ("gated-crf", "100"), ("supervised", "25"), ("truth", "")
    ]  # fmt: skip
    sources = [(attributes["src"] or "").split(",")[1] for tag, attributes in reader.tags if tag == "img"]
    first = Image.open(io.BytesIO(base64.b64decode(sources[0])))
    assert first.size == (400, 300)  # small photographs are enlarged before hints are drawn on them
    truth = np.asarray(Image.open(io.BytesIO(base64.b64decode(sources[-1]))), dtype=int)
    grey = 0.299 * 32 + 0.35 * (255 - 0.299 * 32)  # red 32 as ITU-R 601 grey, a third of the way to white
    assert np.abs(truth[150, 325] - (0.4 * grey + 0.6 * np.array(TABLE.colours[2]))).max() < 8
    assert np.ptp(truth[150, 100]) < 10  # background: the photograph, grey


def test_large_photographs_are_shrunk(tmp_path: Path) -> None:
    reader, _ = read(report(pictures=pictures(600, 1000)), tmp_path)
    source = next(attributes["src"] or "" for tag, attributes in reader.tags if tag == "img")
    assert Image.open(io.BytesIO(base64.b64decode(source.split(",")[1]))).size == (400, 240)


def test_json_twin(tmp_path: Path) -> None:
    read(report(FLOOR, replace(CRF, miou={1: 73.0}, inference={"CRF": 74.0}), FULL), tmp_path)
    form = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert {key: form[key] for key in ("dataset", "split", "hints", "network", "seeds", "command", "commit")} == {
        "dataset": "toys", "split": "test", "hints": "scribbles", "network": "FPN", "seeds": [0, 1],
        "command": "underpaint gap toys", "commit": "abc",
    }  # fmt: skip
    floor, crf, full = form["rows"]
    assert (crf["method"], crf["role"], crf["miou"], crf["miou_per_seed"]) == (
        "gated-crf",
        "method",
        73.0,
        [None, 73.0],
    )
    assert crf["gap_reduction"] == pytest.approx(3.5 / 6.1)
    assert crf["share_of_full"] == pytest.approx(73 / 75.6)
    assert (crf["gap"], crf["gap_interval"]) == (pytest.approx(2.6), None)
    assert (crf["boundary_iou"], crf["minutes"], crf["inference"]) == (50.0, 6.0, {"CRF": 74.0})
    assert crf["class_iou"] == {"background": 81.0, EVIL: 66.0, "cat": None}
    assert (floor["gap_reduction"], full["gap_reduction"], full["gap"]) == (0.0, 1.0, 0.0)


def test_without_a_gap_nothing_is_invented(tmp_path: Path) -> None:
    reader, _ = read(report(FLOOR, CRF, replace(FULL, miou={0: 69.0, 1: 69.0})), tmp_path)
    assert "gap reduction is undefined: the ceiling (69.0) is not above the floor (69.5)" in reader.text
    assert "closes" not in reader.text
    row = json.loads((tmp_path / "report.json").read_text())["rows"][1]
    assert row["gap_reduction"] is None
    assert "not above the floor" in row["gap_reduction_undefined"]


def test_a_method_below_the_floor_is_said_to_be_so(tmp_path: Path) -> None:
    reader, page = read(report(FLOOR, replace(CRF, miou={0: 60.0}), FULL), tmp_path)
    text = reader.text
    assert (
        "No method gets above hint pixels alone, which reach 69.5 mIoU from scribbles: gated-crf, the highest, "
        "reaches 60.0; full masks give 75.6." in text
    )
    assert "the best method" not in text
    assert 'class="best"' not in page


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ((CRF,), "gated-crf reaches 73.0 mIoU from scribbles. "),
        ((FLOOR, FULL), "No method between floor and ceiling was measured."),
        ((replace(CRF, miou={7: 73.0}, minutes=None),), "One seed: small differences may be luck."),
    ],
)
def test_parts_may_be_missing(tmp_path: Path, rows: tuple[MethodRow, ...], said: str) -> None:
    text = read(report(*rows), tmp_path)[0].text
    assert said in text
    assert ("The shaded band" in text) == (len(rows) == 2)


def test_a_row_from_evaluations() -> None:
    truths = {0: [[0, 0], [2, 2]], 1: [[0, 0], [1, 1]]}
    runs = {
        seed: evaluation(TABLE, "test", [count_image("a", np.array(t, np.uint8), np.zeros((2, 2), np.uint8), TABLE)])
        for seed, t in truths.items()
    }
    row = MethodRow.of("crf", Role.METHOD, runs, minutes=3.0)
    assert row.miou == {0: 25.0, 1: 25.0}
    assert row.class_iou == (50.0, 0.0, 0.0)
    assert (row.mean_accuracy, row.pixel_accuracy) == (50.0, 50.0)
    assert row.boundary_iou == {seed: run.boundary.mean for seed, run in runs.items()}
    with pytest.raises(DataError, match="'crf' has no run"):
        MethodRow.of("crf", Role.METHOD, {})


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ((CRF, CRF), r"the rows are \['gated-crf', 'gated-crf'\]"),
        ((FLOOR, replace(FLOOR, method="other")), "2 rows are the floor"),
        ((replace(CRF, miou={}),), r"'gated-crf' has 0 seed\(s\)"),
        ((replace(CRF, class_iou=(1.0,)),), "and 1 classes"),
    ],
)
def test_rows_that_do_not_fit_are_refused(rows: tuple[MethodRow, ...], said: str) -> None:
    with pytest.raises(DataError, match=said):
        report(*rows)


def test_no_row_is_refused() -> None:
    with pytest.raises(DataError, match=r"the rows are \[\]"):
        replace(report(), rows=())


def test_a_failure_leaves_the_older_report(tmp_path: Path) -> None:
    read(report(), tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    wrong = (replace(pictures()[0], truth=np.zeros((2, 2), np.uint8)),)
    text = tmp_path / "curves.txt"
    for bad in (report(pictures=wrong), report(curves=tmp_path / "none.png")):
        with pytest.raises(DataError):
            write_report(bad, tmp_path / "report.html")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    text.write_text("no picture")
    with pytest.raises(DataError, match="not a PNG"):
        write_report(report(curves=text), tmp_path / "report.html")
    with pytest.raises(DataError, match=r"a name that ends in \.html"):
        write_report(report(), tmp_path / "report.json")


@pytest.mark.parametrize(
    ("minutes", "text"),
    [
        (None, "\N{EN DASH}"),
        (0.5, "30 s"),
        (6.54, "6.5 min"),
        (12.4, "12 min"),
        (89.0, "89 min"),
        (200.0, "3 h 20"),
        (120_000.0, "2,000 h 00"),
    ],
)
def test_durations(minutes: float | None, text: str) -> None:
    assert duration(minutes).replace("\N{NO-BREAK SPACE}", " ") == text
