"""Whatever stops a command is a message with what, where and fix, and exit code 1."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from underpaint.cli import failures
from underpaint.cli.failures import explained
from underpaint.core.errors import DataError

MAIN = """
import sys
from underpaint import cli
{patch}
sys.argv[0] = "underpaint"
cli.main()
"""


def command(
    *words: object,
    patch: str = "",
    env: dict[str, str] | None = None,
    stdout: int | None = None,
    stderr: int | None = None,
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-c", MAIN.format(patch=patch), *map(str, words)],
        env={**os.environ, **(env or {})},
        stdout=subprocess.PIPE if stdout is None else stdout,
        stderr=subprocess.PIPE if stderr is None else stderr,
        check=False,
    )


@pytest.mark.parametrize(
    ("error", "what", "fix"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "/disk/a"), "No space left on device", "free some space"),
        (PermissionError(errno.EACCES, "Permission denied", "/disk/a"), "Permission denied", "permissions"),
        (OSError(errno.EROFS, "Read-only file system", "/disk/a"), "Read-only file system", "can be written"),
        (OSError(errno.EMFILE, "Too many open files"), "Too many open files", "ulimit -n"),
        (OSError(errno.EFBIG, "File too large"), "File too large", "ulimit -f"),
        (BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable"), "temporarily", "ulimit -u"),
        (RuntimeError("can't start new thread"), "cannot start another process or thread", "ulimit -u"),
        (MemoryError(), "memory ran out", "batch"),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: tried 9"), "memory ran out", "batch"),
        (ImportError("libx.so: failed to map: Cannot allocate memory"), "Cannot allocate memory", "memory"),
        (ImportError("libx.so: failed to map segment from shared object"), "memory ran out", "free some memory"),
        (Exception("I/O error: No space left on device (os error 28)"), "No space left on device", "free some space"),
        (RecursionError("maximum recursion depth exceeded"), "nested too deeply", "check the given files"),
        (UnicodeEncodeError("latin-1", "\u043a\udcff", 0, 1, "no"), "not UTF-8", "LC_ALL"),
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "no"), "not UTF-8", "LC_ALL"),
        (KeyError("x"), "this is a bug in underpaint: KeyError", "report"),
    ],
)
def test_each_error_says_what_and_how_to_mend_it(error: Exception, what: str, fix: str) -> None:
    lines = str(explained(error)).splitlines()
    assert what in lines[0]
    assert lines[-1].startswith("  fix: ")
    assert fix in lines[-1]
    if isinstance(error, OSError) and error.filename:
        assert "  where: /disk/a" in lines


def test_a_users_error_is_left_as_it_is() -> None:
    error = DataError("what", where="where", fix="fix")
    assert explained(error) is error


def test_a_fault_is_a_message_and_the_variable_shows_its_place() -> None:
    patch = "def broken(): raise KeyError('secret')\ncli.app.command()(broken)"
    done = command("broken", patch=patch)
    assert done.returncode == 1
    assert b"Traceback" not in done.stderr
    assert b"this is a bug in underpaint: KeyError" in done.stderr
    shown = command("broken", patch=patch, env={failures.DEBUG: "1"})
    assert b"Traceback" in shown.stderr
    assert shown.returncode == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("words", [["--version"], ["methods"], ["methods", "--help"]])
def test_an_output_that_is_full_is_an_error(words: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        done = command(*words, stdout=full.fileno())
    assert done.returncode == 1
    assert b"No space left on device" in done.stderr
    assert b"Traceback" not in done.stderr
    assert b"Exception ignored" not in done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_standard_error_does_not_stop_the_work(scenes: Path, tmp_path: Path) -> None:
    with Path("/dev/full").open("w") as full:
        done = command("simulate", scenes, "--kind", "tags", "-o", tmp_path / "t.jsonl", stderr=full.fileno())
        assert done.returncode == 0
        assert (tmp_path / "t.jsonl").is_file()
        assert command("doctor", tmp_path / "missing", stderr=full.fileno()).returncode == 1


@pytest.mark.parametrize("encoding", ["latin-1", "ascii", "utf-8"])
def test_names_in_other_letters_can_be_printed_anywhere(scenes: Path, tmp_path: Path, encoding: str) -> None:
    data = tmp_path / "data"
    (data / "images").mkdir(parents=True)
    for path in (scenes / "images").iterdir():
        (data / "images" / path.name).write_bytes(path.read_bytes())
    (data / "classes.txt").write_text("\u0444\u043e\u043d\n\u043a\u043e\u0448\u043a\u0430\n", encoding="utf-8")
    raw = os.fsencode(data / "images") + b"/caf\xe9.png"
    Path(os.fsdecode(raw)).write_bytes(b"no picture")
    done = command("doctor", data, env={"PYTHONIOENCODING": encoding, "LC_ALL": "C.UTF-8"})
    assert done.returncode in {0, 1}
    assert b"Traceback" not in done.stderr
    assert b"is a bug in underpaint" not in done.stderr
    assert b"photographs" in done.stdout
