"""From a run and photographs to masks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from underpaint.core.inside import real
from underpaint.export import choose_forward
from underpaint.predict import Doubter, PredictConfig, Predictor, Summary, draw_doubts, draw_responses, predict_folder
from underpaint.predict.responses import Responder
from underpaint.training.run_folder import RunFolder


def predict(
    run: Path,
    images: Path,
    out: Path,
    *,
    config: PredictConfig | None = None,
    probabilities: bool = False,
    on_progress: Callable[[int, int], None] | None = None,
) -> Summary:
    """Write a mask for every photograph, under its own name and of its own size.

    Args:
        run: Folder of a finished training.
        images: A photograph, a folder of them at any depth, or a data set.
        out: Folder of masks; ``summary.csv`` in it gives the share of every class in every image.
        config: Scales, flip, tiles; defaults for a single look at scale 1.
        probabilities: Also keep class probabilities.
        on_progress: Called with (done, total).

    Raises:
        RunError: the run is not finished.
        DataError: no photograph, or the output cannot be written.
    """
    folder = RunFolder(run)
    config, network, classes = config or PredictConfig(), folder.network(), folder.classes
    forward = choose_forward(network, run / "export", classes, engine=config.engine)
    predictor = Predictor(network, config, forward=forward)
    window = folder.config.data.fixed
    return predict_folder(
        predictor,
        images,
        out,
        classes,
        by=_by(run),
        window=window,
        probabilities=probabilities,
        on_progress=on_progress,
    )


def responses(
    run: Path,
    images: Path,
    out: Path,
    *,
    config: PredictConfig | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> Summary:
    """Draw what the classifier of a run looked at: a picture for every photograph and every class that it sees.

    Args:
        run: Folder of a finished training of a method for tags.
        images: A photograph, a folder of them at any depth, or a data set.
        out: Folder of pictures.
        config: Scales and flip; CRF and tiles play no part.
        on_progress: Called with (done, total).

    Raises:
        RunError: the run is not finished, or its method trains no classifier of tags.
        DataError: no photograph, or the output cannot be written.
    """
    folder, config = RunFolder(run), config or PredictConfig()
    responder = Responder(folder.tag_network(), scales=config.scales, flip=config.flip)
    window = folder.config.data.fixed
    return draw_responses(responder, images, out, folder.classes, window=window, by=_by(run), on_progress=on_progress)


def doubts(
    run: Path,
    images: Path,
    out: Path,
    *,
    config: PredictConfig | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> Summary:
    """Draw where the network of a run is unsure: a picture and a map of numbers for every photograph.

    Args:
        run: Folder of a finished training that learned a variance.
        images: A photograph, a folder of them at any depth, or a data set.
        out: Folder of pictures and maps; see `draw_doubts`.
        config: Scales, flip and tiles; the CRF plays no part.
        on_progress: Called with (done, total).

    Raises:
        RunError: the run is not finished, or its final network has no variance head.
        DataError: no photograph, or the output cannot be written.
    """
    folder = RunFolder(run)
    doubter = Doubter(folder.doubting_network(), config or PredictConfig())
    return draw_doubts(doubter, images, out, window=folder.config.data.fixed, by=_by(run), on_progress=on_progress)


def _by(run: Path) -> str:
    """What predicts, in words for the record of the output folder."""
    return f"underpaint predict, run {real(run).name!r}"
