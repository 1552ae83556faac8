"""``underpaint paint``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import underpaint
from underpaint.cli.options import Data


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(paint)


def paint(
    data: Data,
    project: Annotated[Path | None, typer.Option(help="Folder for the marks. Default: DATA/paint.")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Port. Default: the first free port.")] = None,
    host: Annotated[str, typer.Option(help="Address on which the server listens.")] = "127.0.0.1",
    allow_host: Annotated[
        list[str] | None, typer.Option(help="Host name with which browsers on other machines open the page.")
    ] = None,
    base_url: Annotated[str, typer.Option(help="Path prefix behind a proxy, such as /paint.")] = "",
    person: Annotated[str, typer.Option(help="Your name; your marks are stored under it.")] = "me",
    invite: Annotated[
        list[str] | None,
        typer.Option(help="Name of another person; a link for this person is printed. May be repeated."),
    ] = None,
    no_browser: Annotated[
        bool, typer.Option("--no-browser", help="Only print the link; do not open a browser.")
    ] = False,
) -> None:
    """Open a page in the browser to mark images, see masks at once, train, and correct."""
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
