"""``underpaint convert``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from underpaint.core.printable import printable


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command()(convert)


def convert(
    source: Annotated[Path, typer.Argument(metavar="IN", help="Data set, or an annotation file or folder by itself.")],
    out: Annotated[Path, typer.Argument(help="File or folder to make; it must not exist.")],
    to: Annotated[str, typer.Option(help="Format to write; an unknown word lists them.")],
    rest: Annotated[
        str | None, typer.Option(help="Class of what no annotation covers; without it that stays unknown.")
    ] = None,
    instances: Annotated[
        str | None,
        typer.Option(help="Class of the objects, where masks hold a number for each object and 0 behind them."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for a script.")] = False,
) -> None:
    """Turn annotations into another format: says first what it cannot hold, then writes whole or not at all."""
    from underpaint.datasets.convert import check_target, plan_conversion

    planned = plan_conversion(source, to=to, rest=rest, instances=instances)
    check_target(out, planned.target)
    losses = planned.losses
    if not as_json:
        typer.echo(f"{len(planned.hints)} images, {planned.source} -> {planned.target.title}")
        for line in (*(f"not read: {line}" for line in planned.left_out), *planned.notes, *losses.lines()):
            typer.echo(printable(line))
    planned.write(out)
    if as_json:
        counts = {"kept": losses.kept, "as_pixels": losses.as_pixels, "lost": losses.lost}
        about = {"images": len(planned.hints), "from": planned.source, "to": planned.target.name, "out": str(out)}
        held = {word: dict(parts) for word, parts in counts.items()}
        typer.echo(json.dumps({**about, "not_read": planned.left_out, "notes": planned.notes, **held}, indent=1))
    else:
        typer.echo(f"written: {out}")
