"""The gap engine on synthetic scenes: whole, reused, interrupted, and honest."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from PIL import Image

from underpaint import gap
from underpaint.annotations.jsonl import write_hints
from underpaint.core.errors import ConfigError, UnderpaintError
from underpaint.datasets.open import open_dataset
from underpaint.evaluation.compare import evaluate_folder
from underpaint.evaluation.gap import measure_gap
from underpaint.hints.types import Hints, Kind, Polygon
from underpaint.imagefiles.masks import read_index_mask
from underpaint.simulate.effort import Effort
from underpaint.workflows.gap import Variant, usual_variants, with_quick


def quick(scenes: Path, out: Path, small: list[str], **arguments: object) -> dict[str, object]:
    gap(scenes, out, settings=[*small, "train.epochs=1"], **arguments)  # type: ignore[arg-type]
    held: dict[str, object] = json.loads((out / "report.json").read_text())
    return held


def test_the_report_says_what_the_masks_say(scenes: Path, small: list[str], tmp_path: Path) -> None:
    out = tmp_path / "gap"
    held = quick(scenes, out, small, methods=["gated-crf"], seeds=[0, 1], tuning="nothing", command="by hand")
    rows = {row["method"]: row for row in held["rows"]}  # type: ignore[attr-defined]
    assert list(rows) == ["partial", "supervised", "quick", "gated-crf"]
    data = open_dataset(scenes)
    scores = {
        name: {s: evaluate_folder(out / "masks" / f"{name}-{s}", data, "test", workers=1).scores.miou for s in (0, 1)}
        for name in rows
    }
    for name, row in rows.items():
        assert row["miou_per_seed"] == pytest.approx(list(scores[name].values()))
    expected = measure_gap(scores["gated-crf"], floor=scores["partial"], ceiling=scores["supervised"])
    assert rows["gated-crf"]["gap"] == pytest.approx(expected.gap.mean)
    assert list(rows["gated-crf"]["inference"]) == ["one scale", "scales and flips", "CRF", "scales, flips and CRF"]
    assert rows["gated-crf"]["inference"]["one scale"] == pytest.approx(scores["gated-crf"][0])
    assert 0 < rows["partial"]["minutes"] < rows["supervised"]["minutes"]
    page = (out / "report.html").read_text()
    assert "by hand" in page
    assert "Bearman" in page


def test_what_is_there_is_not_trained_again(scenes: Path, small: list[str], tmp_path: Path) -> None:
    out, data = tmp_path / "gap", open_dataset(scenes)
    first = quick(scenes, out, small, methods=[])
    times = {path: path.stat().st_mtime_ns for path in out.glob("runs/*/weights.safetensors")}
    second = quick(scenes, out, small, methods=["again=partial", "w0=local-global:weight=0,scales=[1.0]"])
    assert {path: path.stat().st_mtime_ns for path in times} == times
    rows = {row["method"]: row for row in second["rows"]}  # type: ignore[attr-defined]
    floor = first["rows"][0]  # type: ignore[index]
    assert rows["again"]["miou"] == floor["miou"], "the same stage from the store"
    config = (out / "runs" / "w0-0" / "config.yaml").read_text()
    assert "weight: 0" in config
    assert "- 1.0" in config
    slow = quick(scenes, out, small, methods=[], effort=Effort(tag=0, scribble=0, mask=60))
    assert slow["rows"][0]["minutes"] == 0  # type: ignore[index]
    shown = [
        np.unique(read_index_mask(path, data.classes)) for path in map(data.masks.__getitem__, data.split("train"))
    ]
    objects = sum(len(set(each.tolist()) - {255, data.classes.background}) for each in shown)
    assert slow["rows"][1]["minutes"] == objects  # type: ignore[index]
    trained = [path for path in (out / "artifacts").iterdir() if path.name.startswith("trained-")]
    assert len(trained) == 4, "floor, ceiling, quick, and the second network of w0"


@pytest.mark.slow
def test_budgets_are_points_of_quality_against_effort(scenes: Path, small: list[str], tmp_path: Path) -> None:
    held = quick(scenes, tmp_path / "gap", small, methods=[], budgets=[2, 4])
    quick_points = [p["budget"] for p in held["budget"] if p["method"] == "quick"]  # type: ignore[attr-defined]
    assert quick_points == [1, 2, 4]
    points = [p for p in held["budget"] if p["method"] == "partial"]  # type: ignore[attr-defined]
    assert [(p["method"], p["budget"]) for p in points] == [("partial", 1), ("partial", 2), ("partial", 4)]
    minutes = [p["minutes"] for p in points]
    assert minutes == sorted(minutes)
    assert len(set(minutes)) == 3
    slope = 60 * (points[1]["miou"] - points[0]["miou"]) / (minutes[1] - minutes[0])
    assert points[0]["next_hour"] == pytest.approx(slope)
    assert points[2]["next_hour"] is None


@pytest.mark.parametrize("jobs", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_row_that_nobody_asked_for_and_that_cannot_be_trained_is_left_out(
    scenes: Path, small: list[str], tmp_path: Path, jobs: int
) -> None:
    """Marks of only one class teach the quick model nothing. Where somebody asked for it, that is an error."""
    data = tmp_path / "data"
    shutil.copytree(scenes, data)
    for path in (data / "masks").glob("train-*.png"):
        with Image.open(path) as image:
            painted = Image.fromarray(np.ones_like(np.array(image)))
            painted.putpalette(image.getpalette() or [])
        painted.save(path)
    held = quick(data, tmp_path / "gap", small, methods=[], four=False, jobs=jobs)
    assert [row["method"] for row in held["rows"]] == ["partial", "supervised"]  # type: ignore[attr-defined]
    assert list(held["left_out"]) == ["quick, seed 0"]  # type: ignore[call-overload]
    assert "only one class" in held["left_out"]["quick, seed 0"]  # type: ignore[index]
    assert "is left out: the marks have only one class" in re.sub(
        "<.*?>", "", (tmp_path / "gap/report.html").read_text()
    )
    with pytest.raises(UnderpaintError, match="only one class"):
        quick(data, tmp_path / "gap", small, methods=["quick"], four=False, jobs=jobs)


def test_what_makes_all_rows_useless_is_said_once(
    scenes: Path, small: list[str], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    data = open_dataset(scenes)
    corner = ((2.0, 2.0), (9.0, 2.0), (9.0, 9.0))
    areas = [Hints(name, shapes=(Polygon(data.classes.names[1], corner),)) for name in data.split("train")]
    write_hints(tmp_path / "areas.jsonl", areas)
    asked = {"hints": [tmp_path / "areas.jsonl"], "methods": ["again=partial"], "four": False, "quick": False}
    gap(scenes, tmp_path / "gap", settings=[*small, "train.epochs=0.5"], **asked)  # type: ignore[arg-type]
    assert len([record for record in caplog.records if "--rest" in record.getMessage()]) == 1


@pytest.mark.slow
def test_two_jobs_give_what_one_gives(scenes: Path, small: list[str], tmp_path: Path) -> None:
    torch.set_num_threads(1)  # sums differ in their last bits with the number of threads
    one = quick(scenes, tmp_path / "one", small, methods=[])
    two = quick(scenes, tmp_path / "two", small, methods=[], jobs=2)
    assert [row["miou"] for row in one["rows"]] == [row["miou"] for row in two["rows"]]  # type: ignore[attr-defined]


def test_other_settings_in_the_same_folder_are_refused(scenes: Path, small: list[str], tmp_path: Path) -> None:
    quick(scenes, tmp_path / "gap", small, methods=[])
    with pytest.raises(Exception, match=r"train\.lr"):
        gap(scenes, tmp_path / "gap", settings=[*small, "train.epochs=1", "train.lr=0.01"], methods=[])


def test_variants() -> None:
    assert Variant.parse("gated-crf") == Variant("gated-crf", "gated-crf")
    assert Variant.parse("w0=local-global:weight=0,scales=[0.5,1.0],train.ema=0.9") == Variant(
        "w0", "local-global", ("method.settings.weight=0", "method.settings.scales=[0.5,1.0]", "train.ema=0.9")
    )
    for bad in ("no-such-method", "a=gated-crf:weight", "a/b=gated-crf"):
        with pytest.raises(ConfigError):
            Variant.parse(bad)


def test_tags_alone_have_a_floor_that_learns_from_tags(scenes: Path, small: list[str], tmp_path: Path) -> None:
    """And its settings, where a variant has its name."""
    plain = {"hints": ["tags"], "four": False}
    held = quick(scenes, tmp_path / "gap", small, methods=["cam=cam:scales=[1.0]"], **plain)
    roles = {row["method"]: row["role"] for row in held["rows"]}  # type: ignore[attr-defined]
    assert roles == {"cam": "floor", "supervised": "ceiling"}
    written = yaml.safe_load((tmp_path / "gap" / "runs" / "cam-0" / "config.yaml").read_text())
    assert written["method"]["settings"]["scales"] == [1.0]


@pytest.mark.parametrize(
    ("kinds", "labels"),
    [
        ({Kind.SCRIBBLE: 3}, ["gated-crf", "local-global"]),
        ({Kind.CLICK: 3}, ["local-global", "gated-crf"]),
        ({Kind.TAG: 3}, ["sc-cam"]),
        ({Kind.BOX: 2, Kind.MASK: 1}, ["box-uncertainty"]),
        ({Kind.BOX: 2, Kind.CLICK: 1}, ["local-global"]),
        ({Kind.MASK: 3}, []),
    ],
)
def test_what_is_measured_where_nobody_says(kinds: dict[Kind, int], labels: list[str]) -> None:
    assert [variant.label for variant in usual_variants(kinds, background=True)] == labels
    assert [variant.label for variant in usual_variants({Kind.TAG: 3}, background=False)] == ["rrm", "cam"]
    for variant in usual_variants({Kind.BOX: 2, Kind.TAG: 1}, background=True):
        assert variant.overrides == ("method.settings.baseline=box-uncertainty",)


@pytest.mark.parametrize(
    ("kinds", "given", "labels"),
    [
        ({Kind.SCRIBBLE: 3}, [], ["quick"]),
        ({Kind.BOX: 2, Kind.TAG: 1}, ["gated-crf"], ["quick", "gated-crf"]),
        ({Kind.TAG: 3}, ["cam"], ["cam"]),
        ({Kind.SCRIBBLE: 3}, ["partial", "quick=quick:penalty=0.1"], ["partial", "quick"]),
    ],
)
def test_the_quick_model_is_a_row_where_it_accepts_the_hints(
    kinds: dict[Kind, int], given: list[str], labels: list[str]
) -> None:
    assert [variant.label for variant in with_quick([Variant.parse(text) for text in given], kinds)] == labels


def test_a_budget_of_given_hints_is_refused(scenes: Path, scribbles: Path, small: list[str], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="needs simulated hints"):
        quick(scenes, tmp_path / "gap", small, methods=[], hints=[str(scribbles)], budgets=[2])
