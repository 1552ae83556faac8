"""The painting page with generated scenes, some of which have strokes."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from underpaint.annotations.strokes.log import LogWriter
from underpaint.annotations.strokes.operations import Add, Operation
from underpaint.annotations.strokes.project import is_project
from underpaint.core.errors import DataError
from underpaint.core.paths import AnyPath, as_path
from underpaint.data.synthetic import write_dataset
from underpaint.datasets.annotated import PAINT
from underpaint.datasets.open import open_dataset
from underpaint.serve.server import paint
from underpaint.serve.site import Site
from underpaint.workflows.simulate import simulate
from underpaint.workflows.training_data import read_hints

SCENES = 24
MARKED = 3
"""Number of scenes with strokes. Together they contain every class."""

BEGUN = 1_767_225_600.0
"""Time of the first stroke (the first of January 2026), so that every demo has the same strokes."""


def paint_demo(
    out: AnyPath, *, port: int | None = None, browser: bool = True, say: Callable[[str], None] = print
) -> None:
    """Make scenes with some strokes, and serve the page on them until the process is stopped.

    Args:
        out: New folder, or the folder of an earlier call, which keeps its marks.
        port: As in `underpaint.paint`.
        browser: As in `underpaint.paint`.
        say: As in `underpaint.paint`.

    Raises:
        UnderpaintError: The same as in `underpaint.paint`; or the folder contains other files.
    """
    photographs = as_path(out, "out") / "photographs"
    if not is_project(photographs / PAINT):
        _make(photographs.parent, photographs)
    paint(photographs, port=port, browser=browser, person="demo", say=say)


def _make(out: Path, photographs: Path) -> None:
    if photographs.exists():
        raise DataError("the folder already exists", where=photographs, fix="choose another folder with -o")
    scenes = out / ".scenes"
    shutil.rmtree(scenes, ignore_errors=True)
    write_dataset(scenes, train=SCENES, test=1, size=(128, 160), seed=0)
    simulate(scenes, scenes / "scribbles.jsonl", kind="scribbles")
    hints = read_hints(scenes / "scribbles.jsonl", scenes)
    data = open_dataset(scenes)
    (photographs / "images").mkdir(parents=True)
    shutil.copyfile(scenes / "classes.txt", photographs / "classes.txt")
    for name in data.split("train"):
        shutil.copyfile(data.images[name], photographs / "images" / data.images[name].name)
    site = Site.open(photographs)
    shapes = [(name, shape) for name in sorted(hints)[:MARKED] for shape in hints[name].shapes]
    writer = LogWriter(site.folder, "demo")
    writer.append([Operation(f"demo-{n}", n, BEGUN + n, name, Add(shape)) for n, (name, shape) in enumerate(shapes)])
    writer.close()
    site.close()
    shutil.rmtree(scenes)
