"""A path at which nothing is: what is spelled most like it is offered, in every verb."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from underpaint.annotations.registry import format_named, recognise
from underpaint.cli import app
from underpaint.core.errors import DataError, UnderpaintError
from underpaint.core.paths import existing, nearest_path
from underpaint.datasets.open import open_dataset
from underpaint.imagefiles.images import find_images, read_rgb


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("photographs/train/a.png", "hints.jsonl", ".hintz.jsonl", "other/x"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("photogaphs", "photographs"),
        ("Photographs/", "photographs"),
        ("photografs/train/a.png", "photographs/train/a.png"),
        ("photografs/nowhere", "photographs"),
        ("photographs/trian", "photographs/train"),
        ("hint.jsonl", "hints.jsonl"),
        ("hints.json", "hints.jsonl"),
    ],
)
def test_the_nearest_path_is_offered(root: Path, said: str, meant: str) -> None:
    assert nearest_path(root / said) == f"did you mean {str(root / meant)!r}?"


def test_nothing_is_offered_where_nothing_is_like_it(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert nearest_path(root / "zzz") == f"correct the path; {root} exists, but no name in it is similar to 'zzz'"
    assert nearest_path(Path("a\0b")).startswith("correct the path")
    assert nearest_path(root) == "correct the path"
    monkeypatch.chdir(root)
    assert nearest_path(Path("othr")) == "did you mean 'other'?"


def test_every_path_that_is_missing_says_so(root: Path) -> None:
    wrong = root / "photogaphs"
    calls: dict[str, Callable[[], object]] = {
        "data": lambda: open_dataset(wrong),
        "photographs": lambda: find_images(wrong),
        "hints": lambda: recognise(root / "hint.jsonl"),
        "existing": lambda: existing(wrong, "the folder"),
    }
    for name, call in calls.items():
        with pytest.raises(DataError, match="missing") as caught:
            call()
        assert "did you mean" in str(caught.value), name


def test_a_format_is_offered() -> None:
    with pytest.raises(DataError, match="did you mean 'labelme'"):
        format_named("lableme")


@pytest.mark.parametrize(
    "call",
    [
        ("doctor", "photogaphs"),
        ("doctor", "photographs", "--hints", "hint.jsonl"),
        ("train", "photogaphs", "-o", "run"),
        ("train", "photographs", "--hints", "hint.jsonl", "-o", "run"),
        ("convert", "hint.jsonl", "out.json", "--to", "coco"),
        ("simulate", "photogaphs", "--kind", "clicks", "-o", "out.jsonl"),
        ("predict", "othr", "photographs", "-o", "masks"),
        ("evaluate", "photographs", "photogaphs"),
        ("gap", "photogaphs", "-o", "out"),
    ],
)
def test_every_verb_offers_the_nearest_path(root: Path, monkeypatch: pytest.MonkeyPatch, call: tuple[str, ...]) -> None:
    monkeypatch.chdir(root)
    monkeypatch.setenv("COLUMNS", "300")
    done = CliRunner().invoke(app, list(call))
    assert done.exit_code != 0
    said = done.output + (str(done.exception) if isinstance(done.exception, UnderpaintError) else "")
    assert "did you mean" in said, said


def test_a_photograph_that_is_missing_is_named(root: Path) -> None:
    with pytest.raises(DataError, match="missing"):
        read_rgb(root / "photographs/train/b.png")
