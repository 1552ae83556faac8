"""A folder is there whole or not at all."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from underpaint.core import atomic
from underpaint.core.atomic import atomic_folder, remove_leftovers, within
from underpaint.core.errors import DataError


def write_one(target: Path, error: BaseException | None = None) -> None:
    """Write ``new.txt`` into a new folder, and fail with ``error`` after it."""
    with atomic_folder(target) as folder:
        (folder / "new.txt").write_text("new")
        if error is not None:
            raise error


def tree(folder: Path) -> dict[str, str]:
    return {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_files_appear_at_the_end(tmp_path: Path) -> None:
    target = tmp_path / "new" / "store"
    with atomic_folder(target) as folder:
        (folder / "a").mkdir()
        (folder / "a" / "b.txt").write_text("whole")
        assert not target.exists()
        assert folder.parent == target.parent  # a rename is atomic on one file system alone
    assert tree(target) == {"a/b.txt": "whole"}
    assert [path.name for path in target.parent.iterdir()] == ["store"]


@pytest.mark.parametrize("error", [ValueError("mine"), KeyboardInterrupt(), DataError("theirs")])
def test_what_fails_leaves_nothing(tmp_path: Path, error: BaseException) -> None:
    with pytest.raises(type(error)) as raised:
        write_one(tmp_path / "store", error)
    assert raised.value is error
    assert list(tmp_path.iterdir()) == []


def test_an_older_folder_stays_until_the_end(tmp_path: Path) -> None:
    target = tmp_path / "store"
    target.mkdir()
    (target / "old.txt").write_text("old")
    with pytest.raises(ValueError, match="stop"):
        write_one(target, ValueError("stop"))
    assert tree(target) == {"old.txt": "old"}
    with atomic_folder(target) as folder:
        (folder / "new.txt").write_text("new")
        assert tree(target) == {"old.txt": "old"}
    assert tree(target) == {"new.txt": "new"}
    assert [path.name for path in tmp_path.iterdir()] == ["store"]


def test_a_full_disk_is_a_typed_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"No space left on device\n.*store\n.*free some space"):
        write_one(tmp_path / "store", OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_the_way_is_an_error_and_stays(tmp_path: Path) -> None:
    (tmp_path / "store").write_text("a file")
    with pytest.raises(DataError, match="could not be written"):
        write_one(tmp_path / "store")
    assert (tmp_path / "store").read_text() == "a file"
    with pytest.raises(DataError, match="could not be written"):
        write_one(tmp_path / "store" / "below")


def test_a_failed_exchange_brings_the_old_folder_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "store"
    target.mkdir()
    (target / "old.txt").write_text("old")
    rename = Path.rename

    def refuse_the_new(path: Path, to: Path) -> Any:
        if Path(to) == target and (path / "new.txt").exists():
            raise OSError(errno.EIO, "disk gone")
        return rename(path, to)

    monkeypatch.setattr(Path, "rename", refuse_the_new)
    with pytest.raises(DataError, match="disk gone"):
        write_one(target)
    assert tree(target) == {"old.txt": "old"}
    assert [path.name for path in tmp_path.iterdir()] == ["store"]


KILLED = """
import os, shutil, signal, sys
from pathlib import Path
from underpaint.core.atomic import atomic_folder
def deadly(path, *arguments, **options):
    next(Path(path).rglob("*.txt")).unlink()
    os.kill(os.getpid(), signal.SIGKILL)
if sys.argv[2] == "removing":
    shutil.rmtree = deadly
with atomic_folder(Path(sys.argv[1])) as folder:
    (folder / "a.txt").write_text("new")
    (folder / "b.txt").write_text("new")
    if sys.argv[2] == "writing":
        os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("when", ["writing", "removing"])
def test_a_killed_process_leaves_no_half_folder(tmp_path: Path, when: str) -> None:
    """Killed while it writes, the old folder is whole; killed while it removes the old one, the new one is."""
    target = tmp_path / "store"
    with atomic_folder(target) as folder:
        for name in ("a.txt", "b.txt"):
            (folder / name).write_text("old")
    done = subprocess.run([sys.executable, "-c", KILLED, str(target), when], check=False)
    assert done.returncode == -signal.SIGKILL
    said = "old" if when == "writing" else "new"
    assert tree(target) == {"a.txt": said, "b.txt": said}
    remove_leftovers(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["store"]


def test_leftovers_are_told_from_other_things(tmp_path: Path) -> None:
    for name in (".x.tmp", "kept", ".hidden"):
        (tmp_path / name).mkdir()
    (tmp_path / ".file.tmp").write_text("a file")
    remove_leftovers(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".file.tmp", ".hidden", "kept"]


def test_everything_is_flushed_before_the_rename(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[str, bool]] = []
    target = tmp_path / "store"
    sync = atomic._sync

    def watched(path: Path) -> None:
        seen.append((path.name, target.exists()))
        sync(path)

    monkeypatch.setattr(atomic, "_sync", watched)
    with atomic_folder(target) as folder:
        (folder / "a").mkdir()
        (folder / "a" / "b.txt").write_text("whole")
    assert sorted(seen[:-1]) == [("a", False), ("b.txt", False)]
    assert seen[-1] == (tmp_path.name, True)


@pytest.mark.parametrize("name", ["../a", "/etc/a", "a/../../b", "", ".", "a\\0b", "..\\\\a"])
def test_names_that_lead_out_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match="leads out"):
        within(tmp_path, name)
    assert within(tmp_path, "farm/a.txt") == tmp_path / "farm/a.txt"
    assert (tmp_path / "farm").is_dir()
