"""``underpaint methods``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

import underpaint

if TYPE_CHECKING:
    from underpaint.methods.about import About


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(methods)


def methods(as_json: Annotated[bool, typer.Option("--json", help="Print JSON for a script.")] = False) -> None:
    """List all methods with the hints that they accept and their papers. Methods of other packages are included."""
    problems: list[str] = []
    abouts = underpaint.list_methods(on_problem=problems.append)
    if as_json:
        typer.echo(json.dumps([_record(about) for about in abouts], indent=1))
    else:
        _print_table(abouts)
    for problem in problems:
        typer.echo(f"left out: {problem}", err=True)


def _record(about: About) -> dict[str, object]:
    """A method with its settings. This imports the class of the method."""
    from underpaint.methods.registry import method_class

    return {
        "name": about.name,
        "accepts": sorted(about.accepts),
        "summary": about.summary,
        "paper": about.reference.link if about.reference else None,
        "settings": method_class(about.name).Settings().model_dump(mode="json"),
    }


def _print_table(abouts: Sequence[About]) -> None:
    """Print the accepted hints, the summary and the paper of each method."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table("method", "hints", "what it does", "paper")
    for about in abouts:
        paper = f"{about.reference.authors.split(',')[0]} et al. {about.reference.year}" if about.reference else ""
        row = (about.name, ", ".join(sorted(about.accepts)), about.summary, paper)
        table.add_row(*(Text(cell) for cell in row))
    Console().print(table)
