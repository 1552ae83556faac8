"""Digests of files and of code, against values worked out by hand."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from underpaint.core import digest
from underpaint.core.digest import code_digest, file_digest, files_digest, fingerprint


def test_a_file_is_named_by_its_bytes(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"abc")
    assert file_digest(path) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # FIPS 180
    assert fingerprint(1, "a") == hashlib.sha256(b'[1, "a"]').hexdigest()[:16]


def test_files_count_by_content_and_order_not_by_name(tmp_path: Path) -> None:
    one, two, copy = tmp_path / "1", tmp_path / "2", tmp_path / "copy"
    one.write_bytes(b"one")
    two.write_bytes(b"two")
    copy.write_bytes(b"one")
    assert files_digest([one, two]) == files_digest([copy, two])
    assert files_digest([one, two]) != files_digest([two, one])
    before = files_digest([one])
    one.write_bytes(b"ONE")
    os.utime(one, ns=(0, 0))
    assert files_digest([one]) != before


def test_what_cannot_be_read_is_neither_waited_for_nor_an_error(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert files_digest([tmp_path / "pipe"]) == files_digest([tmp_path / "missing"]) == files_digest([tmp_path])
    (tmp_path / "empty").touch()
    assert files_digest([tmp_path / "empty"]) != files_digest([tmp_path / "missing"])


def test_code_is_named_by_its_sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digest, "PACKAGE", tmp_path)
    (tmp_path / "losses" / "__pycache__").mkdir(parents=True)
    (tmp_path / "cli").mkdir()
    for name in ("losses/a.py", "losses/__pycache__/a.pyc", "cli/b.py", "records.py"):
        (tmp_path / name).write_text("1")

    def seen() -> str:
        code_digest.cache_clear()
        return code_digest("losses", "records.py")

    try:
        first = seen()
        (tmp_path / "cli" / "b.py").write_text("2")
        (tmp_path / "losses" / "__pycache__" / "a.pyc").write_text("2")
        assert seen() == first, "other packages and compiled code have no influence"
        (tmp_path / "losses" / "a.py").write_text("2")
        second = seen()
        (tmp_path / "records.py").write_text("2")
        assert len({first, second, seen()}) == 3
        with pytest.raises(FileNotFoundError, match="no part 'loses'"):
            code_digest("loses")
    finally:
        code_digest.cache_clear()


def test_the_packages_that_name_results_exist() -> None:
    from underpaint.training.artifacts import TRAINING_CODE
    from underpaint.workflows.scoring import SCORING_CODE

    for part in (*TRAINING_CODE, *SCORING_CODE):
        assert (digest.PACKAGE / part).exists(), part
