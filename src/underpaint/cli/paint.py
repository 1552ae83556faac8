"""``underpaint paint``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import underpaint
from underpaint.cli.options import Data


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command()(paint)


def paint(
    data: Data,
    project: Annotated[Path | None, typer.Option(help="Folder for the marks. By itself DATA/paint.")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Port. By itself the first free one.")] = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    allow_host: Annotated[
        list[str] | None, typer.Option(help="Host name by which browsers on other machines reach the page.")
    ] = None,
    base_url: Annotated[str, typer.Option(help="Path before all others behind a proxy, such as /paint.")] = "",
    person: Annotated[str, typer.Option(help="Your name; marks are kept under it.")] = "me",
    invite: Annotated[
        list[str] | None, typer.Option(help="Name of another person, whose link is printed; may be repeated.")
    ] = None,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Print the link, and open no browser.")] = False,
) -> None:
    """Mark photographs on a page, see masks at once, train, and correct."""
    underpaint.paint(
        data,
        project=project,
        host=host,
        port=port,
        allow_hosts=allow_host or [],
        base_url=base_url,
        person=person,
        invite=invite or [],
        browser=not no_browser,
        say=typer.echo,
    )
