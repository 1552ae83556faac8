"""Files by their endings, against `Path.rglob`, and that a folder is listed once."""

from __future__ import annotations

import builtins
import io
import json
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from underpaint.annotations.coco import write_coco
from underpaint.core.errors import DataError
from underpaint.datasets.open import open_dataset
from underpaint.doctor import examine
from underpaint.hints.types import Box, Hints
from underpaint.imagefiles.images import find_files, find_images
from underpaint.imagefiles.numbering import VOC
from underpaint.imagefiles.walk import files_below, listed_once

ENDINGS = frozenset({".png", ".jpg"})
NAMES = (
    "b.JPG", "a.png", "two.dots.jpg", "a..png", "end.", "none", "png", ".png", ".b.png", "c.png.txt", "deep/er/c.jpg",
    "deep/a.png", ".hidden/d.png", "deep/.hidden/e.png", "folder.png/f.png", "sp ace/g h.png", "dög/ü.png",
)  # fmt: skip


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in NAMES:
        (tmp_path / "x" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "x" / name).touch()
    return tmp_path / "x"


@pytest.fixture
def listed(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each folder is listed."""
    counts: Counter[str] = Counter()
    real = os.walk

    def counted(folder: Path, **options: Any) -> Iterator[tuple[str, list[str], list[str]]]:
        counts[str(folder)] += 1
        return real(folder, **options)

    monkeypatch.setattr(os, "walk", counted)
    return counts


@pytest.mark.parametrize("relative", [False, True])
def test_the_same_files_as_rglob(root: Path, monkeypatch: pytest.MonkeyPatch, relative: bool) -> None:
    if relative:
        monkeypatch.chdir(root)
    base = Path() if relative else root
    expected = {
        path.relative_to(base).with_suffix("").as_posix(): path
        for path in base.rglob("*")
        if path.is_file()
        and path.suffix.lower() in ENDINGS
        and not any(part.startswith(".") for part in path.relative_to(base).parts)
    }
    assert len(expected) == 9
    assert dict(files_below(base, ENDINGS)) == expected


def test_links_are_followed_once_and_circles_end(root: Path, tmp_path: Path) -> None:
    (tmp_path / "store/in").mkdir(parents=True)
    for name in ("store/v0.png", "store/in/v1.png"):
        (tmp_path / name).touch()
    before = {name for name, _ in files_below(root, ENDINGS)}
    links = {
        "link.png": root / "a.png",
        "camera": tmp_path / "store",
        "deep/again": tmp_path / "store",
        "loop": root,
        "deep/up": tmp_path,
        "same": root / "deep",
        "gone": tmp_path / "nowhere",
    }
    for name, target in links.items():
        (root / name).symlink_to(target)
    (tmp_path / "store/in/back").symlink_to(tmp_path / "store")
    names = [name for name, _ in files_below(root, ENDINGS)]
    assert len(names) == len(set(names))
    assert set(names) - before == {"link", "camera/v0", "camera/in/v1"}


def own(folder: Path, kind: str) -> None:
    """What tells that a command of ours made a folder."""
    (folder / "in").mkdir(parents=True)
    files = {
        "run": {"about.json": '{"versions": {"underpaint": "0.1.0"}}'},
        "record": {".underpaint.jsonl": '{"underpaint": "output", "holds": "masks"}\n'},
        "masks": {"summary.csv": "image,height,width,cat\n"},
        "comparison": {"report.html": "", "artifacts/x/labels.png": ""},
    }[kind]
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    for name in ("samples.png", "in/b.png"):
        (folder / name).touch()


@pytest.mark.parametrize("kind", ["run", "record", "masks", "comparison"])
def test_folders_that_underpaint_made_hold_no_photographs(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, kind: str
) -> None:
    (tmp_path / "a.png").touch()
    own(tmp_path / "deep/out", kind)
    assert list(find_images(tmp_path)) == ["a"]
    assert list(find_images(tmp_path)) == ["a"]
    said = [record.message for record in caplog.records if str(tmp_path / "deep/out") in record.message]
    assert len(said) == 1, "it is said once"
    assert list(find_images(tmp_path / "deep/out"))  # asked for by name
    labels = {"a"} | ({"deep/out/samples", "deep/out/in/b"} if kind in ("record", "masks") else set())
    assert set(find_files(tmp_path, frozenset({".png"}))) == labels  # predicted masks may be labels


def test_a_data_set_with_a_run_among_its_photographs_opens_and_doctor_says_so(tmp_path: Path) -> None:
    Image.new("RGB", (64, 48)).save(tmp_path / "0.jpg")
    shape = {"label": "cat", "shape_type": "rectangle", "points": [[1, 1], [30, 30]]}
    (tmp_path / "0.json").write_text(json.dumps({"shapes": [shape], "imagePath": "0.jpg"}))
    for kind in ("run", "masks", "comparison"):
        own(tmp_path / kind, kind)
    assert list(open_dataset(tmp_path).images) == ["0"]
    keys = {finding.key: finding for finding in examine(tmp_path).findings}
    assert keys["own-folders"].count == 3
    assert "image-other-files" not in keys  # 0.json was read


def test_files_that_were_read_are_not_called_passed_over(tmp_path: Path) -> None:
    for split in ("train", "val"):
        (tmp_path / split).mkdir()
        Image.new("RGB", (64, 48)).save(tmp_path / split / "a.png")
        write_coco(tmp_path / split / "x.coco.json", [Hints("a", (48, 64), shapes=(Box("cat", 0, 0, 9, 9),))], VOC, {})
    (tmp_path / "train/notes.docx").touch()
    finding = next(one for one in examine(tmp_path).findings if one.key == "image-other-files")
    assert finding.count == 1
    assert finding.names == ("train/notes.docx",)


def test_a_missing_folder_is_empty(tmp_path: Path) -> None:
    assert not list(files_below(tmp_path / "nowhere", ENDINGS))


def test_within_an_opening_each_folder_is_listed_once(root: Path, listed: Counter[str]) -> None:
    with listed_once():
        first = list(files_below(root, ENDINGS))
        with listed_once():
            assert list(files_below(root, ENDINGS)) == first
        list(files_below(root, {".txt"}))
        assert set(listed.values()) == {1}
    (root / "new.png").touch()
    assert "new" in dict(files_below(root, ENDINGS))


def noted(opened: list[str], real: Any) -> Any:
    """The function ``real``, which notes the names of the files that it opens."""

    def open_noted(file: Any, *args: Any, **words: Any) -> Any:
        if not isinstance(file, int):
            opened.append(Path(file).name)
        return real(file, *args, **words)

    return open_noted


def test_opening_a_data_set_lists_once_and_opens_no_photograph(
    tmp_path: Path, listed: Counter[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "images").mkdir()
    for i in range(3):
        Image.new("RGB", (4, 4)).save(tmp_path / f"images/{i}.png")
    write_coco(tmp_path / "annotations/train.json", [Hints("0", (4, 4), shapes=(Box("cat", 0, 0, 2, 2),))], VOC, {})
    opened: list[str] = []
    for module, name in ((os, "open"), (builtins, "open"), (io, "open")):
        monkeypatch.setattr(module, name, noted(opened, getattr(module, name)))
    data = open_dataset(tmp_path)
    assert list(data.images) == ["0", "1", "2"]
    assert data.annotations == (tmp_path / "annotations/train.json",)
    assert set(opened) == {"train.json"}
    assert listed.keys() == {str(tmp_path), f"{tmp_path}/images", f"{tmp_path}/annotations"}
    assert set(listed.values()) == {1}


def test_a_folder_that_may_not_be_read_is_refused(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listed = os.scandir

    def refused(path: Any) -> Any:
        if Path(path).name == "deep":
            raise PermissionError(13, "Permission denied", str(path))
        return listed(path)

    (root / "deep").mkdir(exist_ok=True)
    monkeypatch.setattr(os, "scandir", refused)
    with pytest.raises(DataError, match=r"cannot be read: Permission denied\n  where: .*deep"):
        find_images(root)
