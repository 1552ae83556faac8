"""Simulates scribbles from a mask, with the statistics of scribbles that people draw."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from underpaint.core.classes import ClassTable
from underpaint.core.errors import ConfigError
from underpaint.core.rng import generator
from underpaint.hints.types import Hints, Point, Scribble
from underpaint.simulate.effort import USUAL
from underpaint.simulate.regions import Flags, Mask, Region, complete_tags, find_regions, present
from underpaint.simulate.strokes import FINE_PEN, PEN, Line, Sketch

LENGTH = 1.5
"""Total length of the strokes of a region, divided by the square root of its area. In four images of ScribbleSup (500
pixels) it is 1.7 to 2.6 on objects and 2.4 to 3.9 on background, and a pen of 3 pixels labels 2.2 to 3.3 % of the
pixels. In images of 320 pixels the same pen is relatively thicker; 1.5 labels 1 to 3 % of their pixels."""

SPREAD = 0.25
"""Standard deviation of the logarithm of that length from region to region."""

MOST_STROKES = 4
"""Number of strokes of a large region with a budget of 1."""

LONG = 300.0
"""Total length in pixels at which a region gets `MOST_STROKES` strokes; each is then about as long as a large object.
"""

SHORT = 12.0
"""Least intended length of a stroke in pixels, four times the pen; in a small region strokes may be shorter."""

PATIENCE = 3
"""Number of consecutive attempts without a new stroke after which a region counts as full and is hatched."""


def simulate_scribbles(mask: Mask, classes: ClassTable, *, image: str, seed: int, budget: float = 1.0) -> Hints:
    """Draw strokes on every region of a mask, like an annotator who marks each class.

    Every region above `regions.MIN_SHARE`, and the largest region of each class, gets one to four smooth strokes. They
    are 3 pixels wide (1 in thin regions), keep a distance from the border, lie completely inside the region, and never
    lie on void. Tags are complete, because such an annotator checks every class.

    Args:
        mask: (H, W) class indices, 255 for void.
        classes: The table of the indices.
        image: Name of the image; the strokes depend only on the name, the seed and the mask.
        seed: Any whole number.
        budget: Factor on the number of labelled pixels of each class, at least 1. It adds further strokes to those of
            budget 1, then hatching, up to the whole class (paper: Mayer et al. 2018 vary the annotation "respecting
            scribble statistics"; the procedure here is our own).

    Raises:
        DataError: The mask has another shape or type, or an index outside the table.
        ConfigError: The budget is below 1.
    """
    if not budget >= 1 or not np.isfinite(budget):
        raise ConfigError(f"budget {budget}", where="simulate_scribbles", accepted="1 or more")
    regions = find_regions(mask, classes, image=image)
    drawings = [_draw(region, generator(seed, "scribbles", image, number)) for number, region in enumerate(regions)]
    strokes = [stroke for drawing in drawings for stroke in drawing.scribbles(classes)]
    if budget > 1:
        rng = generator(seed, "more scribbles", image)
        for label in present(mask):
            mine = [drawing for drawing in drawings if drawing.sketch.region.label == label]
            strokes += _draw_more(mask == label, mine, classes, rng, budget=budget)
    outlining = USUAL.masks(len(classes.foreground), len(regions))
    drawing = USUAL.scribbles(len(classes.foreground), len(present(mask)), budget=budget)
    return Hints(
        image=image,
        size=(mask.shape[0], mask.shape[1]),
        shapes=tuple(strokes),
        tags=complete_tags(mask, classes),
        source=f"simulated scribbles, seed {seed}, budget {budget:g}",
        seconds=min(drawing, outlining),  # if drawing takes longer than outlining, people outline instead
    )


@dataclass
class _Drawing:
    """A region, and the lines on it that have not been returned as scribbles yet."""

    sketch: Sketch
    length: float
    lines: list[Line]

    def scribbles(self, classes: ClassTable) -> list[Scribble]:
        """The lines as hints; each line is returned only once."""
        name, lines = classes.names[self.sketch.region.label], self.lines
        self.lines = []
        return [Scribble(name, tuple((float(x), float(y)) for x, y in line), self.sketch.pen) for line in lines]


def _draw(region: Region, rng: np.random.Generator) -> _Drawing:
    """The strokes of budget 1 on one region."""
    sketch = Sketch(region, rng)
    total = LENGTH * np.sqrt(region.area) * np.exp(SPREAD * rng.standard_normal())
    count = 1 + int(rng.binomial(MOST_STROKES - 1, min(1.0, total / LONG)))
    count = min(count, max(1, int(total / SHORT)))
    # With a concentration of 4, the strokes of one region differ by a factor of about two, not ten.
    lengths = np.maximum(SHORT, total * rng.dirichlet(np.full(count, 4.0)))
    lines = [line for line in map(sketch.stroke, lengths) if line is not None]
    return _Drawing(sketch, total / count, lines or [sketch.dot()])


def _draw_more(
    inside: Flags, drawings: list[_Drawing], classes: ClassTable, rng: np.random.Generator, *, budget: float
) -> list[Scribble]:
    """Draw further strokes until the class has ``budget`` times as many labelled pixels, or is full."""
    strokes: list[Scribble] = []
    drawn = np.zeros_like(inside)
    wanted = 0
    for drawing in drawings:
        target = round(budget * drawing.sketch.labelled())
        wanted += target
        _fill(drawing, target, rng)
        strokes += drawing.scribbles(classes)
        drawing.sketch.paint(drawn)
    name = classes.names[drawings[0].sketch.region.label]
    return strokes + [Scribble(name, points, pen) for points, pen in hatch(inside, drawn, wanted, rng)]


def _fill(drawing: _Drawing, target: int, rng: np.random.Generator) -> None:
    """Draw smooth strokes until ``target`` pixels are labelled, or `PATIENCE` attempts in a row add none."""
    failures = 0
    while failures < PATIENCE and (missing := target - drawing.sketch.labelled()) >= drawing.sketch.pen:
        length = max(SHORT, drawing.length * np.exp(SPREAD * rng.standard_normal()))
        line = drawing.sketch.stroke(min(length, missing / drawing.sketch.pen))
        failures = failures + 1 if line is None else 0
        if line is not None:
            drawing.lines.append(line)


Hatch = tuple[tuple[Point, ...], float]
"""Two points (or one) and the pen width."""


def hatch(inside: Flags, drawn: Flags, target: int, rng: np.random.Generator) -> list[Hatch]:
    """Draw rows of strokes inside a class until ``target`` of its pixels are labelled, or all of them.

    Args:
        inside: (H, W) bool, the pixels of the class.
        drawn: (H, W) bool, the pixels that are labelled already; changed in place.
        target: Number of pixels to be labelled in total.
        rng: Random generator. The order of the rows is random, so that a part of them is spread over the class.
    """
    hatches: list[Hatch] = []
    missing = target - int(drawn.sum())
    for thickness in (int(PEN), int(FINE_PEN)):
        for top in rng.permutation(np.arange(0, inside.shape[0] - thickness + 1, thickness)):
            rows = slice(int(top), int(top) + thickness)
            columns: Flags = np.all(inside[rows], axis=0) & ~np.all(drawn[rows], axis=0)
            for first, last in _runs(columns, thickness):
                if missing <= 0:
                    return hatches
                last = min(last, first + max(thickness, -(-missing // thickness)))
                missing -= int((~drawn[rows, first:last]).sum())
                drawn[rows, first:last] = True
                hatches.append((_row(first, last, int(top), thickness), float(thickness)))
    return hatches


def _runs(columns: Flags, least: int) -> Iterator[tuple[int, int]]:
    """Half-open ranges of consecutive columns that are set, of at least ``least`` columns."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], columns, [False]])))
    return ((int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True) if b - a >= least)


def _row(first: int, last: int, top: int, thickness: int) -> tuple[Point, ...]:
    """A line that labels exactly ``thickness`` rows from ``top`` and the columns ``first`` .. ``last`` - 1.

    A pen 3 wide labels the pixels whose centre is at most 1.5 away: one pixel beyond the line's ends, corners included
    (distance 1.41).
    """
    inset = thickness / 2
    y = top + thickness / 2
    ends = ((first + inset, y), (last - inset, y))
    return ends if ends[0] != ends[1] else ends[:1]
