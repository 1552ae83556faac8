"""Methods of other packages are found by entry points; one that is broken or has a taken name hurts no other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

import underpaint
from underpaint.cli import app
from underpaint.core.errors import ConfigError
from underpaint.methods.registry import OURS, entries, method_class

METHOD = """
from underpaint.methods.partial.method import Partial
class Mine(Partial):
    name, summary = {name!r}, "of another package"
"""


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str, str, str], None]]:
    """Lay a package with one entry point and one module on the path, as pip does."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def lay(package: str, name: str, source: str) -> None:
        module = package.replace("-", "_")
        (tmp_path / f"{module}.py").write_text(source)
        about = tmp_path / f"{module}-1.0.dist-info"
        about.mkdir()
        (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        (about / "entry_points.txt").write_text(f"[underpaint.methods]\n{name} = {module}:Mine\n")
        entries.cache_clear()

    yield lay
    entries.cache_clear()


def test_a_method_of_another_package_is_like_ours(
    install: Callable[[str, str, str], None], scenes: Path, scribbles: Path
) -> None:
    install("good-package", "good", METHOD.format(name="good"))
    planned = underpaint.plan(scenes, hints=scribbles, method="good")
    assert planned.stages == ("train (good)",)
    ours = underpaint.plan(scenes, hints=scribbles, method="partial")
    assert planned.source["code"] != ours.source["code"], "named by its own code, too"
    shown = CliRunner().invoke(app, ["methods"])
    assert "│ good " in shown.stdout
    assert "left out" not in shown.output


BROKEN = {
    "does not import": ("broken", "import no_such_module_at_all", "ModuleNotFoundError: No module named 'no_such_mod"),
    "lacks the class": ("broken", "Yours = 1", "has no attribute 'Mine'"),
    "is not a method": ("broken", "class Mine: pass", "is not a method"),
    "has another name": ("broken", METHOD.format(name="other"), "registers the method 'other' under the name 'broken'"),
    "has our name": ("partial", METHOD.format(name="partial"), "2 methods have the name 'partial'"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_one_that_cannot_be_used_is_named_when_it_is_asked_for(
    install: Callable[[str, str, str], None], kind: str
) -> None:
    name, source, said = BROKEN[kind]
    package = f"bad-{kind.replace(' ', '-')}"
    install(package, name, source)
    with pytest.raises(ConfigError) as refused:
        method_class(name)
    assert said in str(refused.value)
    assert package in str(refused.value) or kind == "is not a method"
    assert method_class("gated-crf").name == "gated-crf"
    problems: list[str] = []
    cards = underpaint.list_methods(on_problem=problems.append)
    assert {card.name for card in cards} == set(OURS) - {name}
    assert len(problems) == 1
    shown = CliRunner().invoke(app, ["methods"])
    assert shown.exit_code == 0
    assert shown.output.count("left out:") == 1


def test_two_packages_with_one_name_are_both_named(install: Callable[[str, str, str], None]) -> None:
    install("first-one", "same", METHOD.format(name="same"))
    install("second-one", "same", METHOD.format(name="same"))
    with pytest.raises(ConfigError, match=r"first-one \(first_one:Mine\), second-one \(second_one:Mine\)"):
        method_class("same")
