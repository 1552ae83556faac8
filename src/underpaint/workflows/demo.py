"""The whole way in a few minutes: scenes, scribbles, three trainings, masks, and the gap between them."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from underpaint.core.config import Settings
from underpaint.data.hinted import HintedImages, ViewConfig
from underpaint.data.synthetic import write_dataset
from underpaint.evaluation.compare import Evaluation
from underpaint.evaluation.report import GapReport, MethodRow, PictureRow, Role, write_report
from underpaint.formats.dataset import open_dataset
from underpaint.formats.folder import DataFolder
from underpaint.formats.images import read_rgb
from underpaint.formats.jsonl import read_hints
from underpaint.formats.masks import read_index_mask
from underpaint.hints.types import Hints
from underpaint.simulate.effort import mask_seconds
from underpaint.training.reporter import Reporter, Silent
from underpaint.training.run_folder import commit
from underpaint.workflows.evaluate import evaluate
from underpaint.workflows.predict import predict
from underpaint.workflows.simulate import simulate
from underpaint.workflows.train import train

ROLES = {"partial": Role.FLOOR, "gated-crf": Role.METHOD, "supervised": Role.CEILING}

SETTINGS = (
    "views.crop=[128,160]",
    "views.scales=[0.8,1.25]",
    "train.epochs=20",
    "train.batch=8",
)
"""The scenes' own size, and so many passes that the three trainings take about three minutes on two cores."""

PICTURES = {"train": 2, "test": 3}
"""Photographs in the report: of training, to see the hints; of testing, to see what they led to."""


def demo(out: Path, *, train_scenes: int = 64, test_scenes: int = 24, reporter: Reporter | None = None) -> Path:
    """Make scenes, draw scribbles, train floor, method and ceiling, predict, evaluate and report.

    A demo that was interrupted goes on; one that is complete only writes its report again.

    Args:
        out: Folder to make: ``scenes/``, ``scribbles.jsonl``, ``runs/``, ``masks/``, ``report.html``.
        train_scenes: Scenes to learn from.
        test_scenes: Scenes to score on.
        reporter: Watches; None for nobody.

    Returns:
        The report.
    """
    reporter = reporter or Silent()
    scenes, scribbles = out / "scenes", out / "scribbles.jsonl"
    write_dataset(scenes, train=train_scenes, test=test_scenes, size=(128, 160), seed=0)
    reporter.note(f"{train_scenes} scenes to learn from and {test_scenes} to score on, in {scenes}")
    if not scribbles.is_file():
        simulate(scenes, scribbles, kind="scribbles")
    results: dict[str, Evaluation] = {}
    for method in ROLES:
        reporter.note(f"training {method} from {'full masks' if method == 'supervised' else 'scribbles'}")
        run = out / "runs" / method
        train(
            scenes,
            run,
            hints=[] if method == "supervised" else [scribbles],
            method=method,
            overrides=SETTINGS,
            resume=run.is_dir(),
            reporter=reporter,
        )
        # All scenes are predicted: those of the training split are what `train` was for, and show what it made of them.
        predict(run, scenes, out / "masks" / method)
        results[method] = evaluate(out / "masks" / method, scenes)
        reporter.note(f"{method}: mIoU {results[method].scores.miou:.1f} on the test scenes")
    path = out / "report.html"
    write_report(_report(open_dataset(scenes), scribbles, out, results), path)
    return path


def _report(data: DataFolder, scribbles: Path, out: Path, results: Mapping[str, Evaluation]) -> GapReport:
    drawn = read_hints(scribbles, data.classes)
    minutes: dict[Role, float] = {role: sum(h.seconds or 0.0 for h in drawn.values()) / 60 for role in Role}
    minutes[Role.CEILING] = sum(_mask_minutes(data, name) for name in drawn)
    facts: Settings = {"schedule": ", ".join(SETTINGS), "training scenes": str(len(drawn))}
    return GapReport(
        dataset="synthetic scenes",
        split="test",
        hints="scribbles",
        network="deeplabv3plus on tf_efficientnet_lite0, one scale, last step",
        tuning="nothing was chosen on masks",
        command=f"underpaint demo -o {out}",
        machine=f"{platform.machine()}, {os.cpu_count()} cores",
        commit=commit(),
        classes=data.classes,
        rows=tuple(
            MethodRow.of(method, ROLES[method], {0: result}, minutes=minutes[ROLES[method]])
            for method, result in results.items()
        ),
        pictures=tuple(_pictures(data, out, drawn)),
        facts=facts,
        curves=out / "runs" / "gated-crf" / "curves.png",
    )


def _mask_minutes(data: DataFolder, name: str) -> float:
    index = read_index_mask(data.masks[name], data.classes)
    shown = len(np.unique(index[index != data.classes.background]))
    return mask_seconds(len(data.classes), shown) / 60


def _pictures(data: DataFolder, out: Path, drawn: Mapping[str, Hints]) -> Iterator[PictureRow]:
    hinted = HintedImages(data, drawn, ViewConfig(), seed=0)
    for split, count in PICTURES.items():
        for name in data.split(split)[:count]:
            masks = {method: read_index_mask(out / "masks" / method / f"{name}.png", data.classes) for method in ROLES}
            truth = read_index_mask(data.masks[name], data.classes)
            seeds = hinted.still(name).seeds if name in drawn else None
            yield PictureRow(name, read_rgb(data.images[name]), masks, truth, seeds)
