"""Draws the pictures of a run: curves of the loss terms, and sample predictions beside their hints."""

from __future__ import annotations

import io
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import suppress
from itertools import islice

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from underpaint.core.atomic import write_atomic
from underpaint.core.errors import DataError
from underpaint.data.hinted import HintedImages
from underpaint.data.samples import TrainingImage
from underpaint.datasets.folder import DataFolder
from underpaint.evaluation.pictures import draw_hints, overlay
from underpaint.hints.rasterise import UNKNOWN
from underpaint.hints.types import Hints
from underpaint.predict import PredictConfig, Predictor
from underpaint.training.run_folder import CURVES, SAMPLES, RunFolder, read_events
from underpaint.workflows.run import Run

SHOWN = 4
"""Number of images in the picture of sample predictions."""

WIDTH = 800
"""Width of that picture in pixels. Wider images are made smaller before hints are drawn on them, which takes long."""


def draw_missing(run: Run, data: DataFolder, hints: Mapping[str, Hints]) -> None:
    """Draw the pictures of the run that are missing. They depend only on the training."""
    if not (run.root / CURVES).is_file():
        draw_curves(run)
    if not (run.root / SAMPLES).is_file():
        draw_samples(run, data, hints)


def draw_curves(run: RunFolder) -> None:
    """Write ``curves.png``: every loss term of every stage, and the learning rate, over the steps."""
    series: dict[str, list[tuple[int, float]]] = defaultdict(list)
    for event, _ in read_events(run.root / "events.jsonl"):
        if event["event"] == "steps":
            for key, value in event.items():
                if key == "lr" or key.startswith("loss/"):
                    series[f"{event['stage']} {key}"].append((event["step"], value))
    shown = {name: points for name, points in series.items() if any(value for _, value in points)}
    figure = Figure(figsize=(5 * max(len(shown), 1), 3.2), layout="constrained")
    FigureCanvasAgg(figure)
    for place, (name, points) in enumerate(shown.items(), start=1):
        axes = figure.add_subplot(1, len(shown), place)
        axes.plot(*zip(*points, strict=True), color="#3b6ea5", linewidth=1.2)
        axes.set(title=name, xlabel="step")
        axes.grid(alpha=0.3)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    write_atomic(run.root / CURVES, buffer.getvalue(), root=run.root)


def draw_samples(run: Run, data: DataFolder, hints: Mapping[str, Hints]) -> None:
    """Write ``samples.png``: a few training images with their hints (left) and with predicted masks (right)."""
    predictor = Predictor(run.network(), PredictConfig())
    rows = []
    for image in islice(_samples(run, data, hints), SHOWN):
        step = max(1, image.picture.shape[1] // WIDTH)
        picture = np.asarray(Image.fromarray(image.picture).reduce(step))
        index = np.ascontiguousarray(predictor.index(image.rgb)[::step, ::step])
        pair = [
            draw_hints(picture, _reduced(image.seeds, step), data.classes),
            overlay(picture, index, data.classes, alpha=0.6),
        ]
        rows.append(_fit(np.concatenate(pair, axis=1)))
    if not rows:
        raise DataError("none of the training images can be read", where=data.root)
    buffer = io.BytesIO()
    Image.fromarray(np.concatenate(rows)).save(buffer, format="png")
    write_atomic(run.root / SAMPLES, buffer.getvalue(), root=run.root)


def _samples(run: RunFolder, data: DataFolder, hints: Mapping[str, Hints]) -> Iterator[TrainingImage]:
    """Training images that can be read: first some at equal distances in the order of their names, then the others."""
    config, names = run.config, sorted(hints)
    some = names[:: max(1, len(names) // SHOWN)][:SHOWN]
    for name in [*some, *(name for name in names if name not in some)]:
        with suppress(DataError):  # the training has reported unreadable images already
            shown = {name: hints[name]}
            images = HintedImages(data, shown, config.views, seed=config.seed, rule=config.images.rule)
            yield images.excerpt(name)


def _reduced(seeds: np.ndarray, step: int) -> np.ndarray:
    """Labelled pixels (H, W) of a smaller picture: a label of every ``step x step`` pixels of which one has a label."""
    height, width = (-(-side // step) for side in seeds.shape)
    padded = np.full((height * step, width * step), UNKNOWN, np.uint8)
    padded[: seeds.shape[0], : seeds.shape[1]] = seeds
    return np.asarray(padded.reshape(height, step, width, step).min(axis=(1, 3)))  # unknown is the largest number


def _fit(row: np.ndarray) -> np.ndarray:
    image = Image.fromarray(row)
    return np.asarray(image.resize((WIDTH, max(1, round(image.height * WIDTH / image.width)))))
