"""The whole way in a few minutes: scenes, scribbles, three trainings, masks, and the gap between them."""

from __future__ import annotations

from pathlib import Path

from underpaint.core.paths import AnyPath, as_path
from underpaint.data.synthetic import write_dataset
from underpaint.training.reporter import Reporter, Silent
from underpaint.workflows.gap import gap, open_comparison

SETTINGS = (
    "views.crop=[128,160]",
    "views.scales=[0.8,1.25]",
    "train.epochs=20",
    "train.batch=8",
)
"""The scenes' own size, and so many passes that the three trainings take about three minutes on two cores."""


def demo(
    out: AnyPath, *, train_scenes: int = 64, test_scenes: int = 24, command: str = "", reporter: Reporter | None = None
) -> Path:
    """Make scenes, draw scribbles, train floor, method and ceiling, predict, score and report.

    A demo that was interrupted goes on; one that is complete only writes its report again.

    Args:
        out: Folder to make, as in `gap`: ``scenes/``, and what `gap` makes.
        train_scenes: Scenes to learn from.
        test_scenes: Scenes to score on.
        command: What made the report; stands in it.
        reporter: Watches; None for nobody.

    Returns:
        The path of the report.

    Raises:
        UnderpaintError: as `underpaint.gap`.

    Example:
        >>> underpaint.demo("underpaint-demo")  # doctest: +SKIP
        PosixPath('underpaint-demo/report.html')
    """
    reporter, out = reporter or Silent(), as_path(out, "out")
    open_comparison(out)
    scenes = out / "scenes"
    write_dataset(scenes, train=train_scenes, test=test_scenes, size=(128, 160), seed=0)
    reporter.note(f"{train_scenes} scenes to learn from and {test_scenes} to score on, in {scenes}")
    gap(
        scenes,
        out,
        methods=["gated-crf"],
        settings=SETTINGS,
        tuning="nothing was chosen on masks",
        command=command,
        reporter=reporter,
    )
    return out / "report.html"
