"""Simulates a mixture of hints, in which each image has its own kind of hint."""

from __future__ import annotations

import math
from collections.abc import Mapping

from underpaint.core.classes import ClassTable
from underpaint.core.errors import ConfigError
from underpaint.core.rng import generator
from underpaint.hints.types import Hints, Kind
from underpaint.simulate.boxes import simulate_boxes
from underpaint.simulate.clicks import simulate_clicks
from underpaint.simulate.effort import USUAL
from underpaint.simulate.regions import Mask, check_mask, complete_tags, find_regions
from underpaint.simulate.scribbles import simulate_scribbles

EQUAL_PARTS: Mapping[Kind, float] = {Kind.SCRIBBLE: 0.25, Kind.CLICK: 0.25, Kind.BOX: 0.25, Kind.TAG: 0.25}
"""The default mixture: equal shares of the four weak kinds."""


def simulate_kind(
    mask: Mask, classes: ClassTable, *, kind: Kind, image: str, seed: int, budget: float = 1.0, mask_file: str = ""
) -> Hints:
    """Hints of one kind from a mask; see `simulate_scribbles` and the functions for the other kinds.

    Args:
        mask: (H, W) class indices, 255 for void.
        classes: The table of the indices.
        kind: Kind of hint; `Kind.MASK` refers to the mask itself.
        image: Name of the image.
        seed: Any whole number.
        budget: Factor on the amount of scribbles or clicks; 1 for the other kinds.
        mask_file: Path of the mask file relative to the data set, for `Kind.MASK`.

    Raises:
        ConfigError: The budget is below 1, or it is not 1 for boxes, tags and masks, which cannot be increased.
    """
    if kind is Kind.SCRIBBLE:
        return simulate_scribbles(mask, classes, image=image, seed=seed, budget=budget)
    if kind is Kind.CLICK:
        return simulate_clicks(mask, classes, image=image, seed=seed, budget=budget)
    if budget != 1:
        accepted = "1; other budgets are defined only for scribbles and clicks"
        raise ConfigError(f"budget {budget:g} with {kind.value}", accepted=accepted)
    if kind is Kind.BOX:
        return simulate_boxes(mask, classes, image=image)
    if kind is Kind.TAG:
        return simulate_tags(mask, classes, image=image)
    things = {region.label for region in find_regions(mask, classes, image=image)} - {classes.background}
    seconds = USUAL.masks(len(classes.foreground), len(things))
    size = (mask.shape[0], mask.shape[1])
    return Hints(image=image, size=size, mask=mask_file, source="the data set's mask", seconds=seconds)


def simulate_tags(mask: Mask, classes: ClassTable, *, image: str) -> Hints:
    """Tag an image with every class in its mask, also if it has only a few pixels. Nothing is random.

    Args:
        mask: (H, W) class indices, 255 for void.
        classes: The table of the indices.
        image: Name of the image.

    Raises:
        DataError: The mask has another shape or type, or an index outside the table.
    """
    check_mask(mask, classes, image)
    return Hints(
        image=image,
        size=(mask.shape[0], mask.shape[1]),
        tags=complete_tags(mask, classes),
        source="simulated tags",
        seconds=USUAL.tags(len(classes.foreground)),
    )


def pick_kind(image: str, *, seed: int, fractions: Mapping[Kind, float]) -> Kind:
    """Draw the kind of hint of an image. It depends only on the image's name and the seed, not on other images.

    Args:
        image: Name of the image.
        seed: Any whole number.
        fractions: Expected share of each kind; they sum to 1.

    Raises:
        ConfigError: A share is below 0, or the sum is not 1.
    """
    shares = [fractions.get(kind, 0.0) for kind in Kind]
    if min(shares) < 0 or not math.isclose(sum(shares), 1.0, abs_tol=1e-6):
        given = ", ".join(f"{kind.value} {share:g}" for kind, share in fractions.items())
        raise ConfigError(f"the shares of the mixture are {given}", accepted="shares of 0 or more that sum to 1")
    draw = generator(seed, "mixture", image).random()
    kinds = [kind for kind, share in zip(Kind, shares, strict=True) if share > 0]
    for kind in kinds:
        draw -= fractions[kind]
        if draw < 0:
            return kind
    return kinds[-1]
