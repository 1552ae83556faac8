"""Where the next stroke helps most: strokes and a person's seconds to a share of dense supervision, by strategy.

    python -m benchmarks.next_stroke DATA --seeds 0,1,2 -o benchmarks/results/next-stroke-NAME.json

A pool of photographs of ``--split`` gets strokes in rounds of four; the quick model is fitted again after each round. A
stroke is drawn by `underpaint.simulate` in the true region at the place that the strategy asks for. Scored are the pool
and unseen photographs of ``--test``, at the centres of the model's cells. Dense supervision is the same model, fitted
on `DENSE` labelled pixels of every photograph of the pool. A person needs `STROKE` seconds for a stroke and `CHANGE`
more where it is in another photograph than the one before.

Strategies: ``next`` as `underpaint next` has it (the most uncertain places, every fourth at random); ``uncertain``
without the random ones; ``random places``; ``random photographs``, each at its largest error; ``photograph by
photograph``, a stroke on every region; ``oracle``, the largest errors of the pool. The last three know the truth.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from benchmarks.reports import origin, write
from numpy.typing import NDArray
from scipy import ndimage

from underpaint.core.classes import VOID, ClassTable
from underpaint.core.rng import generator
from underpaint.datasets.folder import DataFolder
from underpaint.datasets.open import open_dataset
from underpaint.evaluation.confusion import confusion, scores
from underpaint.features.bank import FeatureBank, ImageFeatures
from underpaint.features.linear import PENALTY, STEPS, LinearModel, fit_linear
from underpaint.features.pixels import DENSITY
from underpaint.features.store import usual_store
from underpaint.features.uncertainty import SPREAD, Spot, Uncertainty
from underpaint.hints.rasterise import stroke_pixels
from underpaint.imagefiles.images import image_size, read_rgb
from underpaint.methods.registry import make_method
from underpaint.models.config import ModelConfig
from underpaint.models.linear import LinearHead
from underpaint.predict.hinted import LinearMasks
from underpaint.simulate.regions import Region, find_regions
from underpaint.simulate.scribbles import LENGTH, SHORT
from underpaint.simulate.strokes import Sketch
from underpaint.workflows.next import Place, choose_places

Mask = NDArray[np.uint8]
Figures = dict[str, object]

ROUND = 4
REACH = 6
"""A stroke keeps within the longer side divided by this of its place: a person marks what is asked about."""

STROKE, CHANGE = 3.0, 1.5
SHARES = (0.85, 0.90, 0.95)
DENSE = 500
WARM = 25
"""Iterations of a fit that starts from the model of the round before."""

LOOK = 2
"""Rounds between two scorings."""


@dataclass
class Photograph:
    """A photograph with its truth, on pixels and at the centres of the model's cells."""

    name: str
    truth: Mask
    features: ImageFeatures
    marked: NDArray[np.bool_] = field(init=False)
    cells: Mask = field(init=False)

    def __post_init__(self) -> None:
        self.clear()
        grid, padded = self.features.levels[0].shape[1:], self.features.padded
        rows, columns = (((np.arange(n) + 0.5) * side / n).astype(int) for n, side in zip(grid, padded, strict=True))
        inside = np.ix_(rows[rows < self.truth.shape[0]], columns[columns < self.truth.shape[1]])
        self.cells = np.ascontiguousarray(self.truth[inside])

    @property
    def channels(self) -> list[int]:
        """Of every level of the features."""
        return [level.shape[0] for level in self.features.levels]

    def clear(self) -> None:
        """Without marks."""
        self.marked = np.zeros(self.truth.shape, bool)

    def pixel(self, row: int, column: int) -> tuple[int, int]:
        """The pixel at the centre of a cell."""
        grid, padded = self.features.levels[0].shape[1:], self.features.padded
        at = [int((cell + 0.5) * side / n) for cell, n, side in zip((row, column), grid, padded, strict=True)]
        return min(at[0], self.truth.shape[0] - 1), min(at[1], self.truth.shape[1] - 1)


