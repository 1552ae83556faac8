"""How masks depend on how much the network is shown at once: whole photographs, mosaics of them, and tiles.

    underpaint train DATA -o RUN --split train
    python benchmarks/tiles.py RUN DATA --split val --images 24 -o benchmarks/results/tiles-NAME.json

For photographs and for mosaics of 2 x 3 of them, predicted whole, in tiles of the size that training saw, and in tiles
of 256 pixels: mIoU, and the share of pixels whose label differs from that of the column before, at the columns where
tiles meet (of the default, where the image is predicted whole) and at all others.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from underpaint.datasets.open import open_dataset
from underpaint.evaluation.confusion import confusion, scores
from underpaint.imagefiles.rule import read_image
from underpaint.predict import PredictConfig, Predictor
from underpaint.predict.tiles import tiles
from underpaint.workflows.run import Run

ROWS, COLUMNS = 2, 3
WHOLE = 4096
"""Pixels of a tile that holds any image of this measurement."""

Pair = tuple[NDArray[np.uint8], NDArray[np.uint8]]


def main() -> None:
    """Measure, print and write."""
    asked = _arguments()
    run, data = Run(asked.run), open_dataset(asked.data)
    names = data.split(asked.split)[: asked.images]
    rule = run.config.images.rule
    single = [(read_image(data.images[name], rule), data.mask(name).read(data.classes)) for name in names]
    found: dict[str, object] = {"crop": run.config.views.crop, "images": len(single), "split": asked.split}
    auto = PredictConfig().side_of(run.network().field)
    for what, pairs in (("photographs", single), ("mosaics", _mosaics(single))):
        for way, side in (("whole", WHOLE), (f"tiles of {auto} (default)", auto), ("tiles of 256", 256)):
            predictor = Predictor(run.network(), PredictConfig(engine="torch", tile=side))
            found[f"{what}, {way}"] = _measured(predictor, pairs, side, auto, len(data.classes))
            print(what, way, found[f"{what}, {way}"], flush=True)
    if asked.out is not None:
        asked.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("--split", default="val")
    parser.add_argument("--images", type=int, default=24)
    parser.add_argument("-o", "--out", type=Path)
    return parser.parse_args()


def _mosaics(pairs: list[Pair]) -> list[Pair]:
    """Mosaics of the photographs that have the commonest size."""
    sizes = [truth.shape for _, truth in pairs]
    common = max(set(sizes), key=sizes.count)
    alike = [pair for pair in pairs if pair[1].shape == common]
    each = ROWS * COLUMNS
    groups = [alike[start : start + each] for start in range(0, len(alike) - each + 1, each)]
    return [(_joined([rgb for rgb, _ in group]), _joined([truth for _, truth in group])) for group in groups]


def _joined(parts: list[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    rows = [np.concatenate(parts[row * COLUMNS : (row + 1) * COLUMNS], axis=1) for row in range(ROWS)]
    return np.concatenate(rows)


def _measured(predictor: Predictor, pairs: list[Pair], side: int, auto: int, classes: int) -> dict[str, float | None]:
    counts = np.zeros((classes, classes), np.int64)
    seams: list[float] = []
    others: list[float] = []
    for rgb, truth in pairs:
        index = predictor.index(rgb)
        counts += confusion(truth, index, classes)
        changes = (index[:, 1:] != index[:, :-1]).mean(axis=0)  # at column x: changes[x - 1]
        lines = _meetings((rgb.shape[0], rgb.shape[1]), auto if side == WHOLE else side)
        seams += [float(changes[x - 1]) for x in lines]
        others += [float(change) for x, change in enumerate(changes, start=1) if x not in lines]
    at_seams = round(float(np.mean(seams)), 4) if seams else None
    return {
        "miou": round(scores(counts).miou, 2),
        "changes_where_tiles_meet": at_seams,
        "changes_elsewhere": round(float(np.mean(others)), 4),
    }


def _meetings(size: tuple[int, int], side: int) -> set[int]:
    """Columns at which tiles of a side meet."""
    return {each.kept[2] for each in tiles(size, tile=side, overlap=PredictConfig().overlap)} - {0}


if __name__ == "__main__":
    main()
