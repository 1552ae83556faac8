"""Arguments and options that several verbs share, each with the same words."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Data = Annotated[
    Path, typer.Argument(help="Data set: images/ and classes.txt, a VOC devkit, or photographs with annotation files.")
]

Hints = Annotated[
    list[Path] | None,
    typer.Option(help="Hints in any known format; may be repeated. Without it the data set's masks or annotations."),
]

Lenient = Annotated[
    bool,
    typer.Option(
        "--lenient", help="Leave out, and count, hints of unknown classes; cut those at their image's border."
    ),
]

Rest = Annotated[str | None, typer.Option(help="Class of what no annotation covers; without it that stays unknown.")]

Recipes = Annotated[list[Path] | None, typer.Option(help="Recipe: a YAML file of settings; may be repeated.")]

Settings = Annotated[list[str] | None, typer.Option("--set", help="A setting, as group.name=value; may be repeated.")]
