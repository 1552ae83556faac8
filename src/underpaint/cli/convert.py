"""``underpaint convert``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import underpaint
from underpaint.cli.options import Rest
from underpaint.core.errors import printable

if TYPE_CHECKING:
    from underpaint.datasets.convert import Conversion


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(convert)


def convert(
    source: Annotated[Path, typer.Argument(metavar="IN", help="A data set, or only an annotation file or folder.")],
    out: Annotated[Path, typer.Argument(help="File or folder to write; it must not exist.")],
    to: Annotated[str, typer.Option(help="Format to write; a wrong name lists all formats.")],
    rest: Rest = None,
    instances: Annotated[
        str | None,
        typer.Option(help="Class of the objects, for masks that contain a number for each object and 0 elsewhere."),
    ] = None,
    objects: Annotated[
        bool, typer.Option("--objects", help="Make an object of each connected region of the masks.")
    ] = False,
    least: Annotated[int, typer.Option(help="With --objects: leave out regions with fewer pixels.")] = 1,
    fill: Annotated[int, typer.Option(help="With --objects: fill holes up to this number of pixels.")] = 0,
    simplify: Annotated[float, typer.Option(help="With --objects: largest deviation of outlines, in pixels.")] = 0.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for a script.")] = False,
) -> None:
    """Convert annotations to another format. What that format cannot contain is listed before anything is written."""
    done = underpaint.convert(
        source,
        out,
        to=to,
        rest=rest,
        instances=instances,
        objects=objects,
        least=least,
        fill=fill,
        simplify=simplify,
        before=None if as_json else _say_losses,
    )
    if as_json:
        losses = done.losses
        counts = {"kept": losses.kept, "as_pixels": losses.as_pixels, "lost": losses.lost}
        about = {"images": len(done.hints), "from": done.source, "to": done.target.name, "out": str(out)}
        listed = {word: dict(parts) for word, parts in counts.items()}
        typer.echo(json.dumps({**about, "not_read": done.left_out, "notes": done.notes, **listed}, indent=1))
    else:
        typer.echo(f"written: {out}")


def _say_losses(planned: Conversion) -> None:
    """Print what will be written and what the format cannot contain."""
    typer.echo(f"{len(planned.hints)} images, {planned.source} -> {planned.target.title}")
    for line in (*(f"not read: {line}" for line in planned.left_out), *planned.notes, *planned.losses.lines()):
        typer.echo(printable(line))
