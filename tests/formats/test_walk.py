"""Files by their endings, against `Path.rglob`, and that a folder is listed once."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import pytest
from PIL import Image

from underpaint.formats.coco import write_coco
from underpaint.formats.dataset import open_dataset
from underpaint.formats.voc import VOC
from underpaint.formats.walk import files_below, listed_once
from underpaint.hints.types import Box, Hints

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

    def counted(folder: Path) -> Iterator[tuple[str, list[str], list[str]]]:
        counts[str(folder)] += 1
        return real(folder)

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


def test_links_are_followed_to_files_alone(root: Path) -> None:
    (root / "link.png").symlink_to(root / "a.png")
    (root / "loop").symlink_to(root)
    names = [name for name, _ in files_below(root, ENDINGS)]
    assert "link" in names
    assert len(names) == 10


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


def test_opening_a_data_set_lists_once_and_opens_no_photograph(
    tmp_path: Path, listed: Counter[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "images").mkdir()
    for i in range(3):
        Image.new("RGB", (4, 4)).save(tmp_path / f"images/{i}.png")
    write_coco(tmp_path / "annotations/train.json", [Hints("0", (4, 4), boxes=(Box("cat", 0, 0, 2, 2),))], VOC, {})
    opened: list[str] = []
    real = Path.open

    def noted(self: Path, *args: Any, **words: Any) -> IO[Any]:
        opened.append(self.name)
        file: IO[Any] = real(self, *args, **words)
        return file

    monkeypatch.setattr(Path, "open", noted)
    data = open_dataset(tmp_path)
    assert list(data.images) == ["0", "1", "2"]
    assert data.annotations == (tmp_path / "annotations/train.json",)
    assert set(opened) == {"train.json"}
    assert listed.keys() == {str(tmp_path), f"{tmp_path}/images", f"{tmp_path}/annotations"}
    assert set(listed.values()) == {1}
