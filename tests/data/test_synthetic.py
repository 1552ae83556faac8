"""The generated scenes: repeatable, complete, hard enough to be worth learning, and written whole or not at all."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from underpaint.core.classes import read_classes
from underpaint.core.errors import DataError
from underpaint.data import synthetic
from underpaint.data.synthetic import SCENE_CLASSES, make_scene, write_dataset
from underpaint.evaluation.confusion import confusion, scores

SIZE = (96, 120)
SCENES = [make_scene(index, seed=0, size=SIZE) for index in range(30)]


def test_a_scene_is_a_function_of_seed_and_index() -> None:
    for index in (5, 3):
        rgb, mask = make_scene(index, seed=0, size=SIZE)
        np.testing.assert_array_equal(rgb, SCENES[index][0])
        np.testing.assert_array_equal(mask, SCENES[index][1])
    assert (make_scene(3, seed=1, size=SIZE)[1] != SCENES[3][1]).any()


def test_shapes_types_and_classes() -> None:
    for rgb, mask in SCENES:
        assert (rgb.shape, mask.shape) == ((*SIZE, 3), SIZE)
        assert rgb.dtype == mask.dtype == np.uint8
        assert set(np.unique(mask)) <= set(range(len(SCENE_CLASSES)))
        assert 2 <= len(np.unique(mask)) <= len(SCENE_CLASSES)


def test_every_class_is_common_and_none_rules() -> None:
    shares = np.bincount(np.concatenate([mask.ravel() for _, mask in SCENES]), minlength=6) / (30 * SIZE[0] * SIZE[1])
    assert 0.55 < shares[0] < 0.85
    assert (shares[1:] > 0.01).all()
    present = np.mean([[np.any(mask == c) for c in range(1, 6)] for _, mask in SCENES], axis=0)
    assert ((present > 0.2) & (present < 0.9)).all(), "a tag that is always or never there says nothing"


def test_classes_keep_company() -> None:
    tags = [frozenset(np.unique(mask[mask > 0]).tolist()) for _, mask in SCENES]
    assert np.mean([len(names) for names in tags]) > 2
    assert len(set(tags)) > 5


def test_colour_alone_does_not_tell_the_classes() -> None:
    """Even the best classifier of single colours, fitted on these very pixels, stays far from the masks."""
    colours = np.concatenate([(rgb // 32).reshape(-1, 3).astype(int) @ [64, 8, 1] for rgb, _ in SCENES])
    labels = np.concatenate([mask.ravel() for _, mask in SCENES])
    joint = np.bincount(colours * 6 + labels, minlength=512 * 6).reshape(512, 6)
    best = joint.argmax(axis=1)[colours].astype(np.uint8)
    assert 20 < scores(confusion(labels[None], best[None], 6)).miou < 55


def test_boundaries_matter() -> None:
    """A good part of every foreground class lies within two pixels of another class."""
    for c in range(1, 6):
        near = total = 0
        for _, mask in SCENES:
            inside = mask == c
            core = np.pad(inside, 2, mode="edge")
            rows, columns = SIZE
            windows = [core[dy : dy + rows, dx : dx + columns] for dy in range(5) for dx in range(5)]
            near += int((inside & ~np.logical_and.reduce(windows)).sum())
            total += int(inside.sum())
        assert near / total > 0.25, SCENE_CLASSES.names[c]


def test_too_small_a_scene_is_refused() -> None:
    with pytest.raises(DataError, match="a scene of 60 x 47 pixels"):
        make_scene(0, seed=0, size=(47, 60))


def test_the_written_folder_reads_back(tmp_path: Path) -> None:
    root = tmp_path / "deep" / "scenes"
    write_dataset(root, train=3, test=2, size=(48, 64), seed=4)
    assert read_classes(root / "classes.txt") == SCENE_CLASSES
    names = {split: (root / "splits" / f"{split}.txt").read_text().split() for split in ("train", "test")}
    assert names == {"train": ["train-0000", "train-0001", "train-0002"], "test": ["test-0000", "test-0001"]}
    rgb, mask = make_scene(1, seed=4, size=(48, 64))
    np.testing.assert_array_equal(np.asarray(Image.open(root / "images" / "train-0001.png")), rgb)
    with Image.open(root / "masks" / "train-0001.png") as image:
        assert image.mode == "P"
        np.testing.assert_array_equal(np.asarray(image), mask)
        assert image.getpalette()[3:6] == list(SCENE_CLASSES.colours[1])  # type: ignore[index] # mode P has one
    assert [path.name for path in root.parent.iterdir()] == ["scenes"]


def test_the_test_scenes_do_not_depend_on_the_number_of_training_scenes(tmp_path: Path) -> None:
    for train in (1, 2):
        write_dataset(tmp_path / str(train), train=train, test=1, size=(48, 48), seed=0)
    pictures = [(tmp_path / train / "images" / "test-0000.png").read_bytes() for train in "12"]
    assert pictures[0] == pictures[1]
    assert pictures[0] != (tmp_path / "1" / "images" / "train-0000.png").read_bytes()


def test_the_same_scenes_again_are_left_alone_and_others_refused(tmp_path: Path) -> None:
    root = tmp_path / "scenes"
    root.mkdir()  # an empty folder is taken
    write_dataset(root, train=1, test=1, size=(48, 48), seed=0)
    before = (root / "images" / "train-0000.png").stat().st_mtime_ns
    write_dataset(root, train=1, test=1, size=(48, 48), seed=0)
    assert (root / "images" / "train-0000.png").stat().st_mtime_ns == before
    with pytest.raises(DataError, match="holds something else"):
        write_dataset(root, train=1, test=1, size=(48, 48), seed=1)
    (root / "masks" / "test-0000.png").unlink()
    with pytest.raises(DataError, match="holds something else"):
        write_dataset(root, train=1, test=1, size=(48, 48), seed=0)


def test_nothing_is_left_when_writing_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: object, **kwargs: object) -> None:
        raise DataError("disk full")

    monkeypatch.setattr(synthetic, "write_index_mask", fail)
    with pytest.raises(DataError, match="disk full"):
        write_dataset(tmp_path / "scenes", train=1, test=1, size=(48, 48), seed=0)
    assert list(tmp_path.iterdir()) == []


def test_no_scene_is_no_data_set(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="0 training and 3 test scenes"):
        write_dataset(tmp_path / "scenes", train=0, test=3, size=(48, 48), seed=0)
