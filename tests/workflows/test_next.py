"""``next``: where the next hint helps most, at most one place a photograph, the same for the same hints."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

from underpaint import next_hints, read_hints
from underpaint.annotations.jsonl.write import write_hints
from underpaint.cli import app
from underpaint.core.errors import ConfigError
from underpaint.data.synthetic import write_dataset
from underpaint.hints.types import IGNORED, Bitmap, Click, Hints
from underpaint.workflows.next import Place, choose_places


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("UNDERPAINT_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def unhinted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("unhinted") / "data"
    write_dataset(root, train=3, test=1, size=(64, 80), seed=0)
    for path in (root / "masks").iterdir():
        path.unlink()
    return root


def place(image: str, uncertainty: float, *, random: bool = False) -> Place:
    return Place(image, 1, 1, 1, uncertainty, "a", "b", random)


def test_every_fourth_place_is_drawn_and_no_photograph_comes_twice() -> None:
    best = [
        place(name, uncertainty)
        for name, uncertainty in (("a", 1), ("b", 3), ("c", 2), ("d", 3), ("e", 0.5), ("f", 0.1))
    ]
    drawn = [place(name, 0, random=True) for name in ("b", "f", "a", "d", "e", "c")]
    found = choose_places(best, drawn, 6)
    assert [(p.image, p.random) for p in found] == [
        ("b", False),
        ("d", False),
        ("c", False),
        ("f", True),  # b is there already
        ("a", False),
        ("e", False),
    ]
    assert choose_places(best, drawn, 2) == found[:2]
    assert len(choose_places(best, drawn, 99)) == 6


def test_places_lie_in_their_photographs_and_repeat(scenes: Path, scribbles: Path) -> None:
    first = next_hints(scenes, hints=[scribbles], count=5)
    assert len(first.places) == len({p.image for p in first.places}) == 5
    assert [p.random for p in first.places] == [False, False, False, True, False]
    for found in first.places:
        assert 0 <= found.x < 80
        assert 0 <= found.y < 64
        assert found.image.startswith("train-")
        assert re.fullmatch(r"\S+ or \S+\?", found.question)
    uncertainties = [p.uncertainty for p in first.places if not p.random]
    assert uncertainties == sorted(uncertainties, reverse=True)
    assert next_hints(scenes, hints=[scribbles], count=5).places == first.places
    others = [next_hints(scenes, hints=[scribbles], count=5, seed=seed).places[3] for seed in (1, 2)]
    assert any(other != first.places[3] for other in others)


def test_no_place_lies_in_an_ignored_area(scenes: Path, scribbles: Path, tmp_path: Path) -> None:
    asked = next_hints(scenes, hints=[scribbles], count=1).places[0].image
    ignored = Bitmap(IGNORED, 0, 0, 80, 63, (0, 80 * 63))  # all but the last row, which lies beside it
    hints = read_hints(scribbles, scenes)
    hints[asked] = replace(hints[asked], shapes=(*hints[asked].shapes, ignored))
    write_hints(tmp_path / "hints.jsonl", hints.values())
    found = next_hints(scenes, hints=[tmp_path / "hints.jsonl"], count=99).places
    assert asked not in {place.image for place in found}
    assert found


def test_without_hints_places_are_drawn_and_it_is_said(unhinted: Path) -> None:
    found = next_hints(unhinted, count=5)
    assert {p.image for p in found.places} == {"train-0000", "train-0001", "train-0002"}
    assert all(p.random and p.question == "what is here?" for p in found.places)
    assert "no hints yet" in found.notes[0]
    assert "only 3 of 5 places were found" in found.notes[1]
    assert next_hints(unhinted, count=5).places == found.places


def test_hints_of_one_class_make_no_model(unhinted: Path, tmp_path: Path) -> None:
    table = tmp_path / "hints.jsonl"
    write_hints(table, [Hints("train-0000", shapes=(Click("pebble", 3, 4),))])
    found = next_hints(unhinted, hints=[table], count=2)
    assert "only one class (pebble)" in found.notes[0]


def test_a_count_below_one_is_refused(unhinted: Path) -> None:
    with pytest.raises(ConfigError, match="count is 0"):
        next_hints(unhinted, count=0)


def test_the_command_prints_json_and_draws_a_sheet(unhinted: Path, tmp_path: Path) -> None:
    words = ["next", str(unhinted), "--count", "3", "--sheet", str(tmp_path / "sheet.png"), "--json"]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    said = json.loads(done.stdout)
    assert len(said["places"]) == 3
    assert set(said["places"][0]) == {
        "image",
        "x",
        "y",
        "radius",
        "uncertainty",
        "guess",
        "other",
        "random",
        "question",
    }
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.size == (3 * 248 + 8, 288 + 8)
        at = said["places"][0]
        column = 8 + round(at["x"] * 3) + 8  # photographs of 80 x 64 become 240 x 192; the ring is 8 pixels wide
        row = 8 + 24 + round(at["y"] * 3)
        shades = [sheet.getpixel((column + shift, row)) for shift in range(-4, 3)]
        assert (255, 255, 255) in shades or (0, 0, 0) in shades
    (tmp_path / "sheet.png").write_bytes(b"mine")
    again = CliRunner().invoke(app, words)
    assert again.exit_code != 0
    assert (tmp_path / "sheet.png").read_bytes() == b"mine"
