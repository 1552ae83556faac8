"""Arguments and options that several commands share, and a parser for lists of numbers."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated

import typer

from underpaint.core.errors import ConfigError

Data = Annotated[
    Path, typer.Argument(help="Data set: images/ and classes.txt, a VOC devkit, or images with annotation files.")
]

Hints = Annotated[
    list[Path] | None,
    typer.Option(help="Hints in any known format. May be repeated. Default: the masks or annotations of the data set."),
]

Lenient = Annotated[
    bool,
    typer.Option(
        "--lenient", help="Leave out and count hints of unknown classes, and cut hints that cross the image border."
    ),
]

Rest = Annotated[
    str | None, typer.Option(help="Class of all pixels without an annotation; by default they stay unknown.")
]

Recipes = Annotated[list[Path] | None, typer.Option(help="YAML file with settings. May be repeated.")]

Settings = Annotated[list[str] | None, typer.Option("--set", help="A setting: group.name=value. May be repeated.")]


def numbers(text: str, option: str, *, whole: bool = False) -> list[float]:
    """The numbers in ``text``, which are joined with commas. The `ConfigError` of a wrong one names the option."""
    try:
        found = [float(part) for part in text.split(",") if part.strip()]
    except ValueError:
        found = [math.nan]
    if not all(math.isfinite(value) and value >= 0 and (not whole or value == int(value)) for value in found):
        kind = "whole numbers" if whole else "numbers"
        raise ConfigError(f"{option} is {text!r}", accepted=f"{kind} of 0 or more, joined with ','")
    return found
