"""Makes masks from hints in one step with the quick model. Wrong calls are reported before torch is imported."""

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
    """Fit the quick model on hints and write masks of all photographs, the hinted ones first.

    ``OUT/NAME.png`` is a palette PNG of the photograph's own size, ``OUT/summary.csv`` the table of shares, as
    `underpaint.predict` writes them. Masks of hinted photographs stay within what their hints say
    (`LinearMasks.hinted`); those of the others may show every class that some hint shows. Features are kept, so that
    the same call goes on where an earlier one was interrupted, and a call with more hints computes no feature twice.

    Args:
        data: Data-set folder.
        out: The output folder; made where it is missing.
        hints: As in `underpaint.train`.
        settings: As in `underpaint.train`.
        config: As in `underpaint.train`.
        split: As in `underpaint.train`: whose hints are learned from. Masks are made of all photographs.
        rest: As in `underpaint.train`.
        lenient: As in `underpaint.train`.
        crf: Whether masks of hinted photographs are sharpened along the edges of the photograph.
        reporter: Watches the features of the hinted photographs, then the masks.

    Returns:
        How many masks were written, which photographs were left out and why, and what a person should know.

    Raises:
        UnderpaintError: as `underpaint.train` and `underpaint.predict`; also where the hints mark no pixel, or pixels
            of one class alone.

    Example:
        >>> underpaint.quick("photographs", "masks", hints="scribbles.jsonl").masks.written  # doctest: +SKIP
        64
    """
    stated = read_settings(as_paths(config, "config"), settings)
    learnt = read_training_data(as_path(data, "data"), hints=hints, lenient=lenient, rest=rest, split=split)

    from underpaint.workflows.quick_model import quick_masks  # imports torch, which takes seconds

    return quick_masks(learnt, stated, as_path(out, "out"), crf=crf, reporter=reporter)
