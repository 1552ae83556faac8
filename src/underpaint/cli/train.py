"""``underpaint train``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import underpaint

Data = Annotated[
    Path, typer.Argument(help="Data set: images/ and classes.txt, a VOC devkit, or photographs with annotation files.")
]


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command()(train)


def train(
    data: Data,
    out: Annotated[Path, typer.Option("-o", "--out", help="Run folder to make.")],
    hints: Annotated[
        list[Path] | None,
        typer.Option(
            help="Hints in any known format; may be repeated. Without it the data set's masks or annotations."
        ),
    ] = None,
    lenient: Annotated[
        bool,
        typer.Option(
            "--lenient", help="Leave out, and count, hints of unknown classes; cut those at their image's border."
        ),
    ] = False,
    rest: Annotated[
        str | None, typer.Option(help="Class of what no annotation covers; without it that stays unknown.")
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(help="Split to learn from; join several with +. By itself train, or all without split lists."),
    ] = None,
    method: Annotated[str, typer.Option(help="A name from `underpaint methods`, or auto.")] = "auto",
    config: Annotated[list[Path] | None, typer.Option(help="Recipe: a YAML file of settings; may be repeated.")] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="A setting, as group.name=value; may be repeated.")
    ] = None,
    artifacts: Annotated[
        Path | None, typer.Option(help="Folder of trained stages that runs share; within the run if left out.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with an interrupted run.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and stop.")] = False,
) -> None:
    """Train a network on hints. Ctrl-C leaves a run that --resume goes on with."""
    from underpaint.cli.progress import Bar

    bar = Bar()
    planned = underpaint.plan(
        data,
        hints=hints or [],
        method=method,
        settings=set_ or [],
        config=config or [],
        split=split,
        rest=rest,
        lenient=lenient,
    )
    for line in planned.words():
        bar.console.print(line, markup=False)
    if dry_run:
        for note in planned.notes:
            bar.note(note)
        return
    planned.train(out, resume=resume, store=artifacts, reporter=bar)
    typer.echo(f"trained: {out}\nnext: underpaint predict {out} IMAGES -o MASKS")
