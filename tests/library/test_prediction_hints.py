"""Hints of the photographs that are predicted, from the library and by the installed command; what is refused."""

from __future__ import annotations

import csv
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import underpaint
from underpaint.core.errors import ConfigError, DataError, HintError
from underpaint.hints.types import Box, Click, Hints, Tags
from underpaint.imagefiles.images import read_rgb
from underpaint.imagefiles.masks import read_index_mask

COMMAND = str(Path(sys.executable).parent / "underpaint")


@pytest.fixture(scope="module")
def run(scenes: Path, scribbles: Path, tmp_path_factory: pytest.TempPathFactory) -> underpaint.Run:
    settings = {"views.crop": (32, 32), "train": {"batch": 2, "epochs": 1, "workers": 0}}
    return underpaint.train(scenes, tmp_path_factory.mktemp("runs") / "run", hints=scribbles, settings=settings)


@pytest.fixture(scope="module")
def tags(run: underpaint.Run, scenes: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table that leaves two classes to one photograph."""
    names = run.classes.names
    path = tmp_path_factory.mktemp("tags") / "tags.csv"
    path.write_text(
        f"image,{','.join(names)}\ntest-0000,{','.join('1' if i < 2 else '0' for i in range(len(names)))}\n"
    )
    return path


def test_tags_bound_one_mask_and_leave_the_others_as_they_are(
    run: underpaint.Run, scenes: Path, tags: Path, tmp_path: Path
) -> None:
    free = underpaint.predict(run.root, scenes, tmp_path / "free")
    known = underpaint.predict(run.root, scenes, tmp_path / "known", hints=tags, probabilities=True)
    assert free.written == known.written == 12
    assert "hints restrict the masks of 1 of 12 images" in known.notes
    for path in (tmp_path / "free").glob("*.png"):
        before, after = (
            read_index_mask(folder / path.name, run.classes) for folder in (path.parent, tmp_path / "known")
        )
        if path.stem == "test-0000":
            assert set(np.unique(after)) <= {0, 1}
        else:
            np.testing.assert_array_equal(before, after)
    with np.load(tmp_path / "known" / "probabilities" / "test-0000.npz") as held:
        assert (held["probabilities"][2:] == 0).all()
    one = run.predict(scenes / "images" / "test-0000.png", hints=tags)
    np.testing.assert_array_equal(one.mask, read_index_mask(tmp_path / "known" / "test-0000.png", run.classes))


def test_hints_of_one_image_as_an_object_for_a_path_and_for_an_array(run: underpaint.Run, scenes: Path) -> None:
    path = scenes / "images" / "test-0001.png"
    names = run.classes.names
    hints = Hints("any", shapes=(Click(names[1], 5.5, 7.5), Box(names[2], 20, 20, 40, 50)), boxed=frozenset({names[2]}))
    of_path, of_array = run.predict(path, hints=hints), run.predict(read_rgb(path), hints=hints)
    np.testing.assert_array_equal(of_path.probabilities, of_array.probabilities)
    assert of_path.mask[7, 5] == 1
    outside = np.ones(of_path.mask.shape, bool)
    outside[20:50, 20:40] = False
    assert (of_path.probabilities[2][outside] == 0).all()


def test_classes_of_a_data_set_in_another_order_are_understood(
    run: underpaint.Run, scenes: Path, tags: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    (other / "images").mkdir(parents=True)
    (other / "images" / "test-0000.png").write_bytes((scenes / "images" / "test-0000.png").read_bytes())
    first, *rest = run.classes.names
    (other / "classes.txt").write_text("\n".join([first, *reversed(rest)]))
    underpaint.predict(run.root, other, tmp_path / "masks", hints=tags)
    assert set(np.unique(read_index_mask(tmp_path / "masks" / "test-0000.png", run.classes))) <= {0, 1}
    (other / "classes.txt").write_text("\n".join([first, "unicorn"]))
    with pytest.raises(DataError, match=r"unicorn(.|\n)*those of the run"):
        underpaint.predict(run.root, other, tmp_path / "more", hints=tags)


def test_what_is_refused_is_refused_before_the_first_mask(run: underpaint.Run, scenes: Path, tmp_path: Path) -> None:
    names = run.classes.names
    everywhere = Tags(absent=frozenset(names))
    out = tmp_path / "masks"
    strange: list[tuple[Hints, str]] = [
        (Hints("test-0000", shapes=(Click("unicorn", 1, 1),)), "unicorn"),
        (Hints("test-0000", shapes=(Click(names[1], 900, 1),)), "outside"),
        (Hints("test-0000", shapes=(Click(names[1], 1, 1),), tags=Tags(absent=frozenset(names[1:2]))), "absent"),
        (Hints("test-0000", tags=everywhere), "every class"),
    ]
    for hints, words in strange:
        with pytest.raises(HintError, match=words):
            underpaint.predict(run.root, scenes, out, hints={"test-0000": hints})
    with pytest.raises(ConfigError, match="uses no hints"):
        underpaint.predict(run.root, scenes, out, hints={"test-0000": strange[0][0]}, draw="uncertainty")
    with pytest.raises(HintError, match="label file"):
        run.predict(np.zeros((8, 8, 3), np.uint8), hints=Hints("x", mask="x.png"))
    with pytest.raises(HintError, match="beside an array"):
        run.predict(np.zeros((8, 8, 3), np.uint8), hints="tags.csv")
    assert not list(out.glob("*.png"))


def test_the_command_bounds_says_what_bounds_nothing_and_names_strangers(
    run: underpaint.Run, scenes: Path, tmp_path: Path
) -> None:
    names = run.classes.names
    (tmp_path / "list.csv").write_text(f"image,tags\ntest-0002,{names[1]}\n")
    (tmp_path / "clicks.csv").write_text(
        f"image,{','.join(names)}\ntest-0003,{'1,' * (len(names) - 1)}0\nnobody{',1' * len(names)}\n"
    )
    hints = [word for name in ("list.csv", "clicks.csv") for word in ("--hints", str(tmp_path / name))]
    words = [COMMAND, "predict", str(run.root), str(scenes / "images"), "-o", str(tmp_path / "masks"), *hints]
    done = subprocess.run(words, capture_output=True, text=True, timeout=300, check=False)
    said = " ".join(done.stderr.split())
    assert done.returncode == 0, done.stderr
    assert "hints restrict the masks of 1 of 12 images" in said
    assert "exclude no class: test-0002" in said
    assert "1 hinted images are not in the data set: nobody" in said
    with (tmp_path / "masks" / "summary.csv").open(newline="") as file:
        rows = {row["image"]: row for row in csv.DictReader(file)}
    assert float(rows["test-0003"][names[-1]]) == 0
    wrong = subprocess.run([*words, "--cam"], capture_output=True, text=True, timeout=300, check=False)
    assert wrong.returncode != 0
    assert "without --hints" in " ".join(wrong.stderr.split())
