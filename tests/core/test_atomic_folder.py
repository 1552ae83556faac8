"""A folder is there whole or not at all."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from underpaint.core import atomic
from underpaint.core.atomic import atomic_folder, remove_leftovers, within, write_atomic
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
    """Only names that this module gives, and of those only what no living process writes."""
    dead = [".a.png.0123456789ab.underpaint.tmp", ".store.0123456789ab.old.underpaint.tmp"]
    theirs = [".x.tmp", ".hidden", "kept", ".a.0123456789ab.tmp", "a.0123456789ab.underpaint.tmp"]
    for name in (*dead, *theirs):
        (tmp_path / name).mkdir()
        (tmp_path / name / "inside.txt").write_text("mine")
    (tmp_path / ".file.ba9876543210.underpaint.tmp").write_text("half")
    (tmp_path / ".link.0123456789ab.underpaint.tmp").symlink_to(tmp_path / "kept")
    remove_leftovers(tmp_path)
    left = sorted(path.name for path in tmp_path.iterdir())
    assert left == sorted([*theirs, ".link.0123456789ab.underpaint.tmp"])
    assert (tmp_path / "kept" / "inside.txt").read_text() == "mine"


WRITING = """
import os, sys
from pathlib import Path
from underpaint.core import atomic
target, kind = Path(sys.argv[1]), sys.argv[2]
def wait(*_):
    print("writing", flush=True)
    sys.stdin.read()
if kind == "file":
    os.fsync = wait
    atomic.write_atomic(target, b"whole")
else:
    with atomic.atomic_folder(target):
        wait()
"""


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_only_what_a_dead_process_wrote_is_removed(tmp_path: Path, kind: str) -> None:
    command = [sys.executable, "-c", WRITING, str(tmp_path / "out"), kind]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        writer.stdout.readline()
        (half,) = tmp_path.iterdir()
        remove_leftovers(tmp_path)
        assert half.exists(), "a living process writes it"
        writer.kill()
        writer.wait()
    assert half.exists()
    write_atomic(tmp_path / "other", b"")
    assert [path.name for path in tmp_path.iterdir()] == ["other"]


@pytest.mark.parametrize("mask", [0o022, 0o077, 0o002])
def test_the_umask_is_kept(tmp_path: Path, mask: int) -> None:
    before = os.umask(mask)
    try:
        write_atomic(tmp_path / "new" / "file", b"")
        with atomic_folder(tmp_path / "store") as folder:
            (folder / "inside").write_text("")
    finally:
        os.umask(before)
    modes = {name: (tmp_path / name).stat().st_mode & 0o777 for name in ("new", "new/file", "store", "store/inside")}
    folder_mode, file_mode = 0o777 & ~mask, 0o666 & ~mask
    assert modes == {"new": folder_mode, "new/file": file_mode, "store": folder_mode, "store/inside": file_mode}


@pytest.mark.parametrize("depth", [".", "farm/field"])
def test_an_output_folder_that_was_removed_is_not_made_again(tmp_path: Path, depth: str) -> None:
    root = tmp_path / "out"
    root.mkdir()
    write_atomic(root / depth / "a", b"first", root=root)
    assert (root / depth / "a").read_bytes() == b"first"
    shutil.rmtree(root)
    with pytest.raises(DataError, match=r"was removed while(.|\n)*out(.|\n)*run the command again"):
        write_atomic(root / depth / "b", b"second", root=root)
    with pytest.raises(DataError, match="was removed while"), atomic_folder(root / depth / "c", root=root):
        pass
    with pytest.raises(DataError, match="was removed while"):
        within(root, "farm/a.txt")
    assert list(tmp_path.iterdir()) == []


def test_everything_is_flushed_before_the_rename(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[str, bool]] = []
    target = tmp_path / "store"
    sync = atomic.sync

    def watched(path: Path) -> None:
        seen.append((path.name, target.exists()))
        sync(path)

    monkeypatch.setattr(atomic, "sync", watched)
    with atomic_folder(target) as folder:
        (folder / "a").mkdir()
        (folder / "a" / "b.txt").write_text("whole")
    assert sorted(seen[:-1]) == [("a", False), ("b.txt", False)]
    assert seen[-1] == (tmp_path.name, True)


@pytest.mark.parametrize(
    "name", ["../a", "/etc/a", "a/../../b", "", ".", "a\\0b", "..\\\\a", pytest.param("a/" * 40_000 + "b", id="deep")]
)
def test_names_that_lead_out_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match="leads out"):
        within(tmp_path, name)
    assert within(tmp_path, "farm/a.txt") == tmp_path / "farm/a.txt"
    assert (tmp_path / "farm").is_dir()


def test_a_new_folder_that_another_process_removes_before_it_is_opened_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = os.open
    removed: list[Path] = []

    def late(path: Path, flags: int, *others: int) -> int:
        if not removed and str(path).endswith(".underpaint.tmp"):
            removed.append(path)
            path.rmdir()
        return opened(path, flags, *others)

    monkeypatch.setattr(os, "open", late)
    with atomic_folder(tmp_path / "made") as temporary:
        (temporary / "file").write_text("x")
    assert removed
    assert (tmp_path / "made" / "file").read_text() == "x"
