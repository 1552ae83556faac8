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
    """Add the verb."""
    app.command()(simulate)


def simulate(
    data: Annotated[Path, typer.Argument(help="Data set with masks.")],
    kind: Annotated[Simulated, typer.Option(help="What to draw.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="JSON Lines file to write.")],
    split: Annotated[
        str | None, typer.Option(help="Split; join several with +. By itself train, or all without split lists.")
    ] = None,
    rest: Annotated[
        str | None, typer.Option(help="Class of what no annotation covers, where annotated areas are the masks.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of every choice.")] = 0,
    budget: Annotated[float, typer.Option(min=0, help="Multiplies the labelled pixels.")] = 1.0,
) -> None:
    """Draw the hints that a person might have given, from full masks."""
    hints = underpaint.simulate(data, out, kind=kind.value, split=split, seed=seed, budget=budget, rest=rest)
    typer.echo(f"{kind.value} of {len(hints)} images in {out}")
