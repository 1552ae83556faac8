"""Response maps as pictures over the photograph: what a classifier looked at."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch.nn import functional as F

from underpaint.core.classes import ClassTable
from underpaint.imagefiles.window import Window
from underpaint.predict.folder import Summary, open_output, unprepared, write_each
from underpaint.predict.predictor import Pixels
from underpaint.predict.responses import CamPredictor

SHOWN = 0.5
"""Probability from which on a class is drawn: the classifier says that the image shows it."""

STRENGTH = 0.8
"""Of the colour where the response is strongest; where there is none the photograph stays, in grey."""


def draw_responses(
    responder: CamPredictor,
    images: Path,
    out: Path,
    classes: ClassTable,
    *,
    window: Window | None = None,
    by: str = "a call of draw_responses",
    on_progress: Callable[[int, int], None] | None = None,
) -> Summary:
    """Write ``OUT/NAME/NN-CLASS.png`` for every photograph and every class that the network sees in it.

    NN is the class's index. Where the network is sure of no class, the most probable one is drawn. The background is
    no tag and has no map.

    Args:
        responder: Network, scales and flip.
        images: As in `predict_folder`.
        out: The output folder, as in `predict_folder`.
        classes: The network's classes.
        window: As in `predict_folder`.
        by: What draws, for the record of the output folder.
        on_progress: Called with (done, total).

    Returns:
        How many pictures were written, and which photographs were skipped because they cannot be read.

    Raises:
        DataError: as `predict_folder`.
        ConfigError: the network has no tag head.
    """
    found, output = open_output(images, out, holds="response maps", by=by)

    def write(name: str, rgb: Pixels) -> int:
        maps, seen = responder.coarse(rgb), shown(responder.scores(rgb), classes)
        for label in seen:
            target = out / name / f"{label:02d}-{_plain(classes.names[label])}.png"
            output.write(target, png(heat(rgb, maps[label])))
        return len(seen)

    return write_each(found, output, write, on_progress, window=window, prepared=unprepared)


def shown(scores: npt.NDArray[np.float32], classes: ClassTable) -> list[int]:
    """Indices of the classes to draw, from probabilities (C,)."""
    things = list(classes.foreground)
    sure = [label for label in things if scores[label] >= SHOWN]
    return sure or [max(things, key=lambda label: float(scores[label]))]


def heat(rgb: Pixels, response: npt.NDArray[np.float32], *, peak: float | None = None) -> Pixels:
    """A photograph (H, W, 3) in grey, over it a response map (h, w) >= 0 divided by its maximum, or by ``peak``."""
    from matplotlib import colormaps  # starts slowly

    peak = float(response.max()) if peak is None else peak
    coarse = torch.from_numpy(response / peak if peak > 0 else np.zeros_like(response))[None, None]
    full = F.interpolate(coarse, rgb.shape[:2], mode="bilinear", align_corners=False)[0, 0].numpy()
    colours = colormaps["inferno"](full)[..., :3] * 255
    grey = np.repeat(rgb.mean(axis=2, keepdims=True), 3, axis=2)
    mixed = grey + STRENGTH * full[..., None] * (colours - grey)
    return np.asarray(np.rint(mixed).clip(0, 255), dtype=np.uint8)


def _plain(name: str) -> str:
    """A class's name as part of a file's."""
    return re.sub(r"[^\w-]+", "-", name)


def png(pixels: Pixels) -> bytes:
    """A picture (H, W, 3) as a file."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG")
    return buffer.getvalue()
