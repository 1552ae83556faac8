"""Every recipe runs on the synthetic scenes."""

from __future__ import annotations

from pathlib import Path

import pytest

from underpaint import plan
from underpaint.core.config import load_yaml

CONFIGS = Path(__file__).resolve().parents[2] / "configs"


@pytest.mark.parametrize("recipe", sorted(CONFIGS.rglob("*.yaml")), ids=lambda path: path.stem)
def test_recipe_trains(scenes: Path, scribbles: Path, small: list[str], tmp_path: Path, recipe: Path) -> None:
    named = load_yaml(recipe).get("method", {}).get("name", "partial")
    hints = [] if named == "supervised" else [scribbles]
    overrides = [setting for setting in small if not setting.startswith("train.epochs")]
    run = plan(scenes, hints=hints, method=named, config=[recipe], settings=[*overrides, "train.epochs=0.5"]).train(
        tmp_path / "run",
    )
    assert run.complete
    assert run.config.method.name == named
