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
    """Add the command."""
    app.command()(predict)


def predict(
    run: Annotated[Path, typer.Argument(help="Run folder of a finished training.")],
    images: Annotated[
        str,
        typer.Argument(
            help="An image, a folder of images, or a data set. For very many images: a manifest (.jsonl, .parquet), a "
            "pattern in quotes, archives (.tar), or an address such as s3://bucket/photos."
        ),
    ],
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder for the masks.")],
    scales: Annotated[str, typer.Option(help="Average over these factors on the image size, such as 0.5,1,1.5.")] = "1",
    flip: Annotated[bool, typer.Option("--flip", help="Average with the prediction for the mirrored image.")] = False,
    crf: Annotated[
        bool,
        typer.Option(
            help="Let borders follow the edges of the image, with a dense CRF. Small images take longer with it."
        ),
    ] = True,
    tile: Annotated[
        int | None,
        typer.Option(
            help="Longest side in pixels of the network's input: a multiple of 32, at least 256. Larger images are cut "
            "into tiles, which are blended. Default: the size in training."
        ),
    ] = None,
    hints: Annotated[
        list[Path] | None,
        typer.Option(
            help="Hints on these images (tags, strokes, boxes, areas) in any known format. No pixel gets a class that "
            "the hints exclude there. May be repeated."
        ),
    ] = None,
    lenient: Lenient = False,
    probabilities: Annotated[bool, typer.Option("--probabilities", help="Also write class probabilities.")] = False,
    overlay: Annotated[
        bool,
        typer.Option("--overlay", help="Also write pictures of the masks over the images, and an overview of them."),
    ] = False,
    measures: Annotated[
        bool,
        typer.Option("--measures", help="Also write measures.csv: pixels, regions and areas in the unit of the image."),
    ] = False,
    polygons: Annotated[
        str | None,
        typer.Option(
            help="Also write the regions as polygons: geojson (one file per image), gpkg (one file), or an annotation "
            "format such as coco, cvat, labelme, yolo."
        ),
    ] = None,
    least: Annotated[int, typer.Option(help="Leave regions with fewer pixels out of measures and polygons.")] = 1,
    fill: Annotated[int, typer.Option(help="In polygons, fill holes up to this number of pixels.")] = 0,
    simplify: Annotated[float, typer.Option(help="Largest deviation of polygons from the mask, in pixels.")] = 0.0,
    cam: Annotated[
        bool, typer.Option("--cam", help="Instead of masks: draw the class activation map of each class.")
    ] = False,
    uncertainty: Annotated[
        bool,
        typer.Option("--uncertainty", help="Instead of masks: draw the learned uncertainty (method box-uncertainty)."),
    ] = False,
    shard_size: Annotated[
        int | None,
        typer.Option(
            help="Number of images per shard. With it, shards are written for a folder too, instead of single files."
        ),
    ] = None,
    jobs: Annotated[
        int, typer.Option(min=1, help="Number of processes, each with one thread. With 1, an image uses all threads.")
    ] = 1,
    resume: Annotated[
        bool, typer.Option("--resume", help="Keep the masks whose image, hints, network and settings are the same.")
    ] = False,
    engine: Annotated[
        Engine, typer.Option(help="Where shards are processed: in processes of this machine, or on a Ray cluster.")
    ] = Engine.PROCESSES,
    address: Annotated[
        str | None,
        typer.Option(help="Address of a running Ray cluster. Default: a cluster is started on this machine."),
    ] = None,
) -> None:
    """Write a mask for every image, with the same name and size, and summary.csv.

    For a manifest of very many images, or with --shard-size, write shards of masks with an index. If it is interrupted,
    the same command continues. Several such commands, on machines that share the folder, divide the work.
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
            raise ConfigError(f"shards contain only masks, without {', '.join(given)}", fix="remove these options")
        settings = {"scales": factors, "flip": flip, "crf": crf, "tile": tile}
        predict_many(run, images, out, shard_size, jobs, engine, address, settings)
        return
    if cam + uncertainty + (probabilities or bool(hints)) > 1:
        fix = "give one of them, without --hints and --probabilities"
        raise ConfigError("--cam and --uncertainty draw maps instead of masks", fix=fix)
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
            resume=resume,
            jobs=jobs,
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
