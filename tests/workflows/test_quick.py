"""``quick``: one step from hints to masks, and what it says where that cannot be."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from underpaint import plan
from underpaint.cli import app
from underpaint.core.atomic import write_atomic
from underpaint.core.errors import DataError, HintError, LearningError, UnderpaintError
from underpaint.datasets.open import open_dataset
from underpaint.features.bank import FeatureBank
from underpaint.features.store import FeatureStore
from underpaint.hints.types import Box, Click, Hints, Scribble, Tags
from underpaint.models.linear import LinearHead
from underpaint.training.reporter import Silent
from underpaint.workflows.quick_model import QuickSummary, fit_quick, quick_masks
from underpaint.workflows.training_data import TrainingData, read_training_data

LEFT, RIGHT = (10, 5), (50, 25)


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("UNDERPAINT_CACHE", str(folder))
        yield folder


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three photographs, 64 x 48 pixels: the left half reddish, the right half greenish."""
    root = tmp_path_factory.mktemp("halves")
    (root / "images").mkdir()
    (root / "classes.txt").write_text("red\ngreen\nblue\n")
    rng = np.random.default_rng(0)
    for name in "abc":
        rgb = rng.integers(0, 60, (48, 64, 3), dtype=np.uint8)
        rgb[:, :32, 0] += 150
        rgb[:, 32:, 1] += 150
        Image.fromarray(rgb).save(root / "images" / f"{name}.png")
    return root


def stroke(name: str, at: tuple[int, int]) -> Scribble:
    return Scribble(name, ((at[0], at[1]), (at[0], at[1] + 12)))


BOTH = Hints("a", shapes=(stroke("red", LEFT), stroke("green", RIGHT)))


def run(place: Path, out: Path, *hints: Hints, **settings: object) -> QuickSummary:
    found: Mapping[str, Hints] = {hint.image: hint for hint in hints}
    return quick_masks(TrainingData(place, open_dataset(place), "all", found, (), ()), dict(settings), out)


def mask(out: Path, name: str) -> np.ndarray:
    return np.asarray(Image.open(out / f"{name}.png"))


def test_hinted_photographs_and_all_others_get_masks(data: Path, tmp_path: Path) -> None:
    made = run(data, tmp_path / "masks", BOTH)
    assert (made.hinted, made.masks.written, dict(made.masks.skipped)) == (("a",), 3, {})
    truth = np.repeat([[0, 1]], 48, axis=0).repeat(32, axis=1)
    for name in "abc":
        found = mask(tmp_path / "masks", name)
        assert found.shape == (48, 64)
        assert (found == truth).mean() > 0.75
    assert (mask(tmp_path / "masks", "a")[6:16, 10] == 0).all()
    table = (tmp_path / "masks" / "summary.csv").read_text().splitlines()
    assert table[0] == "image,height,width,red,green,blue"
    assert [line.split(",")[0] for line in table[1:]] == ["a", "b", "c"]
    assert any("no image has a mark" in note and "blue" in note for note in made.notes)


def test_the_weights_are_those_of_train(scenes: Path, scribbles: Path, tmp_path: Path) -> None:
    trained = plan(scenes, hints=[scribbles], method="quick").train(tmp_path / "run").network()
    fitted = fit_quick(read_training_data(scenes, hints=[scribbles]), {}).network
    assert isinstance(trained.head, LinearHead)
    ours, theirs = fitted.state_dict(), trained.state_dict()
    assert all(ours[key].equal(theirs[key]) for key in theirs)


def test_the_command_writes_masks_and_json(scenes: Path, scribbles: Path, tmp_path: Path) -> None:
    words = ["quick", str(scenes), "--hints", str(scribbles), "-o", str(tmp_path / "masks"), "--no-crf", "--json"]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    said = json.loads(done.stdout)
    assert (said["masks"], len(said["hinted"]), said["skipped"]) == (12, 8, {})
    assert len(list((tmp_path / "masks").glob("*.png"))) == 12


def test_a_class_that_is_said_to_be_absent_is_never_shown(data: Path, tmp_path: Path) -> None:
    other = Hints("b", shapes=(stroke("blue", LEFT),))
    tagged = Hints("c", tags=Tags(absent=frozenset({"red"})))
    run(data, tmp_path / "masks", BOTH, other, tagged)
    assert 0 not in mask(tmp_path / "masks", "c")


def test_a_photograph_without_marks_is_masked_within_its_tags(data: Path, tmp_path: Path) -> None:
    other = Hints("b", shapes=(stroke("blue", LEFT),))
    made = run(data, tmp_path / "masks", BOTH, other, Hints("c", tags=Tags(frozenset({"green", "blue"}))))
    assert made.hinted == ("a", "b", "c")
    assert set(np.unique(mask(tmp_path / "masks", "c"))) <= {1, 2}


