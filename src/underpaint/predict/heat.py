"""Pictures of class activation maps over the image."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional as F

from underpaint.core.classes import ClassTable
from underpaint.evaluation.pictures import png
from underpaint.imagefiles.rule import COLOUR, ReadingRule, picture
from underpaint.predict.predictor import Pixels
from underpaint.predict.responses import CamPredictor
from underpaint.predict.targets import open_output
from underpaint.predict.writing import Summary, unprepared, write_each

SHOWN = 0.5
"""Least probability of a class in an image for which its map is drawn."""

STRENGTH = 0.8
"""Weight of the colour where the map is largest, 0 to 1; where the map is 0, the picture shows the image in grey."""


def draw_responses(
    predictor: CamPredictor,
    images: Path,
    out: Path,
    classes: ClassTable,
    *,
    rule: ReadingRule = COLOUR,
    by: str = "a call of draw_responses",
    on_progress: Callable[[int, int], None] | None = None,
) -> Summary:
    """Write a class activation map ``OUT/NAME/NN-CLASS.png`` for every image and every class that is predicted in it.

    NN is the index of the class. If no class has a probability of at least 0.5, the most probable class is drawn. The
    background has no map, because tags do not name it.

    Args:
        predictor: Network, scales and flip.
        images: As in `predict_folder`.
        out: The output folder, as in `predict_folder`.
        classes: The network's classes.
        rule: As in `predict_folder`.
        by: Name of the caller, for the record of the output folder.
        on_progress: Called with (done, total).

    Returns:
        The number of pictures that were written, and the images that were skipped because they cannot be read.

    Raises:
        DataError: As in `predict_folder`.
        ConfigError: The network has no tag head.
    """
    found, output = open_output(images, out, holds="response maps", by=by)

    def write(name: str, rgb: Pixels) -> int:
        maps, seen = predictor.coarse(rgb), shown(predictor.scores(rgb), classes)
        for label in seen:
            target = out / name / f"{label:02d}-{_plain(classes.names[label])}.png"
            output.write(target, png(heat(rgb, maps[label])))
        return len(seen)

    return write_each(found, output, write, on_progress, rule=rule, prepared=unprepared)


def shown(scores: npt.NDArray[np.float32], classes: ClassTable) -> list[int]:
    """Indices of the classes to draw, from their probabilities (C,)."""
    things = list(classes.foreground)
    sure = [label for label in things if scores[label] >= SHOWN]
    return sure or [max(things, key=lambda label: float(scores[label]))]


def heat(rgb: Pixels, response: npt.NDArray[np.float32], *, peak: float | None = None) -> Pixels:
    """An image (H, W, 3) in grey with a coloured map (h, w) >= 0 over it, divided by its maximum or by ``peak``."""
    from matplotlib import colormaps  # starts slowly

    peak = float(response.max()) if peak is None else peak
    coarse = torch.from_numpy(response / peak if peak > 0 else np.zeros_like(response))[None, None]
    full = F.interpolate(coarse, rgb.shape[:2], mode="bilinear", align_corners=False)[0, 0].numpy()
    colours = colormaps["inferno"](full)[..., :3] * 255
    rgb = picture(rgb)
    grey = np.repeat(rgb.mean(axis=2, keepdims=True), 3, axis=2)
    mixed = grey + STRENGTH * full[..., None] * (colours - grey)
    return np.asarray(np.rint(mixed).clip(0, 255), dtype=np.uint8)


def _plain(name: str) -> str:
    """The name of a class in a form that is safe in a file name."""
    return re.sub(r"[^\w-]+", "-", name)
