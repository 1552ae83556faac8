"""The quick model: quality and CPU seconds by number of hinted photographs, and on a whole data set.

    python -m benchmarks.quick few DATA -o benchmarks/results/quick-few-NAME.json
    python -m benchmarks.quick whole DATA --split train+val --test test --seeds 0,1,2 -o .../quick-whole-NAME.json

``few``: 1, 3, 12 and 48 photographs of ``--split`` with simulated scribbles. Quality on them and on unseen photographs
of ``--test``, beside a random forest on the filter features of scikit-image, as ilastik, Labkit and Weka have them.
The forest has the same marked pixels, 100 trees, and predicts every pixel, as these programs do. "First masks" are
features, fit and masks of the hinted photographs; "after a stroke" is the same with features kept. The start of the
process and the loading of the network, a second, are not counted.

``whole``: all photographs of ``--split`` are hinted, by simulated scribbles and then by ``--hints``, and all of
``--test`` scored. ``--set model.encoder=NAME`` and the like change the model.

All seconds are CPU seconds of this one process on one thread (`time.process_time`), reading of files included.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path

import numpy as np
import torch
from benchmarks.reports import origin, write
from numpy.typing import NDArray
from skimage.feature import multiscale_basic_features
from sklearn.ensemble import RandomForestClassifier

from underpaint.core.cache import VARIABLE
from underpaint.core.config import merge, parse_overrides
from underpaint.core.rng import generator
from underpaint.data.hinted import at_working_size
from underpaint.datasets.folder import DataFolder
from underpaint.datasets.open import open_dataset
from underpaint.evaluation.confusion import confusion, scores
from underpaint.features.bank import FeatureBank
from underpaint.features.linear import PENALTY
from underpaint.features.pixels import marked_pixels
from underpaint.features.rows import fit_rows, marked_rows
from underpaint.features.store import FeatureStore
from underpaint.hints.types import Hints
from underpaint.imagefiles.images import read_rgb
from underpaint.predict.hinted import LinearMasks, named_classes
from underpaint.simulate.scribbles import simulate_scribbles
from underpaint.workflows.quick_model import QuickModel, fit_quick
from underpaint.workflows.training_data import TrainingData, read_training_data

Mask = NDArray[np.uint8]
Figures = dict[str, object]

COUNTS = (1, 3, 12, 48)
TREES = 100


def main() -> None:
    """Measure, print and write after every row."""
    asked = _arguments()
    torch.set_num_threads(1)
    data = open_dataset(asked.data)
    report: Figures = {
        **origin(),
        "photographs of": f"{asked.split}, scored on {asked.test}",
        "rows": [],
    }
    part = _few if asked.part == "few" else _whole
    with tempfile.TemporaryDirectory() as cache:
        os.environ[VARIABLE] = cache
        for row in part(data, asked):
            print(row, flush=True)
            assert isinstance(report["rows"], list)
            report["rows"].append(row)
            write(report, asked.out)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=("few", "whole"))
    parser.add_argument("data", type=Path)
    parser.add_argument("--split", default="train")
    parser.add_argument("--test", default="val")
    parser.add_argument("--unseen", type=int, default=32, help="photographs of --test that `few` scores")
    parser.add_argument("--seeds", default="0")
    parser.add_argument("--hints", type=Path, help="for `whole`: real hints, for a row after simulated ones")
    parser.add_argument("--set", nargs="*", default=[], help="for `whole`: settings of the run, as GROUP.NAME=VALUE")
    parser.add_argument("-o", "--out", type=Path)
    return parser.parse_args()


def _whole(data: DataFolder, asked: argparse.Namespace) -> Iterator[Figures]:
    """A row for each seed of simulated scribbles, and one for real hints."""
    seeds = list(map(int, asked.seeds.split(",")))
    every: Iterator[tuple[str, TrainingData, int]] = (
        (f"seed {seed}", _simulated(data, _hints(data, data.split(asked.split), seed)), seed) for seed in seeds
    )
    if asked.hints is not None:
        real = read_training_data(asked.data, hints=[asked.hints], lenient=True, rest=None, split=asked.split)
        every = chain(every, [(asked.hints.name, real, 0)])
    for label, learnt, seed in every:
        began = time.process_time()
        settings = merge(parse_overrides(asked.set), {"seed": seed})
        model = fit_quick(learnt, settings)
        total = time.process_time() - began
        began = time.process_time()
        fit_quick(learnt, settings)  # its features are kept by now
        again = time.process_time() - began
        began = time.process_time()
        names = data.split(asked.test)
        counts = np.zeros((len(data.classes), len(data.classes)), np.int64)
        for name, found in _plain(model, names):
            counts += confusion(data.mask(name).read(data.classes), found, len(data.classes))
        yield {
            "row": label,
            "photographs": len(learnt.hints),
            "hints": sum(len(hint.scribbles) + len(hint.clicks) for hint in learnt.hints.values()),
            "miou": round(scores(counts).miou, 2),
            "seconds": round(total, 1),
            "seconds_with_kept_features": round(again, 1),
            "seconds_a_predicted_photograph": round((time.process_time() - began) / len(names), 3),
        }


def _few(data: DataFolder, asked: argparse.Namespace) -> Iterator[Figures]:
    """A row for each number of hinted photographs and each model."""
    unseen = data.split(asked.test)[: asked.unseen]
    filters = _Filters(data)
    for seed in map(int, asked.seeds.split(",")):
        names = data.split(asked.split)
        order = generator(seed, "photographs").permutation(len(names))
        for count in COUNTS:
            hints = _hints(data, sorted(names[i] for i in order[:count]), seed)
            learnt = _simulated(data, hints)
            model, quick = _quick_row(data, learnt, unseen, seed)
            common = {
                "hinted": count,
                "seed": seed,
                "strokes": sum(len(hint.scribbles) for hint in hints.values()),
            }
            yield {"row": f"quick, {count}", "model": "quick", **common, **quick}
            yield {"row": f"forest, {count}", "model": "forest", **common, **filters.row(model, unseen)}


def _hints(data: DataFolder, names: Sequence[str], seed: int) -> dict[str, Hints]:
    every = ((name, data.mask(name).read(data.classes)) for name in names)
    return {name: simulate_scribbles(mask, data.classes, image=name, seed=seed) for name, mask in every}


def _simulated(data: DataFolder, hints: Mapping[str, Hints]) -> TrainingData:
    own = replace(data, splits={"hinted": tuple(hints)})
    return TrainingData(data.root, own, "hinted", hints, (), ())


def _quick_row(data: DataFolder, learnt: TrainingData, unseen: Sequence[str], seed: int) -> tuple[QuickModel, Figures]:
    model = fit_quick(learnt, {"seed": seed})
    images, names, fits = model.images, tuple(learnt.hints), []
    with tempfile.TemporaryDirectory() as folder:
        bank = FeatureBank(model.network, FeatureStore(Path(folder)))
        for _ in range(2):
            began = time.process_time()
            rows = marked_rows(images.training_images(), bank, len(data.classes), seed=seed)
            fit_rows(rows, data.classes.background, penalty=PENALTY * bank.penalties)
            fits.append(time.process_time() - began)
        began = time.process_time()
        within = dict(_within(model, bank, names, crf=False))
        masks = time.process_time() - began
        began = time.process_time()
        found = dict(_plain(model, unseen, bank))
        predicting = (time.process_time() - began) / len(unseen)
        sharpened = dict(_within(model, bank, names, crf=True))
    return model, {
        "miou_hinted": _miou(data, dict(_plain(model, names))),
        "miou_hinted_within_marked_classes": _miou(data, within),
        "miou_hinted_within_marked_classes_crf": _miou(data, sharpened),
        "miou_unseen": _miou(data, found),
        "seconds_first_masks": round(fits[0] + masks, 2),
        "seconds_after_a_stroke": round(fits[1] + masks, 2),
        "seconds_an_unseen_photograph": round(predicting, 3),
    }


def _within(model: QuickModel, bank: FeatureBank, names: Sequence[str], *, crf: bool) -> Iterator[tuple[str, Mask]]:
    masks = model.masks(crf=crf)
    for name in names:
        still = model.images.training_image(name)
        yield name, masks.hinted(bank.features(still.rgb), still, model.images.labelled(name))


def _plain(model: QuickModel, names: Sequence[str], bank: FeatureBank | None = None) -> Iterator[tuple[str, Mask]]:
    masks: LinearMasks = model.masks(crf=False)
    working = model.plan.config.data.working
    for name in names:
        rgb = read_rgb(model.plan.data.images[name])
        small = at_working_size(rgb, working)
        features = (bank or model.bank).features(small)
        yield name, masks.plain(features, small, (rgb.shape[0], rgb.shape[1]))


class _Filters:
    """A random forest on filter features; those of a photograph are computed once.

    Args:
        data: The data set.
    """

    def __init__(self, data: DataFolder) -> None:
        self._data = data
        self._held: dict[str, NDArray[np.float16]] = {}
        self._seconds: list[float] = []

    def row(self, model: QuickModel, unseen: Sequence[str]) -> Figures:
        """Fitted on the pixels that the quick model is fitted on."""
        images = model.images
        rows: list[NDArray[np.float16]] = []
        labels: list[NDArray[np.intp]] = []
        for name in images.names:
            still = images.training_image(name)
            marks = marked_pixels(still.candidates, name)
            rows.append(self._features(name)[marks.rows, marks.columns])
            labels.append(marks.sets[marks.chosen].argmax(axis=1))
        forest = RandomForestClassifier(TREES, n_jobs=1, random_state=0, class_weight="balanced")
        began = time.process_time()
        forest.fit(np.concatenate(rows), np.concatenate(labels))
        fit = time.process_time() - began
        stills = [images.training_image(name) for name in images.names]
        background = self._data.classes.background
        learned = model.masks().learned
        began = time.process_time()
        hinted = {still.name: self._probabilities(forest, still.name) for still in stills}
        masks = time.process_time() - began
        named = {still.name: np.isin(forest.classes_, named_classes(still, learned, background)) for still in stills}
        began = time.process_time()
        found = {name: _best(forest, self._probabilities(forest, name)) for name in unseen}
        predicting = (time.process_time() - began) / len(unseen)
        features = float(np.mean(self._seconds))
        return {
            "miou_hinted": _miou(self._data, {name: _best(forest, each) for name, each in hinted.items()}),
            "miou_hinted_within_marked_classes": _miou(
                self._data, {name: _best(forest, each * named[name]) for name, each in hinted.items()}
            ),
            "miou_unseen": _miou(self._data, found),
            "seconds_first_masks": round(features * len(images.names) + fit + masks, 2),
            "seconds_after_a_stroke": round(fit + masks, 2),
            "seconds_an_unseen_photograph": round(features + predicting, 3),
        }

    def _features(self, name: str) -> NDArray[np.float16]:
        """(H, W, 72): intensity, edges and texture at six sigmas from 0.5 to 16, of every channel."""
        if name not in self._held:
            began = time.process_time()
            rgb = read_rgb(self._data.images[name])
            found = multiscale_basic_features(  # type: ignore[no-untyped-call]
                rgb, sigma_min=0.5, sigma_max=16, channel_axis=-1, workers=1
            )
            self._seconds.append(time.process_time() - began)
            self._held[name] = found.astype(np.float16)
        return self._held[name]

    def _probabilities(self, forest: RandomForestClassifier, name: str) -> NDArray[np.float16]:
        """(H, W, K) of the K classes that the forest knows."""
        features = self._features(name)
        found = forest.predict_proba(features.reshape(-1, features.shape[2]))
        return np.asarray(found.astype(np.float16).reshape(*features.shape[:2], -1))


def _best(forest: RandomForestClassifier, probabilities: NDArray[np.float16]) -> Mask:
    return np.asarray(forest.classes_[probabilities.argmax(axis=2)].astype(np.uint8))


def _miou(data: DataFolder, masks: Mapping[str, Mask]) -> float:
    counts = sum(confusion(data.mask(name).read(data.classes), mask, len(data.classes)) for name, mask in masks.items())
    return round(scores(np.asarray(counts)).miou, 1)


if __name__ == "__main__":
    main()