@dataclass
class Session:
    """One person with one strategy: the pool, the strokes so far, and the model of them.

    Args:
        pool: Photographs that get strokes.
        table: The classes.
        penalty: Of the fits, (F,).
        rng: Of strokes and draws.
    """

    pool: Sequence[Photograph]
    table: ClassTable
    penalty: NDArray[np.float64]
    rng: np.random.Generator
    model: LinearModel | None = None
    rows: list[NDArray[np.float16]] = field(default_factory=list)
    labels: list[NDArray[np.intp]] = field(default_factory=list)
    seconds: float = 0.0
    last: int = -1
    passed: int = 0
    touched: set[int] = field(default_factory=set)

    def draw(self, number: int, row: int, column: int) -> None:
        """A stroke at a place of a photograph. Where all is void around, the person passes, and is not asked again."""
        photograph = self.pool[number]
        photograph.marked[row, column] = True
        self.seconds += CHANGE * (number != self.last)
        self.last = number
        asked = (row, column)
        row, column = _nearest_labelled(photograph.truth, row, column)
        if np.hypot(row - asked[0], column - asked[1]) > SPREAD * max(photograph.truth.shape):
            self.passed += 1
            return
        label = int(photograph.truth[row, column])
        sketch = Sketch(_around(photograph.truth, row, column), self.rng)
        line = sketch.stroke(max(SHORT, LENGTH * np.sqrt(sketch.region.area)))
        size = (photograph.truth.shape[0], photograph.truth.shape[1])
        pixels = stroke_pixels(sketch.dot() if line is None else line, sketch.pen, size)
        photograph.marked[pixels] = True
        count = len(pixels[0])
        some = self.rng.choice(count, min(count, int(np.ceil(DENSITY * np.sqrt(count)))), replace=False)
        self.rows.append(photograph.features.columns(*(axis[some].astype(np.intp) for axis in pixels)))
        self.labels.append(np.full(len(some), label))
        self.seconds += STROKE
        self.touched.add(number)

    def fit(self) -> None:
        """Fit on all strokes, from the model of the round before."""
        labels = np.concatenate(self.labels or [np.empty(0, np.intp)])
        if len(np.unique(labels)) > 1:
            steps = STEPS if self.model is None else WARM
            sets = np.eye(len(self.table), dtype=bool)
            columns = np.concatenate(self.rows)
            self.model = fit_linear(columns, sets, labels, penalty=self.penalty, start=self.model, steps=steps)

    def uncertainties(self) -> list[Uncertainty]:
        """Of every photograph of the pool."""
        assert self.model is not None
        masks = masks_of(self.model, self.pool[0].channels)
        learned = np.flatnonzero(masks.learned)
        found = []
        for photograph in self.pool:
            size = (photograph.truth.shape[0], photograph.truth.shape[1])
            given = masks.scores(photograph.features)
            padded = photograph.features.padded
            found.append(Uncertainty.of(given, learned, padded=padded, seen=size, marked=photograph.marked))
        return found

    def errors(self, number: int) -> tuple[int, int, int]:
        """Cells of a photograph's largest error, and row and column of its deepest cell."""
        photograph = self.pool[number]
        found = np.full(photograph.cells.shape, VOID) if self.model is None else labelled(self.model, photograph)
        wrong = (found != photograph.cells) & (photograph.cells != VOID)
        best = (0, 0, 0)
        for label in np.unique(photograph.cells[wrong]):
            parts, count = ndimage.label(wrong & (photograph.cells == label))
            if count:
                areas = np.bincount(parts.ravel())[1:]
                if areas.max() > best[0]:
                    deep = ndimage.distance_transform_edt(np.pad(parts == areas.argmax() + 1, 1))[1:-1, 1:-1]
                    row, column = np.unravel_index(int(deep.argmax()), deep.shape)
                    best = (int(areas.max()), int(row), int(column))
        return best


At = tuple[int, int, int]
"""Number of a photograph, row and column of a pixel."""


def _at(session: Session, number: int, cell: tuple[int, int]) -> At:
    return (number, *session.pool[number].pixel(*cell))


def random_places(session: Session) -> Iterator[list[At]]:
    """Any pixels of any photographs."""
    while True:
        numbers = session.rng.integers(len(session.pool), size=ROUND)
        yield [_anywhere(session, int(n)) for n in numbers]


def _anywhere(session: Session, number: int) -> At:
    height, width = session.pool[number].truth.shape
    return number, int(session.rng.integers(height)), int(session.rng.integers(width))


def random_photographs(session: Session) -> Iterator[list[At]]:
    """The largest errors of photographs drawn at random."""
    while True:
        numbers = session.rng.choice(len(session.pool), ROUND, replace=False)
        yield [_at(session, int(n), session.errors(int(n))[1:]) for n in numbers]


def photograph_by_photograph(session: Session) -> Iterator[list[At]]:
    """Every region of one photograph, then those of the next; from the first again where strokes are left."""
    waiting: list[At] = []
    while True:
        for number, photograph in enumerate(session.pool):
            for region in find_regions(photograph.truth, session.table, image=photograph.name):
                depth = region.depth()
                row, column = np.unravel_index(int(depth.argmax()), depth.shape)
                waiting.append((number, region.row + int(row), region.column + int(column)))
                if len(waiting) == ROUND:
                    yield waiting
                    waiting = []


