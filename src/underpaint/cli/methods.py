"""``underpaint methods``."""

from __future__ import annotations

import json
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command()(methods)


def methods(as_json: Annotated[bool, typer.Option("--json", help="Print JSON for a script.")] = False) -> None:
    """List the methods: what each accepts, and its paper."""
    from underpaint.cli.tables import method_table
    from underpaint.methods.registry import METHODS

    if not as_json:
        method_table(METHODS)
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
