"""How good the combined annotations of `local-global` are on the training images, setting by setting.

For diagnosis: a user with hints alone has no masks to compare with. Images are taken to show hinted classes alone.

    python benchmarks/annotations.py DATA RUN --hints H.jsonl --split train+val --artifacts DIR [--every 4]

RUN is a complete run of the baseline (`partial` or `quick`); its predictions of the training images are kept in DIR,
where `train` and `gap` find them again. One line of JSON a setting: pooled mIoU and boundary IoU against the masks,
seconds an image.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from itertools import product
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import numpy as np

from underpaint import plan
from underpaint.core.digest import file_digest
from underpaint.core.rng import derive
from underpaint.data.hinted import HintedImages
from underpaint.evaluation.compare import ImageCounts, count_image, evaluation
from underpaint.imagefiles.masks import read_index_mask
from underpaint.methods.local_global.combine import Average, Regulariser, combine, regularise
from underpaint.methods.local_global.local_models import Frozen, LocalModel, annotate
from underpaint.training.inputs import Inputs
from underpaint.training.reporter import Silent
from underpaint.training.stage_inference import StageInference
from underpaint.training.stages import StagedRun
from underpaint.workflows.run import Run

WEIGHTS = (0.0, 0.25, 0.5, 0.75, 1.0)
LOCALS: tuple[LocalModel, ...] = ("colour", "quick", "mixture")
AVERAGES: tuple[Average, ...] = ("arithmetic", "geometric")
REGULARISERS: tuple[Regulariser, ...] = ("none", "crf", "par")


def main() -> None:
    """Annotate every image in every way, and score."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("run", type=Path)
    parser.add_argument("--hints", type=Path, required=True)
    parser.add_argument("--split", default="train")
    parser.add_argument("--artifacts", type=Path, required=True)
    parser.add_argument("--every", type=int, default=1, help="score every so manieth image")
    parser.add_argument("--scales", default="0.75,1.0,1.5")
    asked = parser.parse_args()
    run = Run(asked.run)
    planned = plan(asked.data, hints=[asked.hints], lenient=True, split=asked.split)
    data, config = planned.data, run.config
    images = HintedImages(data, planned.hints, config.views, seed=derive(config.seed, "views") % 2**32)
    staged = StagedRun(run, config, planned.method, data, planned.hints, Silent(), asked.artifacts)
    given = {"weights": file_digest(run.root / "weights.safetensors"), "images": images.names}
    given["hints"] = Inputs(config, data, planned.hints).hints_digest
    infer = StageInference(
        run.network(), images, asked.artifacts, store=asked.artifacts, given=given, bank=staged._bank
    )
    scales = tuple(map(float, asked.scales.split(",")))
    counts: dict[str, list[ImageCounts]] = {}
    seconds: dict[str, float] = {}
    for still in list(infer.images())[:: asked.every]:
        truth = read_index_mask(data.masks[still.name], data.classes)
        drawn = np.unique(still.seeds[still.seeds != 255])
        if len(drawn) == 0:
            continue
        network = infer.probabilities(still, scales=scales, flip=True)[drawn]
        seeds = np.append(np.searchsorted(drawn, np.arange(255)), 255).astype(np.uint8)[still.seeds]
        frozen = Frozen(infer.bank.features(still.rgb), infer.bank.penalties)
        local = {}
        for name in LOCALS:
            began = time.perf_counter()
            local[name] = annotate(still.rgb, still.seeds, model=name, frozen=frozen)
            seconds[name] = seconds.get(name, 0.0) + time.perf_counter() - began
        for name, weight, average, regulariser in product(LOCALS, WEIGHTS, AVERAGES, REGULARISERS):
            if (average == "geometric" and (weight, regulariser) != (0.5, "none")) or (
                weight == 0 and name != LOCALS[0]
            ):
                continue
            mean = combine(network, local[name], weight=weight, average=average, seeds=seeds)
            labels = drawn[regularise(mean, still.rgb, regulariser, seeds=seeds).argmax(axis=0)]
            key = f"{name} w={weight} {average} {regulariser}"
            counts.setdefault(key, []).append(count_image(still.name, truth, labels.astype(np.uint8), data.classes))
    for key, found in counts.items():
        result = evaluation(data.classes, asked.split, found)
        print(json.dumps({"setting": key, "miou": result.scores.miou, "boundary_iou": result.boundary.mean}))
    print(json.dumps({f"seconds_{name}": total / len(found) for name, total in seconds.items()}))


if __name__ == "__main__":
    main()