def test_large_photographs_are_seen_small_and_masked_at_their_own_size(data: Path, tmp_path: Path) -> None:
    large = tmp_path / "large"
    (large / "images").mkdir(parents=True)
    (large / "classes.txt").write_text("red\ngreen\n")
    with Image.open(data / "images" / "a.png") as small:
        small.resize((640, 480)).save(large / "images" / "a.png")
    marks = Hints("a", shapes=(Click("green", 600, 40), Scribble("red", ((9, 9), (200, 300)))))
    run(large, tmp_path / "masks", marks, data={"working": 256})
    found = mask(tmp_path / "masks", "a")
    assert found.shape == (480, 640)
    assert (found[9, 9], found[40, 600]) == (0, 1)


def test_an_interrupted_call_goes_on_without_computing_features_again(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(data, tmp_path / "masks", BOTH)
    (tmp_path / "masks" / "c.png").unlink()
    monkeypatch.setattr(FeatureBank, "_compute", None)  # calling it would fail
    run(data, tmp_path / "masks", BOTH)
    assert mask(tmp_path / "masks", "c").shape == (48, 64)


@pytest.mark.parametrize(
    ("hints", "kind", "said"),
    [
        (
            [Hints("a", shapes=(stroke("red", LEFT),)), Hints("b", shapes=(Click("red", 3, 3),))],
            LearningError,
            "one class",
        ),
        ([Hints("a", tags=Tags(frozenset({"red", "green"})))], UnderpaintError, "tags alone"),
        ([Hints("a", shapes=(Click("red", 3, 3),), tags=Tags(absent=frozenset({"red"})))], HintError, "absent"),
        ([BOTH, Hints("b", shapes=(Box("green", 900, 900, 950, 950),))], HintError, "outside"),
    ],
)
def test_bad_hints_end_with_a_message_and_no_mask(
    data: Path, tmp_path: Path, hints: list[Hints], kind: type[UnderpaintError], said: str
) -> None:
    with pytest.raises(kind, match=said):
        run(data, tmp_path / "masks", *hints)
    assert not list((tmp_path / "masks").glob("*.png"))


def test_strokes_that_contradict_are_unknown_where_they_meet(data: Path, tmp_path: Path) -> None:
    over = Scribble("green", ((5, 11), (15, 11)))
    run(data, tmp_path / "masks", Hints("a", shapes=(*BOTH.scribbles, over)))
    found = mask(tmp_path / "masks", "a")
    assert (found[6, 10], found[11, 6]) == (0, 1)


def test_an_encoder_without_the_levels_is_an_error_before_anything_is_written(data: Path, tmp_path: Path) -> None:
    with pytest.raises(UnderpaintError, match="lacks levels"):
        run(data, tmp_path / "masks", BOTH, model={"encoder": "vgg11", "weights": "none"})
    assert not list((tmp_path / "masks").glob("*.png"))


def test_a_folder_with_a_persons_files_is_refused(data: Path, tmp_path: Path) -> None:
    (tmp_path / "masks").mkdir()
    (tmp_path / "masks" / "a.png").write_text("mine")
    with pytest.raises(DataError):
        run(data, tmp_path / "masks", BOTH)
    assert (tmp_path / "masks" / "a.png").read_text() == "mine"


def test_a_full_disk_for_features_costs_time_alone(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNDERPAINT_CACHE", str(tmp_path / "cache"))

    def full(self: FeatureStore, *_: object) -> None:
        self.failure = "no space left on device"

    monkeypatch.setattr(FeatureStore, "write", full)
    notes: list[str] = []

    class Watching(Silent):
        def note(self, message: str) -> None:
            notes.append(message)

    learnt = TrainingData(data, open_dataset(data), "all", {"a": BOTH}, (), ())
    made = quick_masks(learnt, {}, tmp_path / "masks", reporter=Watching())
    assert made.masks.written == 3
    assert notes == ["features are not stored: no space left on device"]


def test_a_full_disk_for_masks_is_an_error_and_the_same_call_ends_it(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = write_atomic

    def full(path: Path, content: bytes, **given: object) -> None:
        if path.name == "c.png":
            raise DataError("no space left on device", where=path)
        plain(path, content, **given)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr("underpaint.core.outputs.write_atomic", full)
        with pytest.raises(DataError, match="2 of the masks were written"):
            run(data, tmp_path / "masks", BOTH)
    assert run(data, tmp_path / "masks", BOTH).masks.written == 3