def oracle(session: Session) -> Iterator[list[At]]:
    """The largest errors of the pool, one a photograph."""
    while True:
        errors = [(session.errors(number), number) for number in range(len(session.pool))]
        largest = sorted(errors, key=lambda pair: (-pair[0][0], pair[1]))[:ROUND]
        yield [_at(session, number, found[1:]) for found, number in largest]


def uncertain(session: Session, *, mixed: bool = False) -> Iterator[list[At]]:
    """The most uncertain places, one a photograph; with ``mixed`` every fourth at random, as in `underpaint next`."""
    first = random_places(session)
    while True:
        if session.model is None:
            yield next(first)
            continue
        uncertainties = session.uncertainties()
        best = [_place(n, spot, drawn=False) for n, d in enumerate(uncertainties) if (spot := d.best()) is not None]
        order = session.rng.permutation(len(uncertainties)) if mixed else ()
        drawn = [
            _place(n, spot, drawn=True) for n in order if (spot := uncertainties[n].at_random(session.rng)) is not None
        ]
        asked = choose_places(best, drawn, ROUND)
        yield [_pixel(session, place) for place in asked] or next(first)


def _place(number: int, spot: Spot, *, drawn: bool) -> Place:
    return Place(f"{number:06d}", spot.x, spot.y, 0.0, spot.uncertainty, None, None, drawn)


def _pixel(session: Session, place: Place) -> At:
    number = int(place.image)
    height, width = session.pool[number].truth.shape
    return number, min(int(place.y * height), height - 1), min(int(place.x * width), width - 1)


STRATEGIES: dict[str, Callable[[Session], Iterator[list[At]]]] = {
    "next": lambda session: uncertain(session, mixed=True),
    "random photographs": random_photographs,
    "random places": random_places,
    "photograph by photograph": photograph_by_photograph,
    "uncertain": uncertain,
    "oracle": oracle,
}


def main() -> None:
    """Measure, print and write after every strategy."""
    asked = _arguments()
    torch.set_num_threads(1)
    data = open_dataset(asked.data)
    report: Figures = {
        **origin(),
        "pool": f"{asked.pool} photographs of {asked.split}",
        "unseen": f"{asked.unseen} photographs of {asked.test}",
        "a person's seconds": f"{STROKE:g} a stroke, {CHANGE:g} a change of photograph",
        "rows": [],
    }
    for seed in map(int, asked.seeds.split(",")):
        order = generator(seed, "pool").permutation(len(data.split(asked.split)))
        names = [data.split(asked.split)[i] for i in order[: asked.pool]]
        bank = _bank(data, names)
        pool, unseen = (_photographs(data, some, bank) for some in (names, data.split(asked.test)[: asked.unseen]))
        penalty = PENALTY * bank.penalties
        dense = _dense(pool, len(data.classes), penalty, seed)
        top = (miou(dense, pool, len(data.classes)), miou(dense, unseen, len(data.classes)))
        print(f"seed {seed}, dense: {top[0]:.1f} pool, {top[1]:.1f} unseen", flush=True)
        for name in asked.strategies.split(","):
            strategy = STRATEGIES[name]
            row = _measured(strategy, pool, unseen, top, data.classes, penalty, seed, asked.strokes)
            row = {"row": f"{name}, seed {seed}", "strategy": name, "seed": seed, **row}
            print({key: value for key, value in row.items() if key != "curve"}, flush=True)
            assert isinstance(report["rows"], list)
            report["rows"].append(row)
            write(report, asked.out)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--split", default="train")
    parser.add_argument("--test", default="val")
    parser.add_argument("--pool", type=int, default=40)
    parser.add_argument("--unseen", type=int, default=59)
    parser.add_argument("--strokes", type=int, default=240)
    parser.add_argument("--seeds", default="0")
    parser.add_argument("--strategies", default=",".join(STRATEGIES))
    parser.add_argument("-o", "--out", type=Path)
    return parser.parse_args()


def _bank(data: DataFolder, names: Sequence[str]) -> FeatureBank:
    sides = [max(image_size(data.images[name])) for name in names]
    config = make_method("quick", {}, data.classes).network(ModelConfig(), float(np.median(sides)))
    return FeatureBank.frozen(config, usual_store())


def _photographs(data: DataFolder, names: Sequence[str], bank: FeatureBank) -> list[Photograph]:
    truths = [data.mask(name).read(data.classes) for name in names]
    pictures = (read_rgb(data.images[name]) for name in names)
    return [Photograph(*made) for made in zip(names, truths, bank.stream(pictures), strict=True)]


