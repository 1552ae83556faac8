"""Floor 7: the command, one thin module a verb. Heavy imports wait until a verb runs, so that help is instant."""

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
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version, and stop.")
    ] = False,
) -> None:
    """From cheap hints on images to a segmentation network, masks, and the gap to full supervision."""


for verb in (demo, doctor, simulate, paint, quick, next, train, predict, evaluate, gap, convert, methods):
    verb.register(app)


def main() -> None:
    """Run the command; whatever stops it is a message, not a traceback, unless ``UNDERPAINT_DEBUG`` is set.

    Exit codes: 0 the work is done, 1 it is not (the message says why), 2 the call's words are off, 130
    interrupted, 143 or 129 ended by SIGTERM or SIGHUP.
    """
    # Threads that spin at barriers lose up to ten times their speed when anything else runs; read at import of torch.
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
        told = explained(error)
        console.print("error: ", style="bold red", end="")
        console.print(printable(str(told), lines=True), markup=False, highlight=False)
        sys.exit(told.exit_code)
