"""Chooses the method for `--method auto`, with a reason for the user."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from underpaint.core.config import Settings
from underpaint.hints.types import Hints, Kind

LEARNT = {
    Kind.MASK: "every labelled pixel teaches its class",
    Kind.SCRIBBLE: "the pixels under the strokes teach their class",
    Kind.CLICK: "the pixels clicked on teach their class",
    Kind.BOX: "a pixel in a box has its class or the background, a pixel outside all boxes has no class of a box",
    Kind.TAG: "and no other hints: left out, because beside other hints they lower the quality (tagged=true uses them)",
}
"""What a network learns from each kind of hint in a mixture, for messages."""


@dataclass(frozen=True)
class Choice:
    """The method that was chosen for the hints.

    Args:
        method: Name of the method in the registry.
        why: The reason for the choice.
        learnt: What the network learns from each kind of hint; empty for methods that learn from one kind.
        settings: Settings of the method that differ from its defaults for these hints.
    """

    method: str
    why: str
    learnt: Mapping[Kind, str] = field(default_factory=dict)
    settings: Settings = field(default_factory=dict)


def main_kinds(hints: Iterable[Hints]) -> dict[Kind, int]:
    """Number of images with each kind of hint; tags count only for images without other hints."""
    every = [kind for hint in hints for kind in hint.kinds() - {Kind.TAG} or hint.kinds()]
    return {kind: every.count(kind) for kind in Kind if kind in every}


def choose(kinds: Mapping[Kind, int], *, background: bool) -> Choice:
    """Choose the method for these kinds of hints: the best one that `underpaint gap` measured (docs/results.md).

    Args:
        kinds: Number of images with each kind, as `main_kinds` counts them.
        background: Whether the class table has a background class. Tags do not name this class.
    """
    given = frozenset(kinds)
    if given == {Kind.MASK}:
        return Choice("supervised", "all images have masks")
    if given == {Kind.TAG}:
        why = "the only hints are image tags: a classifier finds where the classes are"
        if not background:
            return Choice("cam", f"{why}; without a background class, its activation maps were the best labels")
        return Choice(
            "sc-cam", f"{why}, and pixel affinities separate them from the background", settings={"rounds": 0}
        )
    if given <= {Kind.BOX, Kind.MASK}:
        why = "boxes do not show which of their pixels belong to the object"
        settings: Settings = {} if Kind.MASK in given else {"projection_weight": 0.1, "pairwise_weight": 0.1}
        return Choice("box-uncertainty", f"{why}; {_with_boxes(given)}", LEARNT, settings)
    if given == {Kind.CLICK}:
        why = "a few pixels are labelled in each image: soft labels from a CRF take them to the borders of the objects"
        return Choice("gated-crf", why)
    why = "a first model learns the hints and labels all images; a network learns these labels"
    settings = shared_settings(kinds)
    if settings:
        why = f"{why}; every image has the same weight, but images with few clicks are drawn less often"
    if Kind.BOX in given:
        settings["baseline"] = "box-uncertainty"
        why = f"{why}; in boxes {_with_boxes(given)}"
    return Choice("local-global", why, LEARNT, settings)


def shared_settings(kinds: Iterable[Kind]) -> Settings:
    """Settings for mixtures, used for every method that has them, so that all rows of a comparison weight images alike.

    A mask labels a thousand times as many pixels as a click, so in mixtures every image has the same weight.
    """
    given = frozenset(kinds) - {Kind.TAG}
    return {"balance": "images"} if len(given) > 1 and not given <= {Kind.BOX, Kind.MASK} else {}


def _with_boxes(given: frozenset[Kind]) -> str:
    if given == {Kind.BOX}:
        return "colours and the sides of the boxes separate objects from background"
    return (
        f"the network learns from the {'masks' if Kind.MASK in given else 'other hints'} how reliable their labels are"
    )


def counted(kinds: Mapping[Kind, int], choice: Choice) -> list[str]:
    """A line for every kind of hint: the number of images with it, and what the network learns from it."""
    said = {kind: f": {choice.learnt[kind]}" if kind in choice.learnt else "" for kind in kinds}
    return [f"{count} image(s) with {kind.value}{said[kind]}" for kind, count in kinds.items()]
