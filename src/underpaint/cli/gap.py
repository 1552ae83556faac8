"""``underpaint gap``."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

import underpaint
from underpaint.cli.options import Lenient, Rest


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command()(gap)


def gap(
    data: Annotated[Path, typer.Argument(help="Data set with masks for both splits.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder of runs, masks, scores and report.html.")],
    hints: Annotated[
        list[str] | None,
        typer.Option(help="A kind to simulate (scribbles, clicks, boxes, tags, mixture), or a file; may be repeated."),
    ] = None,
    methods: Annotated[
        str | None,
        typer.Option(
            help="Methods joined with ',': how far each gets between floor and ceiling. By itself the one that "
            "train's auto takes, and gated-crf for scribbles and clicks."
        ),
    ] = None,
    variant: Annotated[
        list[str] | None,
        typer.Option(help="A method with settings: NAME=METHOD:setting=value,setting=value; may be repeated."),
    ] = None,
    seeds: Annotated[str, typer.Option(help="Seeds of the trainings, joined with ','.")] = "0",
    split: Annotated[
        str | None,
        typer.Option(help="Split to learn from; join several with +. By itself train."),
    ] = None,
    test: Annotated[str, typer.Option(help="Split to score on.")] = "test",
    config: Annotated[list[Path] | None, typer.Option(help="Recipe that all rows share; may be repeated.")] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="A setting that all rows share, as group.name=value.")
    ] = None,
    lenient: Lenient = False,
    rest: Rest = None,
    budget: Annotated[
        str,
        typer.Option(help="More simulated hints: multiples joined with ','; quality against effort."),
    ] = "",
    artifacts: Annotated[
        Path | None, typer.Option(help="Folder of trained stages that comparisons share; within OUT if left out.")
    ] = None,
    single_scale: Annotated[
        bool,
        typer.Option(
            "--single-scale",
            "--one-look",
            help="Score only the prediction at one scale, not also those with scales, flips and a CRF.",
        ),
    ] = False,
    no_quick: Annotated[
        bool, typer.Option("--no-quick", help="Leave out the row of the quick model, which takes seconds.")
    ] = False,
    jobs: Annotated[int, typer.Option(min=1, help="Trainings at a time, each with its share of the cores.")] = 1,
    seconds: Annotated[
        list[str] | None,
        typer.Option(
            help="Seconds a hint takes, as box=35 (tag, click, next_click, scribble, box, mask); may be repeated."
        ),
    ] = None,
    tuning: Annotated[
        str, typer.Option(help="Which settings were chosen on which masks; stands in the report.")
    ] = "no setting was chosen on masks of this data set",
) -> None:
    """Measure how far hints get between hint pixels alone and full masks. Interrupted, the same command goes on."""
    from underpaint.cli.numbers import numbers
    from underpaint.cli.progress import Bar
    from underpaint.core.config import parse_overrides
    from underpaint.core.paths import existing
    from underpaint.simulate.effort import Effort

    # What is wrong with the call is said before torch is imported, which takes seconds.
    existing(data, "the data set's folder")
    every_seed = [int(seed) for seed in numbers(seeds, "--seeds", whole=True)]
    every_budget = numbers(budget, "--budget")
    effort = Effort.parse(parse_overrides(seconds or [], option="--seconds"), "--seconds")

    named = [name for name in (methods or "").split(",") if name] + (variant or [])
    with Bar() as bar:
        report = underpaint.gap(
            data,
            out,
            hints=hints or ["scribbles"],
            methods=None if methods is None and not variant else named,
            seeds=every_seed,
            split=split,
            test=test,
            config=config or [],
            settings=set_ or [],
            lenient=lenient,
            rest=rest,
            budgets=every_budget,
            store=artifacts,
            four=not single_scale,
            quick=not no_quick,
            jobs=jobs,
            effort=effort,
            tuning=tuning,
            command=shlex.join(["underpaint", *sys.argv[1:]]),
            reporter=bar,
        )
    for row in report.rows:
        measured = report.gap(row)
        closes = measured.reduction.mean if measured and measured.reduction and row.role == "method" else None
        mean = sum(row.miou.values()) / len(row.miou)
        typer.echo(f"{row.method:24} {mean:5.1f} mIoU" + ("" if closes is None else f"  closes {100 * closes:.0f} %"))
    for name, reason in report.left_out.items():
        typer.echo(f"{name} is left out: {reason}")
    typer.echo(f"report: {out / 'report.html'}")
