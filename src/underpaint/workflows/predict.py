"""Predicts masks, class activation maps or uncertainty maps of images with a run. It imports torch only when called."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from underpaint.core.errors import ConfigError
from underpaint.core.paths import AnyPath, as_path, existing, real

if TYPE_CHECKING:
    from underpaint.predict import Summary
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
    crf: bool = False,
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
    on_progress: Callable[[int, int], None] | None = None,
    on_rows: Callable[[int, int], None] | None = None,
) -> Summary:
    """Write a mask for every photograph, under its own name and of its own size.

    Args:
        run: Folder of a finished training.
        images: A photograph, a folder of them at any depth, or a data set.
        out: Folder of masks; ``summary.csv`` in it gives the share of every class in every image.
        scales: Factors on the image's size, from 0.25 to 4; probabilities are averaged over them.
        flip: Also average with the mirrored image.
        crf: Sharpen borders with a dense CRF.
        tile: Longest side in pixels that the network sees at once, from 256, a multiple of 32; larger photographs are
            cut into tiles that are blended. None for what the network saw in training.
        engine: What runs the network: ``torch``, ``onnx``, or ``auto`` for the faster one that is installed.
        probabilities: Also keep class probabilities.
        hints: What is known of photographs: files or folders in any known format, or `underpaint.Hints` by name. No
            pixel gets a class that the hints of its photograph rule out there: one that the tags say is absent, in a
            box another than the box's or the background, on a stroke or in an area any but its own.
        lenient: As in `underpaint.train`, for these hints.
        draw: ``masks``; or instead ``responses``, pictures of the class activation map of every class (scales and flip
            have an effect), or ``uncertainty``, pictures of the learned label uncertainty.
        overlay: Also write pictures of the masks over the images, and a contact sheet.
        measures: Also write ``measures.csv``: pixels, connected regions and areas, in the image's own unit.
        polygons: Also write the connected regions as polygons: ``geojson`` for each image or one ``gpkg``, in map
            coordinates where the image has them; or an annotation format such as ``coco``, in pixels.
        least: Regions of fewer pixels are left out of measures and polygons.
        fill: Holes of at most so many pixels are filled in polygons.
        simplify: Pixels by which polygons may differ from the mask.
        on_progress: Called with (done, total).
        on_rows: Called with (done, total) rows of tiles of each image that is too large to be read as a whole.

    Returns:
        How many files were written, and which photographs were left out, and why.

    Raises:
        RunError: the run is not finished, or its method learned nothing that ``draw`` could show.
        DataError: no photograph, or the output cannot be written; hints of no photograph here.
        HintError, FormatError: as `underpaint.train`, for hints; before the first mask is written.
        ConfigError: a setting out of range, or settings of masks beside pictures.

    Example:
        >>> underpaint.predict("run", "photographs", "masks", flip=True).written  # doctest: +SKIP
        12
    """
    root = existing(as_path(run, "run"), "the run folder")
    source = existing(as_path(images, "images"), "the photograph, folder or data set to predict")
    target = as_path(out, "out")
    if draw not in DRAWS:
        raise ConfigError(f"draw is {draw!r}", where="draw", accepted=", ".join(DRAWS))
    if draw != "masks" and (crf or probabilities or hints):
        raise ConfigError(f"{draw} are drawn without a CRF, hints or probabilities", fix="leave these out")

    if draw != "masks" and (overlay or measures or polygons):
        raise ConfigError(f"{draw} are no masks", fix="leave out overlay, measures and polygons")

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
    known = KnownPhotographs.read(source, hints, folder.classes, lenient=lenient) if hints else None
    summary = predict_folder(
        folder.predictor(config),
        source,
        target,
        folder.classes,
        by=by,
        rule=rule,
        probabilities=probabilities,
        wanted=wanted,
        bounds=unbounded if known is None else known.bound,
        on_progress=on_progress,
        on_rows=on_rows,
    )
    return summary if known is None else replace(summary, notes=(*known.notes, *summary.notes))
