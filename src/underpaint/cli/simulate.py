"""``underpaint simulate``."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

import underpaint


class Simulated(StrEnum):
    """Kinds of hints that can be simulated from masks."""

    SCRIBBLES = "scribbles"
    CLICKS = "clicks"
    BOXES = "boxes"
    TAGS = "tags"
    MIXTURE = "mixture"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(simulate)


def simulate(
    data: Annotated[Path, typer.Argument(help="Data set with masks.")],
    kind: Annotated[Simulated, typer.Option(help="Kind of the hints.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="JSON Lines file to write.")],
    split: Annotated[
        str | None,
        typer.Option(help="Split; join several with +. Default: train, or all images if there are no split lists."),
    ] = None,
    rest: Annotated[
        str | None, typer.Option(help="Class of all pixels without an annotation, if annotated areas replace masks.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of all random choices.")] = 0,
    budget: Annotated[float, typer.Option(min=0, help="Factor on the number of labelled pixels.")] = 1.0,
    jobs: Annotated[int, typer.Option(min=1, help="Number of processes; the hints do not depend on it.")] = 1,
) -> None:
    """Simulate the hints of a person from full masks."""
    hints = underpaint.simulate(data, out, kind=kind.value, split=split, seed=seed, budget=budget, rest=rest, jobs=jobs)
    typer.echo(f"{kind.value} of {len(hints)} images in {out}")
