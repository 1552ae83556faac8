"""From full masks to the hints that a person might have given."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from underpaint.annotations.jsonl import hints_bytes
from underpaint.core.outputs import write_new
from underpaint.datasets.areas import open_with_truth, require_truth
from underpaint.hints.types import Kind
from underpaint.simulate.run import simulate as simulate_hints


def simulate(
    data: Path,
    out: Path,
    *,
    kind: str,
    split: str | None = None,
    seed: int = 0,
    budget: float = 1.0,
    rest: str | None = None,
) -> int:
    """Write simulated hints of a split's images to a JSON Lines file.

    Args:
        data: Data-set folder with masks, or with annotated areas in their place.
        out: The file; one that is there already with another content is never replaced.
        kind: scribbles, clicks, boxes, tags or mixture.
        split: Split, or several joined with '+'; None for the one that a training takes by itself.
        seed: Of every choice; a function of it and the image's name alone.
        budget: Multiplies the labelled pixels, with the balance of the classes kept.
        rest: Class of what no annotation covers, where areas take the place of masks.

    Returns:
        Number of images.

    Raises:
        DataError: there is another file under this name, or masks are missing.
    """
    opened = open_with_truth(data, rest=rest)
    chosen: Kind | Literal["mixture"] = "mixture" if kind == "mixture" else Kind(kind)
    names = split or opened.learning_split()
    require_truth(opened, opened.split(names))
    hints = list(simulate_hints(opened, names, chosen, seed=seed, budget=budget))
    write_new(out, hints_bytes(out, hints))
    return len(hints)
