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
    """Add the verb."""
    app.command()(methods)


def methods(as_json: Annotated[bool, typer.Option("--json", help="Print JSON for a script.")] = False) -> None:
    """List the methods, those of installed packages among them: what each accepts, and its paper."""
    problems: list[str] = []
    cards = underpaint.list_methods(on_problem=problems.append)
    if as_json:
        typer.echo(json.dumps([_record(card) for card in cards], indent=1))
    else:
        _print_table(cards)
    for problem in problems:
        typer.echo(f"left out: {problem}", err=True)


def _record(card: About) -> dict[str, object]:
    """A method with its settings, for which its class is imported."""
    from underpaint.methods.registry import method_class

    return {
        "name": card.name,
        "accepts": sorted(card.accepts),
        "summary": card.summary,
        "paper": card.reference.link if card.reference else None,
        "settings": method_class(card.name).Settings().model_dump(mode="json"),
    }


def _print_table(cards: Sequence[About]) -> None:
    """What each method accepts and where it comes from."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table("method", "hints", "what it does", "paper")
    for card in cards:
        paper = f"{card.reference.authors.split(',')[0]} et al. {card.reference.year}" if card.reference else ""
        row = (card.name, ", ".join(sorted(card.accepts)), card.summary, paper)
        table.add_row(*(Text(cell) for cell in row))
    Console().print(table)
