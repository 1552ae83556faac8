"""``underpaint predict``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import underpaint
from underpaint.cli.options import Lenient
from underpaint.cli.shards import Engine, predict_many
from underpaint.core.errors import ConfigError, printable


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command()(predict)


def predict(
    run: Annotated[Path, typer.Argument(help="Run folder of a finished training.")],
    images: Annotated[
        str,
        typer.Argument(
            help="A photograph, a folder of them, or a data set; or for very many a manifest (.jsonl, .parquet), a "
            "pattern in quotes, archives (.tar), or an address such as s3://bucket/photos."
        ),
    ],
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder for the masks.")],
    scales: Annotated[str, typer.Option(help="Factors on the image's size to average over, as 0.5,1,1.5.")] = "1",
    flip: Annotated[bool, typer.Option("--flip", help="Average with the mirrored image.")] = False,
    crf: Annotated[bool, typer.Option("--crf", help="Sharpen borders with a dense CRF.")] = False,
    tile: Annotated[
        int | None,
        typer.Option(
            help="Longest side in pixels that the network sees at once, from 256, a multiple of 32; larger photographs "
            "are cut into tiles that are blended. By itself what it saw in training."
        ),
    ] = None,
    hints: Annotated[
        list[Path] | None,
        typer.Option(
            help="What you know of these photographs (tags, strokes, boxes, areas), in any known format: no pixel gets "
            "a class that it rules out there. May be repeated."
        ),
    ] = None,
    lenient: Lenient = False,
    probabilities: Annotated[bool, typer.Option("--probabilities", help="Also keep class probabilities.")] = False,
    overlay: Annotated[
        bool, typer.Option("--overlay", help="Also pictures of the masks over the images, and a contact sheet.")
    ] = False,
    measures: Annotated[
        bool, typer.Option("--measures", help="Also measures.csv: pixels, regions and areas in the image's own unit.")
    ] = False,
    polygons: Annotated[
        str | None,
        typer.Option(
            help="Also the regions as polygons: geojson (a file an image), gpkg (one file), or an annotation format "
            "such as coco, cvat, labelme, yolo."
        ),
    ] = None,
    least: Annotated[int, typer.Option(help="Regions of fewer pixels are left out of measures and polygons.")] = 1,
    fill: Annotated[int, typer.Option(help="Holes of at most so many pixels are filled in polygons.")] = 0,
    simplify: Annotated[float, typer.Option(help="Pixels by which polygons may differ from the mask.")] = 0.0,
    cam: Annotated[
        bool, typer.Option("--cam", help="Instead of masks: what the classifier of tags looked at, class by class.")
    ] = False,
    uncertainty: Annotated[
        bool, typer.Option("--uncertainty", help="Instead of masks: where the network is unsure (box-uncertainty).")
    ] = False,
    shard_size: Annotated[
        int | None, typer.Option(help="Images of a shard; writes shards of masks for a folder too, not single files.")
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Shards at a time, each by a process on one thread.")] = 1,
    engine: Annotated[
        Engine, typer.Option(help="What works on shards: processes of this machine, or a Ray cluster.")
    ] = Engine.PROCESSES,
    address: Annotated[
        str | None, typer.Option(help="Of a running Ray cluster; by itself one is started on this machine.")
    ] = None,
) -> None:
    """Write a mask for every photograph, under its name and of its size, and summary.csv.

    For a manifest of very many images, or with --shard-size, write shards of masks with an index. The same command
    continues what was interrupted; several at once, on any machines that share the folder, divide the work.
    """
    from underpaint.cli.progress import Bar
    from underpaint.shards.manifest import is_manifest
    from underpaint.training.reporter import counting

    factors = _factors(scales)
    if is_manifest(images) or shard_size is not None or engine is Engine.RAY:
        others = {
            "--hints": hints, "--probabilities": probabilities, "--overlay": overlay, "--measures": measures,
            "--polygons": polygons, "--cam": cam, "--uncertainty": uncertainty,
        }  # fmt: skip
        if given := [name for name, value in others.items() if value]:
            raise ConfigError(f"shards hold masks alone, without {', '.join(given)}", fix="leave these out")
        settings = {"scales": factors, "flip": flip, "crf": crf, "tile": tile}
        predict_many(run, images, out, shard_size, jobs, engine, address, settings)
        return
    if cam + uncertainty + (crf or probabilities or bool(hints)) > 1:
        fix = "one at a time, without --crf, --hints and --probabilities"
        raise ConfigError("--cam and --uncertainty draw maps", fix=fix)
    with Bar() as bar:

        def rows(done: int, total: int) -> None:
            if not bar.running:
                bar.start("rows of tiles", total, done)
            bar.advance(done, 0, {})
            if done == total:
                bar.finish()

        summary = underpaint.predict(
            run,
            Path(images),
            out,
            scales=factors,
            flip=flip,
            crf=crf,
            tile=tile,
            probabilities=probabilities,
            hints=hints or [],
            lenient=lenient,
            overlay=overlay,
            measures=measures,
            polygons=polygons,
            least=least,
            fill=fill,
            simplify=simplify,
            draw="responses" if cam else "uncertainty" if uncertainty else "masks",
            on_progress=counting(bar, "images"),
            on_rows=rows,
        )
    typer.echo(f"{summary.written} {'picture' if cam or uncertainty else 'mask'}(s) in {out}")
    for note in summary.notes:
        typer.echo(printable(f"note: {note}"), err=True)
    for name, reason in summary.skipped.items():
        typer.echo(printable(f"skipped {name}: {reason}"), err=True)
    if summary.skipped:
        raise typer.Exit(1)


def _factors(scales: str) -> tuple[float, ...]:
    try:
        return tuple(float(scale) for scale in scales.split(","))
    except ValueError:
        raise ConfigError(
            f"not a list of numbers: {scales!r}", where="--scales", accepted="for example 0.5,1,1.5"
        ) from None
