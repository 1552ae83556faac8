"""The cache folder: private, movable, and missing rather than shared."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from underpaint.core.cache import cache_folder


def test_a_folder_of_this_user_alone_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNDERPAINT_CACHE", str(tmp_path / "cache"))
    folder = cache_folder("features")
    assert folder == tmp_path / "cache" / "features"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


@pytest.mark.parametrize(("name", "below"), [("XDG_CACHE_HOME", "underpaint"), ("HOME", ".cache/underpaint")])
def test_it_follows_the_usual_variables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, below: str) -> None:
    monkeypatch.delenv("UNDERPAINT_CACHE", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv(name, str(tmp_path))
    assert cache_folder("code") == tmp_path / below / "code"


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="this system has no owners of folders")
def test_a_folder_that_others_may_write_to_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNDERPAINT_CACHE", str(tmp_path / "cache"))
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache").chmod(0o777)
    assert cache_folder("features") is None


def test_a_file_in_its_place_means_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cache").write_text("")
    monkeypatch.setenv("UNDERPAINT_CACHE", str(tmp_path / "cache"))
    assert cache_folder("features") is None
