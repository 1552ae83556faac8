"""Scores of the masks of a run with other parameters of the dense CRF that sharpens them, and without it.

    python benchmarks/crf.py RUN DATA --split val [--every 2]

The network predicts every image once, at one scale. One line of JSON for each setting: the standard deviations and
weights in the order of `CrfParameters`, the number of iterations, mIoU, boundary IoU and seconds of one thread for an
image. Choose on a validation split.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import astuple
from pathlib import Path

import numpy as np
import torch

from underpaint import load_run, open_dataset
from underpaint.evaluation.compare import count_image, evaluation
from underpaint.imagefiles.rule import picture, read_image
from underpaint.kernels.meanfield import CrfParameters, mean_field
from underpaint.predict import PredictConfig, Predictor
from underpaint.predict.sharpen import MASK_CRF, Probabilities, sharpened

OTHERS = (
    CrfParameters(3, 3, 50, 5, 4),
    CrfParameters(3, 3, 30, 5, 4),
    CrfParameters(3, 3, 83, 8, 4),
    CrfParameters(3, 3, 83, 13, 4),
    CrfParameters(3, 3, 83, 5, 10),
    CrfParameters(3, 3, 50, 8, 8),
    CrfParameters(3, 3, 40, 13, 8),
    CrfParameters(1, 3, 83, 5, 4),
    CrfParameters(3, 3, 83, 5, 4, iterations=5),
)


def main() -> None:
    """Predict, sharpen in every way, and score."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("--split", required=True)
    parser.add_argument("--every", type=int, default=1, help="score every so manieth image")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    run, data = load_run(asked.run), open_dataset(asked.data)
    predictor, rule = Predictor(run.network(), PredictConfig()), run.config.images.rule
    held = []
    for name in data.split(asked.split)[:: asked.every]:
        rgb = read_image(data.images[name], rule)
        held.append((name, data.mask(name).read(run.classes), rgb, predictor.probabilities(rgb)))

    def score(setting: str | tuple[float, ...], change: Callable[[Probabilities, np.ndarray], Probabilities]) -> None:
        began = time.process_time()
        made = [change(probabilities, rgb).argmax(0).astype(np.uint8) for *_, rgb, probabilities in held]
        seconds = (time.process_time() - began) / len(held)
        counts = (
            count_image(name, truth, mask, run.classes) for (name, truth, *_), mask in zip(held, made, strict=True)
        )
        found = evaluation(run.classes, asked.split, counts)
        scores = {"miou": round(found.scores.miou, 1), "boundary_iou": round(found.boundary.mean, 1)}
        print(json.dumps({"setting": setting, **scores, "seconds": round(seconds, 3)}), flush=True)

    score("no CRF", lambda probabilities, rgb: probabilities)
    score("the default", sharpened)
    for other in (MASK_CRF, *OTHERS):
        score(astuple(other), lambda probabilities, rgb, other=other: mean_field(probabilities, picture(rgb), other))  # type: ignore[misc]


if __name__ == "__main__":
    main()