def _dense(pool: Sequence[Photograph], classes: int, penalty: NDArray[np.float64], seed: int) -> LinearModel:
    """Fitted on labelled pixels drawn all over the photographs."""
    rng, rows, labels = generator(seed, "dense"), [], []
    for photograph in pool:
        places = np.argwhere(photograph.truth != VOID)
        some = places[rng.choice(len(places), min(DENSE, len(places)), replace=False)]
        rows.append(photograph.features.columns(some[:, 0], some[:, 1]))
        labels.append(photograph.truth[some[:, 0], some[:, 1]].astype(np.intp))
    return fit_linear(np.concatenate(rows), np.eye(classes, dtype=bool), np.concatenate(labels), penalty=penalty)


def _measured(
    strategy: Callable[[Session], Iterator[list[At]]],
    pool: Sequence[Photograph],
    unseen: Sequence[Photograph],
    top: tuple[float, float],
    table: ClassTable,
    penalty: NDArray[np.float64],
    seed: int,
    strokes: int,
) -> Figures:
    for photograph in pool:
        photograph.clear()
    began = time.process_time()
    classes = len(table)
    session = Session(pool, table, penalty, generator(seed, "strokes"))
    curve: list[tuple[int, float, float, float]] = []
    for number, places in enumerate(strategy(session), start=1):
        for place in places:
            session.draw(*place)
        session.fit()
        drawn = len(session.labels)
        if (number % LOOK == 0 or drawn >= strokes) and session.model is not None:
            found = (miou(session.model, pool, classes), miou(session.model, unseen, classes))
            curve.append((drawn, session.seconds, round(found[0], 1), round(found[1], 1)))
        if drawn >= strokes:
            break
    return {
        "dense_pool": round(top[0], 1),
        "dense_unseen": round(top[1], 1),
        **{
            f"{what}_{share:.0%}": _reached(curve, place, share * full)
            for place, (what, full) in enumerate(zip(("pool", "unseen"), top, strict=True), start=2)
            for share in SHARES
        },
        "mean_pool": round(float(np.mean([point[2] for point in curve])), 1),
        "mean_unseen": round(float(np.mean([point[3] for point in curve])), 1),
        "passed": session.passed,
        "touched": round(len(session.touched) / len(pool), 2),
        "cpu_seconds": round(time.process_time() - began, 1),
        "curve": curve,
    }


def _reached(curve: Sequence[tuple[int, float, float, float]], place: int, least: float) -> Figures | None:
    """Strokes and seconds of the first scoring that reaches a value; None where none does."""
    for point in curve:
        if point[place] >= least:
            return {"strokes": point[0], "seconds": point[1]}
    return None


def masks_of(model: LinearModel, channels: Sequence[int]) -> LinearMasks:
    """The model as a decoder of features."""
    head = LinearHead(channels, len(model.bias))
    head.set_weights(torch.from_numpy(model.weight), torch.from_numpy(model.bias))
    return LinearMasks(head, None)


def labelled(model: LinearModel, photograph: Photograph) -> Mask:
    """Most probable class of every cell inside the photograph."""
    found = masks_of(model, photograph.channels).scores(photograph.features).argmax(0).to(torch.uint8).numpy()
    return np.ascontiguousarray(found[: photograph.cells.shape[0], : photograph.cells.shape[1]])


def miou(model: LinearModel, photographs: Sequence[Photograph], classes: int) -> float:
    """Over all photographs together."""
    counts = sum(confusion(p.cells, labelled(model, p), classes) for p in photographs)
    return scores(np.asarray(counts)).miou


def _nearest_labelled(truth: Mask, row: int, column: int) -> tuple[int, int]:
    if truth[row, column] != VOID:
        return row, column
    rows, columns = ndimage.distance_transform_edt(truth == VOID, return_distances=False, return_indices=True)
    return int(rows[row, column]), int(columns[row, column])


def _around(truth: Mask, row: int, column: int) -> Region:
    """The part of the true region that lies around a pixel."""
    rows, columns = np.ogrid[: truth.shape[0], : truth.shape[1]]
    near = (rows - row) ** 2 + (columns - column) ** 2 <= (max(truth.shape) / REACH) ** 2
    parts, _ = ndimage.label(near & (truth == truth[row, column]), structure=np.ones((3, 3)))
    inside = parts == parts[row, column]
    box = ndimage.find_objects(inside.astype(np.uint8))[0]
    label = int(truth[row, column])
    return Region(label, inside[box], box[0].start, box[1].start, int(inside.sum()), marked=True)


if __name__ == "__main__":
    main()
