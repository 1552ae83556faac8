"""``underpaint demo``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import underpaint


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(demo)


def demo(
    out: Annotated[Path, typer.Option("-o", "--out", help="New folder for the results.")] = Path("underpaint-demo"),
    paint: Annotated[bool, typer.Option("--paint", help="Instead: open the page with generated scenes.")] = False,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="With --paint: only print the link.")] = False,
) -> None:
    """Run everything on generated scenes: scribbles, three trainings, masks and a report.

    It takes a few minutes on two cores and needs no internet.
    """
    if paint:
        from underpaint.serve.demo import paint_demo

        paint_demo(out, browser=not no_browser, say=typer.echo)
        return
    from underpaint.cli.progress import Bar

    with Bar() as bar:
        report = underpaint.demo(out, command=f"underpaint demo -o {out}", reporter=bar)
    typer.echo(f"report: {report}")
