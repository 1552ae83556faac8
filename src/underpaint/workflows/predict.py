"""Predicts masks, class activation maps or uncertainty maps of images with a run. Torch is imported only on a call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Literal

from underpaint.core.errors import ConfigError
from underpaint.core.parallel import stream
from underpaint.core.paths import AnyPath, as_path, existing, real

if TYPE_CHECKING:
    from underpaint.predict import Summary
    from underpaint.predict.shard import LoadedRun
    from underpaint.predict.task import Labels, Pool, Task
    from underpaint.workflows.known import Known

Draw = Literal["masks", "responses", "uncertainty"]
DRAWS: tuple[Draw, ...] = ("masks", "responses", "uncertainty")


def predict(
    run: AnyPath,
    images: AnyPath,
    out: AnyPath,
    *,
    scales: float | Sequence[float] = 1.0,
    flip: bool = False,
    crf: bool = True,
    tile: int | None = None,
    engine: Literal["auto", "torch", "onnx"] = "auto",
    probabilities: bool = False,
    hints: Known = (),
    lenient: bool = False,
    draw: Draw = "masks",
    overlay: bool = False,
    measures: bool = False,
    polygons: str | None = None,
    least: int = 1,
    fill: int = 0,
    simplify: float = 0.0,
    resume: bool = False,
    jobs: int = 1,
    on_progress: Callable[[int, int], None] | None = None,
    on_rows: Callable[[int, int], None] | None = None,
) -> Summary:
    """Write a mask for every image, with the same name and size.

    Args:
        run: Folder of a finished training.
        images: An image, a folder of images at any depth, or a data set.
        out: Folder for the masks. Its ``summary.csv`` has the share of every class in every image.
        scales: Factors on the image size, from 0.25 to 4. Probabilities are averaged over them.
        flip: Also average with the prediction for the mirrored image.
        crf: Let the borders of masks follow the edges of the image, with a dense CRF. Without it, masks take less time.
        tile: Longest side in pixels of the network's input: a multiple of 32, at least 256. Larger images are cut into
            tiles, which are blended. None means the size in training.
        engine: Library that runs the network: ``torch``, ``onnx``, or ``auto`` for the faster one that is installed.
        probabilities: Also write class probabilities.
        hints: Hints on the images: files or folders in any known format, or `underpaint.Hints` by image name. No pixel
            gets a class that the hints exclude there: a class that the tags say is absent; in a box, any class but that
            of the box and the background; on a stroke or in an area, any other class.
        lenient: As in `underpaint.train`, for these hints.
        draw: ``masks``; or ``responses`` for pictures of the class activation map of every class (they use scales and
            flip); or ``uncertainty`` for pictures of the learned label uncertainty.
        overlay: Also write pictures of the masks over the images, and an overview of them.
        measures: Also write ``measures.csv``: pixels, connected regions and areas in the unit of the image.
        polygons: Also write the connected regions as polygons: ``geojson`` (one file per image) or ``gpkg`` (one file),
            in map coordinates if the image has them; or an annotation format such as ``coco``, in pixels.
        least: Leave regions with fewer pixels out of measures and polygons.
        fill: In polygons, fill holes up to this number of pixels.
        simplify: Largest deviation of polygons from the mask, in pixels.
        resume: Keep the masks of an earlier call whose image, hints, network and settings are the same.
        jobs: Number of processes, each with one thread; with 1, this process uses all its threads.
        on_progress: Called with (done, total) images.
        on_rows: Called with (done, total) rows of tiles, for each image that is too large to be read as a whole.

    Returns:
        The number of files that were written, and the images that were left out with the reasons.

    Raises:
        RunError: The run is not finished, or it cannot make what ``draw`` asks for.
        DataError: There is no image, the output cannot be written, or no hint belongs to these images.
        HintError, FormatError: The hints are wrong, as in `underpaint.train`. No mask is written then.
        ConfigError: A setting is out of range, or settings of masks are given for pictures.

    Example:
        >>> underpaint.predict("run", "photographs", "masks", flip=True).written  # doctest: +SKIP
        12
    """
    root = existing(as_path(run, "run"), "the run folder")
    source = existing(as_path(images, "images"), "the image, folder or data set to predict")
    target = as_path(out, "out")
    if draw not in DRAWS:
        raise ConfigError(f"draw is {draw!r}", where="draw", accepted=", ".join(DRAWS))
    if draw != "masks" and (probabilities or hints):
        raise ConfigError(f"draw={draw} uses no hints or probabilities", fix="remove these arguments")
    if jobs < 1:
        raise ConfigError(f"jobs is {jobs}", where="jobs", accepted="a whole number from 1")
    if draw != "masks" and (resume or jobs > 1):
        raise ConfigError(f"draw={draw} works in one process and draws everything again", fix="remove jobs and resume")
    if draw != "masks" and (overlay or measures or polygons):
        raise ConfigError(f"draw={draw} makes no masks", fix="remove overlay, measures and polygons")

    from underpaint.datasets.objects import ObjectRule
    from underpaint.predict import UncertaintyPredictor, Wanted, draw_responses, draw_uncertainty, predict_folder
    from underpaint.predict.folder import unbounded
    from underpaint.predict.responses import CamPredictor
    from underpaint.workflows.known import KnownPhotographs
    from underpaint.workflows.run import Run, predict_config

    wanted = Wanted(overlay, measures, polygons, ObjectRule(least, fill, simplify))
    folder = Run(root)
    config = predict_config(scales=scales, flip=flip, crf=crf, tile=tile, engine=engine)
    by, rule = f"underpaint predict, run {real(root).name!r}", folder.config.images.rule
    if draw == "responses":
        cam = CamPredictor(folder.tag_network(), scales=config.scales, flip=config.flip)
        classes = folder.classes
        return draw_responses(cam, source, target, classes, rule=rule, by=by, on_progress=on_progress)
    if draw == "uncertainty":
        predictor = UncertaintyPredictor(folder.variance_network(), config)
        return draw_uncertainty(predictor, source, target, rule=rule, by=by, on_progress=on_progress)
    masks = folder.predictor(config)
    pool: Pool | None = None
    if jobs > 1:
        from underpaint.workflows.shards import loader_of

        pool = partial(stream, partial(_perform, loader_of(root.absolute(), masks)), workers=jobs, threads=1)
    known = KnownPhotographs.read(source, hints, folder.classes, lenient=lenient) if hints else None
    summary = predict_folder(
        masks,
        source,
        target,
        folder.classes,
        by=by,
        rule=rule,
        probabilities=probabilities,
        wanted=wanted,
        bounds=unbounded if known is None else known.bound,
        resume=resume,
        pool=pool,
        on_progress=on_progress,
        on_rows=on_rows,
    )
    return summary if known is None else replace(summary, notes=(*known.notes, *summary.notes))


def _perform(load: Callable[[], LoadedRun], task: Task) -> Labels:
    """Predict one image in a process of a pool."""
    from underpaint.predict.task import perform

    return perform(load().predictor, task)
