"""Layer 7: the command line, one small module per command. Slow imports wait until a command runs."""

from __future__ import annotations

import logging
import os
import signal
import sys
from typing import Annotated

import typer
from rich.console import Console
from rich.logging import RichHandler

from underpaint import __version__
from underpaint.cli import convert, demo, doctor, evaluate, gap, methods, next, paint, predict, quick, simulate, train
from underpaint.cli.failures import DEBUG, explained
from underpaint.cli.streams import flush_output, prepare_streams
from underpaint.core.errors import printable
from underpaint.core.stop import Stopped, raise_when_stopped


def _show_version(asked: bool) -> None:
    if asked:
        typer.echo(f"underpaint {__version__}")
        raise typer.Exit


app = typer.Typer(
    name="underpaint",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """From cheap hints on images to a segmentation network, masks, and the gap to full supervision."""


for command in (demo, doctor, simulate, paint, quick, next, train, predict, evaluate, gap, convert, methods):
    command.register(app)


def main() -> None:
    """Run the command. Errors are shown as messages without a traceback unless ``UNDERPAINT_DEBUG`` is set.

    Exit codes: 0 success, 1 failure (the message gives the reason), 2 wrong arguments, 130 interrupted, 143 or 129
    ended by SIGTERM or SIGHUP.
    """
    # By default OpenMP threads wait actively, which makes them up to ten times slower beside other programs. Torch
    # reads this variable when it is imported.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    prepare_streams()
    console = Console(stderr=True)
    handler = RichHandler(console=console, show_time=False, show_path=False, markup=False)
    logging.basicConfig(level=logging.WARNING, format="%(message)s", handlers=[handler])
    raise_when_stopped()
    try:
        try:
            app()
        finally:
            flush_output()
    except Stopped as stop:
        console.print(f"stopped: {signal.Signals(stop.number).name}", style="bold red")
        raise
    except KeyboardInterrupt:
        console.print("interrupted", style="bold red")
        sys.exit(130)
    except Exception as error:
        if os.environ.get(DEBUG):
            raise
        shown = explained(error)
        if shown.shown_by_leader:
            sys.exit(shown.exit_code)
        console.print("error: ", style="bold red", end="")
        console.print(printable(str(shown), lines=True), markup=False, highlight=False)
        sys.exit(shown.exit_code)
