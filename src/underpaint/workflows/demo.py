"""The demo: generated scenes, scribbles, three trainings, masks and a report in a few minutes."""

from __future__ import annotations

from pathlib import Path

from underpaint.core.paths import AnyPath, as_path
from underpaint.data.synthetic import write_dataset
from underpaint.training.reporter import Reporter, Silent
from underpaint.workflows.gap import gap, open_comparison

SETTINGS = (
    "views.scales=[0.8,1.25]",
    "train.epochs=6",
    "train.batch=8",
)
"""Views of about the size of the scenes, and a number of passes with which the three trainings take five minutes on two
cores."""


def demo(
    out: AnyPath, *, train_scenes: int = 64, test_scenes: int = 24, command: str = "", reporter: Reporter | None = None
) -> Path:
    """Make scenes and scribbles, train floor, method and ceiling, predict, score and write a report.

    If it was interrupted, the same call continues. If it is complete, only the report is written again.

    Args:
        out: New folder, as in `gap`. It gets ``scenes/`` and the results of `gap`.
        train_scenes: Number of scenes for training.
        test_scenes: Number of scenes for scoring.
        command: The command line, for the report.
        reporter: Is told about progress.

    Returns:
        The path of the report.

    Raises:
        UnderpaintError: The same as in `underpaint.gap`.

    Example:
        >>> underpaint.demo("underpaint-demo")  # doctest: +SKIP
        PosixPath('underpaint-demo/report.html')
    """
    reporter, out = reporter or Silent(), as_path(out, "out")
    open_comparison(out)
    scenes = out / "scenes"
    write_dataset(scenes, train=train_scenes, test=test_scenes, size=(128, 160), seed=0)
    reporter.note(f"{train_scenes} scenes for training and {test_scenes} for scoring, in {scenes}")
    gap(
        scenes,
        out,
        methods=["gated-crf"],
        settings=SETTINGS,
        tuning="no setting was chosen on masks",
        command=command,
        reporter=reporter,
    )
    return out / "report.html"
