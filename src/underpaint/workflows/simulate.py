"""Simulates hints from full masks."""

from __future__ import annotations

from typing import Literal

from underpaint.annotations.jsonl import hints_bytes
from underpaint.core.errors import ConfigError
from underpaint.core.outputs import write_new
from underpaint.core.paths import AnyPath, as_path
from underpaint.datasets.areas import open_with_truth, require_truth
from underpaint.hints.types import Hints, Kind
from underpaint.simulate.run import simulate as simulate_hints

KINDS = (*(kind.value for kind in Kind), "mixture")


def simulate(
    data: AnyPath,
    out: AnyPath | None = None,
    *,
    kind: str,
    split: str | None = None,
    seed: int = 0,
    budget: float = 1.0,
    rest: str | None = None,
    jobs: int = 1,
) -> dict[str, Hints]:
    """Simulate hints on the images of a split from their masks.

    Args:
        data: Data-set folder with masks or with annotated areas.
        out: JSON Lines file to write. An existing file with other content is never replaced. None writes no file.
        kind: scribbles, clicks, boxes, tags or mixture.
        split: Split, or several joined with '+'. None means the default split of a training.
        seed: Seed of all random choices; the hints of an image depend only on it, the image's name and its mask.
        budget: Factor on the number of labelled pixels of each class, at least 1.
        rest: Class of all pixels without an annotation, if annotated areas replace masks.
        jobs: Number of processes; the hints do not depend on it.

    Returns:
        Hints by image name, in pixel coordinates. They can be given to `underpaint.train`.

    Raises:
        ConfigError: The kind is unknown.
        DataError: ``out`` exists with other content, or masks are missing.

    Example:
        >>> hints = underpaint.simulate("scenes", kind="clicks")  # doctest: +SKIP
        >>> run = underpaint.train("scenes", "run", hints=hints)  # doctest: +SKIP
    """
    if kind not in KINDS:
        raise ConfigError(f"unknown kind of hints: {kind!r}", where="kind", accepted=", ".join(KINDS))
    opened = open_with_truth(as_path(data, "data"), rest=rest)
    chosen: Kind | Literal["mixture"] = "mixture" if kind == "mixture" else Kind(kind)
    names = split or opened.learning_split()
    require_truth(opened, opened.split(names))
    hints = list(simulate_hints(opened, names, chosen, seed=seed, budget=budget, workers=jobs))
    if out is not None:
        path = as_path(out, "out")
        write_new(path, hints_bytes(path, hints))
    return {hint.image: hint for hint in hints}
