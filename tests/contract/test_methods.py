"""Every registered method keeps the contract, and the lists of methods agree."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
import yaml

from underpaint.core.config import Config
from underpaint.methods.base import Method
from underpaint.methods.registry import METHODS
from underpaint.testing import check_method

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("method", METHODS.values(), ids=list(METHODS))
def test_keeps_the_contract(method: type[Method[Config]]) -> None:
    check_method(method)


def test_registry_recipes_and_pages_list_the_same_methods() -> None:
    assert {name: kind.name for name, kind in METHODS.items()} == {name: name for name in METHODS}
    assert {path.stem for path in (ROOT / "configs" / "methods").glob("*.yaml")} == set(METHODS)
    assert {path.stem for path in (ROOT / "docs" / "methods").glob("*.md")} == set(METHODS)
    rows = re.findall(
        r"^\| \[[a-z-]+\]\(docs/methods/([a-z-]+)\.md\) \|", (ROOT / "README.md").read_text("utf-8"), re.M
    )
    assert sorted(rows) == sorted(METHODS)
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    (apart,) = (set(one["modules"]) for one in contracts if one["type"] == "independence")
    assert {f"{folder}.method" for folder in apart} == {kind.__module__ for kind in METHODS.values()}


@pytest.mark.parametrize("name", METHODS)
def test_recipe_states_the_defaults(name: str) -> None:
    recipe = yaml.safe_load((ROOT / "configs" / "methods" / f"{name}.yaml").read_text(encoding="utf-8"))
    assert recipe["method"]["name"] == name
    stated = METHODS[name].Settings.parse(recipe["method"].get("settings", {}))
    defaults = METHODS[name].Settings().model_dump()
    for key, value in stated.model_dump().items():
        assert value == (pytest.approx(defaults[key], rel=2e-2) if isinstance(value, float) else defaults[key]), key
