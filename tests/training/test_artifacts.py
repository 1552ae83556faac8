"""Artifacts: checked before they are taken, and named by the code that makes them."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from underpaint.methods.partial.method import Partial
from underpaint.training import artifacts, code
from underpaint.training.artifacts import make_artifact


def _forget(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a new process."""
    monkeypatch.setattr(artifacts, "_whole", set())


def _cut(folder: Path) -> None:
    (folder / "deep/a.bin").write_bytes(b"who")


def _flip(folder: Path) -> None:
    (folder / "deep/a.bin").write_bytes(b"whole!"[:-1] + b"?")


def _lose(folder: Path) -> None:
    (folder / "deep/a.bin").unlink()


def _add(folder: Path) -> None:
    (folder / "deep/b.bin").write_bytes(b"more")


def _unlist(folder: Path) -> None:
    (folder / "checksums.json").unlink()


def _garble(folder: Path) -> None:
    (folder / "checksums.json").write_bytes(b"[1, 2]")


@pytest.mark.parametrize("damage", [_cut, _flip, _lose, _add, _unlist, _garble])
def test_a_damaged_artifact_is_named_and_made_again(
    tmp_path: Path, damage: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    made: list[int] = []

    def make(folder: Path) -> None:
        made.append(1)
        (folder / "deep").mkdir()
        (folder / "deep/a.bin").write_bytes(b"whole!")

    artifact = make_artifact(tmp_path, "labels", {"a": 1}, make)
    _forget(monkeypatch)
    assert make_artifact(tmp_path, "labels", {"a": 1}, make) == artifact
    assert len(made) == 1
    assert caplog.text == ""
    _forget(monkeypatch)
    damage(artifact)
    assert make_artifact(tmp_path, "labels", {"a": 1}, make) == artifact
    assert len(made) == 2
    assert f"{artifact} is damaged" in caplog.text
    assert sorted(path.name for path in artifact.rglob("*")) == ["a.bin", "checksums.json", "deep", "inputs.json"]
    assert (artifact / "deep/a.bin").read_bytes() == b"whole!"


def test_methods_of_this_package_have_its_digest_alone() -> None:
    assert code.source_digest(Partial) is None


@pytest.mark.parametrize("layout", ["mine.py", "mine/__init__.py", "mine/deep/method.py"])
def test_a_method_from_elsewhere_is_named_by_its_own_source(
    tmp_path: Path, layout: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a package all files count: the loss that a method imports is beside it."""
    monkeypatch.syspath_prepend(str(tmp_path))
    source = tmp_path / layout
    source.parent.mkdir(parents=True, exist_ok=True)
    for folder in source.relative_to(tmp_path).parents[:-1]:
        (tmp_path / folder / "__init__.py").touch()
    source.write_text("class Mine: pass\n")
    name = layout.removesuffix(".py").removesuffix("/__init__").replace("/", ".")

    def digest() -> str | None:
        for held in [held for held in sys.modules if held.split(".")[0] == "mine"]:
            monkeypatch.delitem(sys.modules, held)
        importlib.invalidate_caches()
        code.source_digest.cache_clear()
        return code.source_digest(importlib.import_module(name).Mine)

    first = digest()
    assert digest() == first
    edited = source if layout == "mine.py" else tmp_path / "mine/loss.py"
    edited.write_text("class Mine: pass\n# edited\n")
    assert digest() != first


def test_a_class_without_source_is_never_found_again() -> None:
    scope: dict[str, type] = {}
    exec("class Typed: pass", {"__name__": "typed_at_a_prompt"}, scope)
    first = code.source_digest(scope["Typed"])
    code.source_digest.cache_clear()
    assert code.source_digest(scope["Typed"]) != first
