"""Every registered method keeps the contract, and the lists of methods agree."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
import yaml

from underpaint.methods.registry import OURS, about_methods, method_class
from underpaint.testing import check_method

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("name", OURS)
def test_keeps_the_contract(name: str) -> None:
    check_method(method_class(name))


def test_registry_recipes_and_pages_list_the_same_methods() -> None:
    assert [card.name for card in about_methods()[0]][: len(OURS)] == list(OURS)
    assert [method_class(name).name for name in OURS] == list(OURS)
    assert {path.stem for path in (ROOT / "configs" / "methods").glob("*.yaml")} == set(OURS)
    assert {path.stem for path in (ROOT / "docs" / "methods").glob("*.md")} == set(OURS)
    rows = re.findall(
        r"^\| \[[a-z-]+\]\(docs/methods/([a-z-]+)\.md\) \|", (ROOT / "README.md").read_text("utf-8"), re.M
    )
    assert sorted(rows) == sorted(OURS)
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    (apart,) = (set(one["modules"]) for one in contracts if one["type"] == "independence")
    assert apart == {target.rpartition(".")[0] for target in OURS.values()}


def test_recipe_of_the_authors_is_the_loss_of_the_paper() -> None:
    for path in (ROOT / "configs" / "authors").glob("*.yaml"):
        recipe = yaml.safe_load(path.read_text(encoding="utf-8"))["method"]
        stated = method_class(recipe["name"]).Settings.parse(recipe["settings"]).model_dump()
        assert path.stem == recipe["name"] == "gated-crf"
        assert (stated["form"], stated["weight"], stated["sigma_rgb"], stated["start"]) == (
            "energy",
            0.1,
            0.0226,
            0.005,
        )


@pytest.mark.parametrize("name", OURS)
def test_recipe_states_the_defaults(name: str) -> None:
    recipe = yaml.safe_load((ROOT / "configs" / "methods" / f"{name}.yaml").read_text(encoding="utf-8"))
    assert recipe["method"]["name"] == name
    stated = method_class(name).Settings.parse(recipe["method"].get("settings", {}))
    defaults = method_class(name).Settings().model_dump()
    for key, value in stated.model_dump().items():
        assert value == (pytest.approx(defaults[key], rel=2e-2) if isinstance(value, float) else defaults[key]), key
