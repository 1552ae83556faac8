"""Simulates clicks from a mask, with the statistics of clicks that people made on PASCAL VOC."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np

from underpaint.core.classes import ClassTable
from underpaint.core.errors import ConfigError
from underpaint.core.rng import generator
from underpaint.hints.types import Click, Hints
from underpaint.simulate.effort import USUAL
from underpaint.simulate.regions import Mask, Region, complete_tags, find_regions

OBJECT_PULL = 4.6
"""How much clicks tend to the middle of an object. The pixels of a region are sorted by their distance from
its border; a click lies at the fraction ``u ** (1 / pull)`` of them with u uniform, so that a pull of 1 is uniform. The
5, 25, 50, 75 and 95 % quantiles of this fraction are .39, .73, .86, .94, .99 for the clicks of What's the Point on 244
images of animals, and .52, .74, .86, .94, .99 with a pull of 4.6."""

BACKGROUND_PULL = 1.7
"""The same for the background clicks of these images. Their quantiles are .14, .45, .66, .81, .96; with a pull of 1.7
they are .17, .44, .66, .84, .97."""

BACKGROUND_CLICKS = 2
"""Number of clicks on the largest background region. With it, images have 2.5 background clicks on average; people make
2.6, most often 2."""


def simulate_clicks(mask: Mask, classes: ClassTable, *, image: str, seed: int, budget: float = 1.0) -> Hints:
    """Click once on every region of a mask, and twice on the largest background region.

    People click near the middle of objects, see `OBJECT_PULL`. Simulated clicks are centres of pixels of their class,
    so that all of them are correct, while about 6 % of real clicks are not. Tags are complete, as in What's the Point.

    Args:
        mask: (H, W) class indices, 255 for void.
        classes: The table of the indices. Without a background class every region gets one click.
        image: Name of the image; the clicks depend only on the name, the seed and the mask.
        seed: Any whole number.
        budget: Factor on the number of clicks of each region, at least 1; the fraction of a click is the probability of
            one more click. The clicks of a smaller budget come first.

    Raises:
        DataError: The mask has another shape or type, or an index outside the table.
        ConfigError: The budget is below 1.
    """
    if not budget >= 1 or not np.isfinite(budget):
        raise ConfigError(f"budget {budget}", where="simulate_clicks", accepted="1 or more")
    regions = find_regions(mask, classes, image=image)
    ground = max((r.area for r in regions if r.label == classes.background), default=0)
    first: list[Click] = []
    more: list[Click] = []
    for number, region in enumerate(regions):
        rng = generator(seed, "clicks", image, number)
        twice = region.label == classes.background and region.area == ground
        count = BACKGROUND_CLICKS if twice else 1
        wanted = budget * count
        wanted = int(wanted) + int(generator(seed, "more clicks", image, number).random() < wanted % 1)
        made = list(_clicks(region, wanted, classes, rng))
        first += made[:count]
        more += made[count:]
    clicks = (*first, *more)
    by_class = Counter(click.name for click in clicks)
    return Hints(
        image=image,
        size=(mask.shape[0], mask.shape[1]),
        shapes=clicks,
        tags=complete_tags(mask, classes),
        source=f"simulated clicks, seed {seed}, budget {budget:g}",
        seconds=USUAL.clicks(len(classes.foreground), sorted(by_class.values())),
    )


def _clicks(region: Region, count: int, classes: ClassTable, rng: np.random.Generator) -> Iterator[Click]:
    """Up to ``count`` clicks on different pixels of a region."""
    pull = BACKGROUND_PULL if region.label == classes.background else OBJECT_PULL
    rows, columns = np.nonzero(region.inside)
    order = np.argsort(region.depth()[rows, columns], kind="stable")
    places = (rng.random(count) ** (1 / pull) * len(order)).astype(int)
    for place in dict.fromkeys(places.tolist()):
        row, column = rows[order[place]], columns[order[place]]
        yield Click(classes.names[region.label], region.column + float(column) + 0.5, region.row + float(row) + 0.5)
