"""Where machine code is kept: in folders of this user alone, and nowhere where there is none."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from underpaint.core import digest
from underpaint.kernels import machine_code
from underpaint.kernels.machine_code import compiled, place
from underpaint.methods.registry import OURS


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A package that cannot be written, no home, no folder for temporary files but those that a test makes."""
    nothing = tmp_path / "file"
    nothing.touch()
    monkeypatch.setattr(machine_code, "PACKAGE", nothing)
    monkeypatch.setenv("HOME", str(nothing))
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(nothing))
    for name in ("NUMBA_CACHE_DIR", "UNDERPAINT_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, "")  # so that it is put back, whatever happens to it
        monkeypatch.delenv(name)
    place.cache_clear()
    yield
    place.cache_clear()


def doubled(x: int) -> int:
    return 2 * x


def tripled(x: int) -> int:
    return 3 * x


def kept_below(folder: Path) -> bool:
    found = place()
    return found is not None and found.is_relative_to(folder) and found.stat().st_mode & 0o077 == 0


def test_the_package_comes_first_and_then_the_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert kept_below(tmp_path / "home" / ".cache" / "underpaint")
    (tmp_path / "package" / "kernels").mkdir(parents=True)
    monkeypatch.setattr(machine_code, "PACKAGE", tmp_path / "package")
    place.cache_clear()
    assert kept_below(tmp_path / "package" / "kernels" / "__pycache__")
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "named"))
    place.cache_clear()
    assert kept_below(tmp_path / "named")
    assert not caplog.records


def test_a_named_folder_that_others_may_write_to_is_refused_aloud(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(shared))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert kept_below(tmp_path / "home")
    assert [f"NUMBA_CACHE_DIR={shared} is not used" in record.getMessage() for record in caplog.records] == [True]
    assert list(shared.iterdir()) == []


@pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() != 0, reason="only root gives folders away")
def test_a_named_folder_of_someone_else_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = tmp_path / "other"
    other.mkdir(mode=0o755)
    os.chown(other, 65534, 65534)
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(other))
    assert place() is None


def test_a_private_temporary_folder_with_one_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    assert kept_below(tmp_path / f"underpaint-{os.getuid()}")
    place.cache_clear()
    place()  # as a process that this one starts
    assert len(caplog.records) == 1
    assert "NUMBA_CACHE_DIR" in caplog.text


@pytest.mark.parametrize("trap", ["open to all", "link"])
def test_a_temporary_folder_that_was_planted_is_not_used(
    trap: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    planted = tmp_path / f"underpaint-{os.getuid()}"
    if trap == "link":
        (tmp_path / "elsewhere").mkdir(mode=0o700)
        planted.symlink_to(tmp_path / "elsewhere")
    else:
        planted.mkdir()
        planted.chmod(0o777)
    assert place() is None
    assert len(caplog.records) == 1
    assert list(planted.iterdir()) == []


def test_without_a_folder_kernels_compile_in_memory(caplog: pytest.LogCaptureFixture) -> None:
    one, two = compiled()(doubled), compiled()(tripled)
    assert (one(4), two(4)) == (8, 12)
    stats: Any = getattr(one, "stats")  # noqa: B009  # of numba's function, which the type leaves out
    assert stats.cache_path is None
    assert len(caplog.records) == 1
    assert "NUMBA_CACHE_DIR" in caplog.text


def test_other_sources_have_another_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A function that is inlined into kernels of another file may have changed."""
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "named"))
    first = place()
    place.cache_clear()
    (tmp_path / "package" / "kernels").mkdir(parents=True)
    (tmp_path / "package" / "kernels" / "vectors.py").write_text("edited")
    monkeypatch.setattr(digest, "PACKAGE", tmp_path / "package")
    digest.code_digest.cache_clear()
    try:
        assert place() != first
    finally:
        digest.code_digest.cache_clear()


def test_what_needs_no_kernel_does_not_import_numba() -> None:
    methods = sorted({target.partition(":")[0] for target in OURS.values()})
    modules = [*methods, *(f"underpaint.workflows.{name}" for name in ("evaluate", "planning", "run"))]
    code = f"""
import importlib, sys
for name in {modules!r}:
    importlib.import_module(name)
    assert "numba" not in sys.modules, f"{{name}} imports numba"
"""
    subprocess.run([sys.executable, "-c", code], check=True)
