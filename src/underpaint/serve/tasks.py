"""Tasks that need torch or take long, in separate processes: ``python -m underpaint.serve.tasks WORD JSON``.

Each word is a function below. Its result is printed as JSON. After an error of underpaint, the exit code is 1 and the
output ``{"what", "fix"}``.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from underpaint.core.errors import UnderpaintError
from underpaint.serve.lifeline import listen


def plan(data: str, project: str, method: str, minutes: float | None) -> dict[str, Any]:
    """The plan of a training, its settings for the given time, and its number of steps in all stages."""
    from underpaint.workflows.train import plan as planned

    made = planned(data, hints=[project], method=method, lenient=True, minutes=minutes)
    settings = [] if minutes is None else [f"train.epochs={made.config.train.epochs!r}"]
    return {"lines": [*made.words(), *made.notes], "settings": settings, "steps": made.steps}


def masks(data: str, project: str, out: str, run: str | None) -> dict[str, Any]:
    """Make masks of all photographs with the quick model or with a run."""
    with (
        tempfile.TemporaryDirectory() as folder
    ):  # masks must not be written among the photographs, where the project is
        fresh = Path(folder) / "masks"
        if run is None:
            from underpaint.workflows.quick import quick

            made = quick(data, fresh, hints=[project], lenient=True).masks
        else:
            from underpaint.workflows.predict import predict

            made = predict(run, data, fresh)
        _put(fresh, Path(out))
    return {"written": made.written, "skipped": len(made.skipped)}


def _put(made: Path, out: Path) -> None:
    """Give a folder, perhaps of another disk, its name in one step; what an interrupted task left is removed."""
    beside = out.with_name(f".{out.name}.part")
    shutil.rmtree(beside, ignore_errors=True)
    beside.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(made, beside)
    shutil.rmtree(out, ignore_errors=True)
    beside.rename(out)


def network(run: str, out: str) -> dict[str, Any]:
    """Write a trained network as ONNX."""
    from underpaint.export import export_onnx
    from underpaint.workflows.run import load_run

    finished = load_run(run)
    export_onnx(finished.network(), Path(out), classes=finished.classes)
    return {"written": 1}


def hints(data: str, project: str, out: str, to: str) -> dict[str, Any]:
    """Write the marks in another format, with names and sizes of the photographs if the data set uses the marks."""
    from underpaint.datasets.open import open_dataset
    from underpaint.workflows.convert import convert

    whole = open_dataset(data, hints=[project]).annotations == (Path(project),)
    made = convert(data if whole else project, out, to=to)
    return {"written": len(made.hints), "lost": list(made.losses.lines())}


WORDS: dict[str, Callable[..., dict[str, Any]]] = {"plan": plan, "masks": masks, "network": network, "hints": hints}


def main(word: str, arguments: str) -> int:
    """Run one task and return the exit code. The end of the input, which is that of the server, ends it."""
    listen(str)
    try:
        said = WORDS[word](**json.loads(arguments))
    except UnderpaintError as error:
        sys.stdout.write(json.dumps({"what": error.what, "fix": error.fix or ""}) + "\n")
        return 1
    sys.stdout.write(json.dumps(said) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2]))
