"""Whether seeded trainings still give the same weights, byte for byte, as before a change of the code.

    python benchmarks/same_weights.py --note "before" [--json FILE] [--only NAME ...] [--against FILE]

Trains small networks on synthetic scenes, one run for each row of `RUNS`, and prints the SHA-256 of the final weights.
``--json`` appends the column to a table, ``--against`` compares with the last column of one, and the exit code is 1
where a run differs. Weights depend on the processor and on the version of torch, so compare on one machine only.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import platform
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch

import underpaint
from underpaint.data.synthetic import write_dataset

SMALL = (
    "views.crop=[64,64]",
    "train.batch=4",
    "train.epochs=2",
    "train.least_steps=0",
    "train.workers=0",
    "train.checkpoint_every=1000",
)

FIRST = tuple(f"method.settings.{one}" for one in ("baseline=partial", "local=colour", "scales=[0.75,1.0,1.5]"))
"""The defaults of local-global in version 0.1.0."""

RUNS: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "partial": ("scribbles", "partial", ()),
    "gated-crf": ("scribbles", "gated-crf", ()),
    "dense-crf-loss": ("scribbles", "dense-crf-loss", ()),
    "local-global": ("clicks", "local-global", FIRST),
    "local-global-soft": ("scribbles", "local-global", (*FIRST, "method.settings.targets=soft")),
    "box-uncertainty": ("boxes", "box-uncertainty", ()),
    "box-uncertainty-soft": ("boxes", "box-uncertainty", ("method.settings.bootstrap=soft",)),
    "cam": ("tags", "cam", ()),
    "rrm-two-steps": ("tags", "rrm", ("method.settings.steps=two",)),
    "rrm-scratch": ("tags", "rrm", ("method.settings.schedule=scratch",)),
    "sc-cam": ("tags", "sc-cam", ("method.settings.subclasses=2", "method.settings.rounds=1")),
    "sc-cam-soft": (
        "tags",
        "sc-cam",
        ("method.settings.subclasses=2", "method.settings.rounds=1", "method.settings.targets=soft"),
    ),
    "quick": ("scribbles", "quick", ()),
    "supervised": ("masks", "supervised", ()),
}
"""Name of the row: kind of hint, method, settings."""


def digests(names: list[str], folder: Path) -> dict[str, str]:
    """SHA-256 of the weights of each run, trained below ``folder``."""
    scenes, found = folder / "scenes", {}
    write_dataset(scenes, train=12, test=2, size=(80, 96), seed=0)
    for name in names:
        kind, method, settings = RUNS[name]
        hints = folder / f"{kind}.jsonl"
        if kind != "masks" and not hints.exists():
            underpaint.simulate(scenes, hints, kind=kind)
        given = [] if kind == "masks" else [hints]
        planned = underpaint.plan(scenes, hints=given, method=method, settings=[*SMALL, *settings])
        run = planned.train(folder / "runs" / name, store=folder / "store")
        found[name] = hashlib.sha256((run.root / "weights.safetensors").read_bytes()).hexdigest()
        print(f"{name:22} {found[name]}", flush=True)
    return found


def commit() -> str:
    """The commit of the code that was run."""
    return subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True, cwd=Path(__file__).parent
    ).stdout.strip()


def main() -> int:
    """Train, print, compare and keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--note", default="", help="what the code is: before or after which change")
    parser.add_argument("--json", type=Path, help="table to which this column is appended")
    parser.add_argument("--against", type=Path, help="table with whose last column to compare")
    parser.add_argument("--only", nargs="*", choices=sorted(RUNS), help="rows to train; all by default")
    asked = parser.parse_args()
    names = asked.only or list(RUNS)
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        found = digests(names, Path(folder))
    differ = []
    if asked.against is not None:
        before = json.loads(asked.against.read_text())["columns"][-1]["weights"]
        differ = [name for name in names if before.get(name) not in (None, found[name])]
        print(f"{len(names)} runs, other weights in: {', '.join(differ) or 'none'}")
    if asked.json is not None:
        table: dict[str, Any] = {"what": "SHA-256 of the weights of seeded trainings", "columns": []}
        if asked.json.exists():
            table = json.loads(asked.json.read_text())
        machine = f"{platform.machine()}, torch {torch.__version__}"
        table["columns"].append({"note": asked.note, "commit": commit(), "machine": machine, "weights": found})
        asked.json.write_text(json.dumps(table, indent=1) + "\n")
    return int(bool(differ))


if __name__ == "__main__":
    sys.exit(main())
