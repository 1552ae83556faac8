"""``underpaint gap``."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

import underpaint
from underpaint.cli.options import Lenient, Rest, numbers


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(gap)


def gap(
    data: Annotated[Path, typer.Argument(help="Data set with masks for both splits.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder for runs, masks, scores and report.html.")],
    hints: Annotated[
        list[str] | None,
        typer.Option(help="Hints to simulate (scribbles, clicks, boxes, tags, mixture), or a file. May be repeated."),
    ] = None,
    methods: Annotated[
        str | None,
        typer.Option(
            help="Methods to compare, joined with ','. Default: the method that `train` chooses; for "
            "scribbles and clicks local-global and gated-crf."
        ),
    ] = None,
    variant: Annotated[
        list[str] | None,
        typer.Option(help="A method with settings: NAME=METHOD:setting=value,setting=value. May be repeated."),
    ] = None,
    seeds: Annotated[str, typer.Option(help="Seeds of the trainings, joined with ','.")] = "0",
    split: Annotated[
        str | None,
        typer.Option(help="Split for training; join several with +. Default: train."),
    ] = None,
    test: Annotated[str, typer.Option(help="Split for scoring.")] = "test",
    config: Annotated[list[Path] | None, typer.Option(help="Settings of all rows (YAML). May be repeated.")] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="A setting for all methods: group.name=value. May be repeated.")
    ] = None,
    lenient: Lenient = False,
    rest: Rest = None,
    budget: Annotated[
        str,
        typer.Option(help="Multiples of the simulated hints, joined with ',': shows score against annotation time."),
    ] = "",
    artifacts: Annotated[
        Path | None, typer.Option(help="Folder of trained stages that several comparisons share. Default: inside OUT.")
    ] = None,
    single_scale: Annotated[
        bool,
        typer.Option(
            "--single-scale",
            "--one-look",
            help="Score only the prediction at one scale, without test-time augmentation and without a CRF.",
        ),
    ] = False,
    no_quick: Annotated[
        bool, typer.Option("--no-quick", help="Do not compare with the quick model, which takes seconds.")
    ] = False,
    jobs: Annotated[int, typer.Option(min=1, help="Number of trainings at a time, which share the cores.")] = 1,
    seconds: Annotated[
        list[str] | None,
        typer.Option(
            help="Annotation time in seconds: box=35 (or tag, click, next_click, scribble, mask). May be repeated."
        ),
    ] = None,
    tuning: Annotated[
        str, typer.Option(help="A sentence for the report: which settings were chosen on which masks.")
    ] = "no setting was chosen on masks of this data set",
) -> None:
    """Compare training on hints with training on full masks, and write a report.

    If it is interrupted, the same command continues.
    """
    from underpaint.cli.progress import Bar
    from underpaint.core.config import parse_overrides
    from underpaint.core.paths import existing
    from underpaint.simulate.effort import Effort

    # Errors in the arguments are reported before torch is imported, which takes seconds.
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
