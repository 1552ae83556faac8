"""Makes masks from hints in one step with the quick model. Wrong arguments are reported before torch is imported."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from underpaint.core.paths import AnyPath, SomePaths, as_path, as_paths
from underpaint.hints.types import Hints
from underpaint.workflows.training_data import read_settings, read_training_data

if TYPE_CHECKING:
    from underpaint.training.reporter import Reporter
    from underpaint.workflows.quick_model import QuickSummary


def quick(
    data: AnyPath,
    out: AnyPath,
    *,
    hints: SomePaths | Mapping[str, Hints] = (),
    settings: Mapping[str, Any] | Sequence[str] = (),
    config: SomePaths = (),
    split: str | None = None,
    rest: str | None = None,
    lenient: bool = False,
    crf: bool = True,
    reporter: Reporter | None = None,
) -> QuickSummary:
    """Fit the quick model on hints and write masks of all images; hinted images come first.

    ``OUT/NAME.png`` is a palette PNG of the size of the image, and ``OUT/summary.csv`` the table of class shares, as in
    `underpaint.predict`. Masks of hinted images agree with their hints (`LinearMasks.hinted`). Masks of other images
    may contain every class of the hints. Features are stored, so that the same call continues after an interruption,
    and a call with more hints computes no features again.

    Args:
        data: Data-set folder.
        out: The output folder; it is made if it does not exist.
        hints: As in `underpaint.train`.
        settings: As in `underpaint.train`.
        config: As in `underpaint.train`.
        split: Split whose hints are used, as in `underpaint.train`. Masks are made of all images.
        rest: As in `underpaint.train`.
        lenient: As in `underpaint.train`.
        crf: Whether the borders of masks follow the edges of the image, by a dense CRF.
        reporter: Is told about progress: first the features of the hinted images, then the masks.

    Returns:
        The number of masks, the images that were left out with the reasons, and notes.

    Raises:
        UnderpaintError: The same as in `underpaint.train` and `underpaint.predict`; or the hints mark no pixel, or
            pixels of only one class.

    Example:
        >>> underpaint.quick("photographs", "masks", hints="scribbles.jsonl").masks.written  # doctest: +SKIP
        64
    """
    stated = read_settings(as_paths(config, "config"), settings)
    learnt = read_training_data(as_path(data, "data"), hints=hints, lenient=lenient, rest=rest, split=split)

    from underpaint.workflows.quick_model import quick_masks  # imports torch, which takes seconds

    return quick_masks(learnt, stated, as_path(out, "out"), crf=crf, reporter=reporter)
