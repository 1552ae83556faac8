"""Minutes on real photographs: part of `make check`."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from underpaint import evaluate, plan, predict, simulate
from underpaint.datasets.open import open_dataset

pytestmark = pytest.mark.slow


def _few(data: Path, names: tuple[str, ...], root: Path) -> Path:
    """A data set of links to a few images of another."""
    opened = open_dataset(data)
    for folder, files in (("images", opened.images), ("masks", opened.masks)):
        (root / folder).mkdir(parents=True)
        for name in names:
            (root / folder / files[name].name).symlink_to(files[name].resolve())
    (root / "classes.txt").write_text("\n".join(opened.classes.names) + "\n")
    (root / "splits").mkdir()
    (root / "splits" / "train.txt").write_text("\n".join(names) + "\n")
    return root


@pytest.mark.parametrize(("method", "least"), [("supervised", 90.0), ("gated-crf", 60.0)])
def test_eight_photographs_can_be_learned_by_heart(real_data: Path, tmp_path: Path, method: str, least: float) -> None:
    names = open_dataset(real_data / "msrc21").split("train")[::35][:8]
    data = _few(real_data / "msrc21", names, tmp_path / "eight")
    hints = []
    if method != "supervised":
        hints = [tmp_path / "scribbles.jsonl"]
        simulate(data, hints[0], kind="scribbles")
    overrides = [
        "views.crop=[208,320]",
        "views.scales=[1.0,1.0]",
        "views.colour_jitter=0",
        "train.epochs=60",
        "train.batch=4",
    ]
    plan(data, hints=hints, method=method, settings=overrides).train(tmp_path / "run")
    predict(tmp_path / "run", data, tmp_path / "masks")
    assert evaluate(tmp_path / "masks", data, split="train").scores.miou > least


def test_real_clicks_of_voc_are_read_and_learned_from(real_data: Path, tmp_path: Path) -> None:
    animals = real_data / "voc_animals"
    clicks = animals / "weak" / "voc_whats_the_point.json"
    planned = plan(animals, hints=[clicks], lenient=True, split="train_official")
    assert planned.config.method.name == "gated-crf"
    assert len(planned.hints) > 400
    said = " ".join(planned.notes)
    assert "left out" in said, "clicks on classes that are not in the table are counted"
    overrides = ["views.crop=[192,192]", "views.scales=[0.4,0.7]", "train.epochs=1"]
    few = plan(animals, hints=[clicks], lenient=True, split="train_official", method="gated-crf", settings=overrides)
    few.train(tmp_path / "run")
    lines = (tmp_path / "run" / "events.jsonl").read_text().splitlines()
    losses = [event["loss/seeds"] for event in map(json.loads, lines) if event["event"] == "steps"]
    assert losses[0] < 0.4, "it starts from a linear model of the clicks; a guess among seven classes has log(7) = 1.9"
    assert np.mean(losses[-2:]) < losses[0]
