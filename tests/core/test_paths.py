"""Paths that a person gives."""

from __future__ import annotations

from pathlib import Path

import pytest

from underpaint.core.errors import DataError
from underpaint.core.paths import existing


def test_a_file_and_a_folder_are_there(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"")
    assert existing(tmp_path, "the folder") == tmp_path
    assert existing(tmp_path / "a", "the file") == tmp_path / "a"


@pytest.mark.parametrize(
    ("name", "said"), [("b", "the run is missing"), ("x" * 5000, "the run cannot be reached"), ("a/b", "is missing")]
)
def test_what_is_not_there_is_an_error_with_place_and_fix(tmp_path: Path, name: str, said: str) -> None:
    (tmp_path / "a").write_bytes(b"")
    with pytest.raises(DataError, match=said) as caught:
        existing(tmp_path / name, "the run")
    assert str(tmp_path / name) in str(caught.value)
    assert "fix: " in str(caught.value)
