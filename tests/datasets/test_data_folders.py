"""Data sets on disk: the folder data set and the VOC devkit."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from underpaint.core.errors import DataError
from underpaint.datasets.folder import open_folder
from underpaint.datasets.open import open_dataset
from underpaint.imagefiles.numbering import VOC

DATA = Path(os.environ.get("UNDERPAINT_DATA", Path(__file__).resolve().parents[2] / "../shared/data"))


def touch(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    touch(tmp_path, "images/a.jpg", "images/b c.png", "images/deep/d.jpg", "masks/a.png", "masks/stray.png")
    (tmp_path / "classes.txt").write_text("background\ncat\n")
    return tmp_path


def write_split(root: Path, name: str, text: str) -> None:
    (root / "splits").mkdir(exist_ok=True)
    (root / "splits" / f"{name}.txt").write_text(text, encoding="utf-8")


def test_without_splits_there_is_one(root: Path) -> None:
    data = open_folder(root)
    assert data.split("all") == ("a", "b c", "deep/d")
    assert data.images["deep/d"] == root / "images/deep/d.jpg"
    assert data.masks == {"a": root / "masks/a.png", "stray": root / "masks/stray.png"}
    assert data.classes.names == ("background", "cat")
    assert open_dataset(root) == data


def test_split_lines_may_name_files(root: Path) -> None:
    lines = "\ufeffa.jpg\r\n\nb c\nimages\\deep\\d.jpg\n./a\n/data/JPEGImages/a.jpg /data/SegmentationClass/a.png\n"
    write_split(root, "train", lines)
    assert open_folder(root).split("train") == ("a", "b c", "deep/d")


def test_a_split_keeps_its_order(root: Path) -> None:
    write_split(root, "train", "deep/d\na\n")
    write_split(root, "val", "b c")
    data = open_folder(root)
    assert list(data.splits) == ["train", "val"]
    assert data.split("train") == ("deep/d", "a")


def test_several_splits_are_joined_each_name_once(root: Path) -> None:
    write_split(root, "train", "deep/d\na\n")
    write_split(root, "val", "b c\na\n")
    data = open_folder(root)
    assert data.split("train+val") == ("deep/d", "a", "b c")
    with pytest.raises(DataError, match="there is no split 'vall'"):
        data.split("train+vall")


def test_what_is_learned_from_is_never_guessed(root: Path) -> None:
    assert open_folder(root).learning_split() == "all"
    write_split(root, "test", "a\n")
    with pytest.raises(DataError, match="there is no split 'train'"):
        open_folder(root).learning_split()
    write_split(root, "train", "b c\n")
    assert open_folder(root).learning_split() == "train"


def test_an_unknown_split_names_the_nearest(root: Path) -> None:
    write_split(root, "train", "a\n")
    with pytest.raises(DataError, match="did you mean 'train'"):
        open_folder(root).split("trian")


def test_an_empty_split_is_refused_when_it_is_used(root: Path) -> None:
    write_split(root, "train", "\n\n")
    write_split(root, "val", "a\n")
    data = open_folder(root)
    assert data.split("val") == ("a",)
    with pytest.raises(DataError, match="'train' is empty"):
        data.split("train")


def test_names_without_photograph_are_counted_and_listed(root: Path) -> None:
    write_split(root, "train", "\n".join(["a", *(f"x{i}" for i in range(7))]))
    with pytest.raises(DataError, match=r"7 of the 8 names .*: x0, x1, x2, x3, x4 and 2 more"):
        open_folder(root).split("train")


def test_missing_masks_are_counted_and_listed(root: Path) -> None:
    data = open_folder(root)
    data.require_masks(["a"])
    with pytest.raises(DataError, match="2 of 3 images have no mask: b c, deep/d"):
        data.require_masks(data.split("all"))


def test_what_is_missing_is_named(root: Path) -> None:
    with pytest.raises(DataError, match="folder is missing"):
        open_dataset(root / "nowhere")
    (root / "classes.txt").unlink()
    with pytest.raises(DataError, match="class list is missing"):
        open_dataset(root)
    (root / "classes.txt").write_text("cat\n")
    with pytest.raises(DataError, match="2 to 255 classes"):
        open_dataset(root)


def test_an_empty_image_folder_is_refused(tmp_path: Path) -> None:
    touch(tmp_path, "images/notes.txt")
    (tmp_path / "classes.txt").write_text("background\ncat\n")
    with pytest.raises(DataError, match="no images"):
        open_dataset(tmp_path)


def test_jpeg_masks_are_refused(root: Path) -> None:
    for file in (root / "masks").iterdir():
        file.rename(file.with_suffix(".jpg"))
    with pytest.raises(DataError, match="lossy"):
        open_folder(root)


def test_a_split_that_is_no_text_is_refused(root: Path) -> None:
    (root / "splits").mkdir()
    (root / "splits" / "train.txt").write_bytes(b"\xff\xfe\x00a")
    with pytest.raises(DataError, match="not UTF-8"):
        open_folder(root)


def test_an_unknown_layout_lists_what_was_looked_for(tmp_path: Path) -> None:
    touch(tmp_path, "pictures/a.jpg")
    with pytest.raises(DataError, match="holds pictures") as caught:
        open_dataset(tmp_path)
    assert "JPEGImages" in str(caught.value)
    assert "classes.txt" in str(caught.value)


def devkit(root: Path) -> Path:
    touch(root, "JPEGImages/2007_000032.jpg", "JPEGImages/000042.jpg", "SegmentationClass/2007_000032.png")
    touch(root, "SegmentationClassAug/2007_000032.png", "SegmentationClassAug/000042.png")
    (root / "ImageSets/Segmentation").mkdir(parents=True)
    (root / "ImageSets/Segmentation/train.txt").write_text("2007_000032\n000042\n")
    return root


@pytest.mark.parametrize("inside", [".", "VOC2012", "VOCdevkit/VOC2012"])
def test_a_voc_devkit_is_recognised(tmp_path: Path, inside: str) -> None:
    kit = devkit(tmp_path / inside)
    data = open_dataset(tmp_path)
    assert data.classes == VOC
    assert data.root == kit
    assert data.split("train") == ("2007_000032", "000042")
    # The official mask where there is one, the augmented one elsewhere.
    assert data.masks == {
        "2007_000032": kit / "SegmentationClass/2007_000032.png",
        "000042": kit / "SegmentationClassAug/000042.png",
    }


def test_a_devkit_may_have_its_own_classes(tmp_path: Path) -> None:
    (devkit(tmp_path) / "classes.txt").write_text("background\nleaf\n")
    assert open_dataset(tmp_path).classes.names == ("background", "leaf")


def test_two_devkits_must_be_told_apart(tmp_path: Path) -> None:
    devkit(tmp_path / "VOC2007")
    devkit(tmp_path / "VOC2012")
    with pytest.raises(DataError, match="the folder has 2 VOC devkits: VOC2007, VOC2012"):
        open_dataset(tmp_path)


def test_thousands_of_files_open_at_once(tmp_path: Path) -> None:
    touch(tmp_path, "images/0.jpg")
    (tmp_path / "classes.txt").write_text("background\ncat\n")
    for i in range(1, 5000):
        os.link(tmp_path / "images/0.jpg", tmp_path / f"images/{i}.jpg")
    write_split(tmp_path, "train", "\n".join(f"images/{i}.jpg" for i in range(5000)))
    start = time.process_time()
    assert len(open_dataset(tmp_path).split("train")) == 5000
    assert time.process_time() - start < 2  # takes 0.1 s; decoding or a search a line would take far longer


@pytest.mark.skipif(not DATA.is_dir(), reason="the real data sets are not at hand")
def test_the_real_data_sets_open() -> None:
    sizes = {
        "msrc21": {"train": 276, "val": 59, "test": 256},
        "camvid11": {"train": 367, "val": 101, "test": 233},
        "voc_animals": {
            "train": 1400,
            "train_official": 437,
            "train_dev": 1279,
            "dev": 121,
            "val": 100,
            "test": 445,
        },
        "voc_sample": {"train": 20, "train_aug": 24, "trainval": 32, "val": 12},
    }
    for name, expected in sizes.items():
        data = open_dataset(DATA / name)
        assert {split: len(data.split(split)) for split in data.splits} == expected
        data.require_masks(data.images)
    assert open_dataset(DATA / "voc_animals").classes.background == 0
    assert open_dataset(DATA / "msrc21").classes.background is None
