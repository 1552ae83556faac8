"""``underpaint demo``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import underpaint


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command()(demo)


def demo(
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder to make.")] = Path("underpaint-demo"),
    paint: Annotated[bool, typer.Option("--paint", help="Open the page on scenes with some strokes instead.")] = False,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="With --paint: print the link alone.")] = False,
) -> None:
    """Synthetic scenes, scribbles, three trainings, masks and a report: a few minutes on two cores, no network."""
    if paint:
        from underpaint.serve.demo import paint_demo

        paint_demo(out, browser=not no_browser, say=typer.echo)
        return
    from underpaint.cli.progress import Bar

    with Bar() as bar:
        report = underpaint.demo(out, command=f"underpaint demo -o {out}", reporter=bar)
    typer.echo(f"report: {report}")
