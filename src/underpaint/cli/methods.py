"""``underpaint methods``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from underpaint.core.config import Config
    from underpaint.methods.base import Method


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command()(methods)


def methods(as_json: Annotated[bool, typer.Option("--json", help="Print JSON for a script.")] = False) -> None:
    """List the methods: what each accepts, and its paper."""
    from underpaint.methods.registry import METHODS

    if not as_json:
        _print_table(METHODS)
        return
    listed = [
        {
            "name": name,
            "accepts": sorted(kind.accepts),
            "summary": kind.summary,
            "paper": kind.reference.link if kind.reference else None,
            "settings": kind.Settings().model_dump(mode="json"),
        }
        for name, kind in METHODS.items()
    ]
    typer.echo(json.dumps(listed, indent=1))


def _print_table(methods: Mapping[str, type[Method[Config]]]) -> None:
    """What each method accepts and where it comes from."""
    table = Table("method", "hints", "what it does", "paper")
    for name, kind in methods.items():
        paper = f"{kind.reference.authors.split(',')[0]} et al. {kind.reference.year}" if kind.reference else ""
        table.add_row(name, ", ".join(sorted(kind.accepts)), kind.summary, paper)
    Console().print(table)
