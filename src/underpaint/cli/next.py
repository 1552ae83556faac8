"""``underpaint next``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import underpaint
from underpaint.cli.options import Data, Hints, Lenient, Recipes, Rest, Settings
from underpaint.core.errors import printable

if TYPE_CHECKING:
    from underpaint.evaluation.contact_sheet import RingedPhotograph
    from underpaint.workflows.next import NextHints


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("next")(next_)


def next_(
    data: Data,
    hints: Hints = None,
    lenient: Lenient = False,
    rest: Rest = None,
    split: Annotated[
        str | None,
        typer.Option(help="Split whose images are searched; join several with +. Default: train, or all images."),
    ] = None,
    count: Annotated[int, typer.Option(min=1, help="Number of places, at most one in each image.")] = 12,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the places that are drawn at random.")] = 0,
    sheet: Annotated[
        Path | None, typer.Option(help="New PNG file that shows the images, a ring at each place, and the questions.")
    ] = None,
    config: Recipes = None,
    set_: Settings = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for a script.")] = False,
) -> None:
    """Find the images, and the places in them, where the model is most uncertain and the next hints help most."""
    from underpaint.cli.progress import Bar
    from underpaint.core.outputs import write_new
    from underpaint.core.paths import existing

    # Errors in the arguments are reported before torch is imported, which takes seconds.
    existing(data, "the data set's folder")

    with Bar() as bar:
        found = underpaint.next_hints(
            data,
            hints=hints or [],
            lenient=lenient,
            rest=rest,
            split=split,
            count=count,
            seed=seed,
            config=config or [],
            settings=set_ or [],
            reporter=bar,
        )
    if sheet is not None and found.places:
        from underpaint.evaluation.contact_sheet import contact_sheet

        write_new(sheet, contact_sheet(_cells(found)))
    if as_json:
        places = [{**asdict(place), "question": place.question} for place in found.places]
        typer.echo(json.dumps({"places": places, "notes": list(found.notes)}, indent=1))
        return
    for number, place in enumerate(found.places, start=1):
        why = "at random" if place.random else f"{place.uncertainty:.2f} bits"
        at = f"x={place.x:g}, y={place.y:g}"
        typer.echo(printable(f"{number:3}  {place.image}  {at}  {place.question}  ({why})"))
    for note in found.notes:
        typer.echo(printable(f"note: {note}"), err=True)


def _cells(found: NextHints) -> Iterator[RingedPhotograph]:
    from underpaint.evaluation.contact_sheet import RingedPhotograph
    from underpaint.imagefiles.survey import shown

    for number, place in enumerate(found.places, start=1):
        rgb = shown(found.photographs[place.image], found.rule)
        words = (f"{number}  {place.image}", place.question + (" (random place)" if place.random else ""))
        yield RingedPhotograph(rgb, place.x, place.y, place.radius, words)
