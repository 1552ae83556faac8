"""How many steps a small set needs: the measurement behind ``train.least_steps``.

    python benchmarks/small_sets.py DATA -o DIR [--images 8,16,32] [--steps 20,40,80,160] [--json FILE]

``partial`` learns from simulated scribbles on the first 8, 16 and 32 images of one shuffled order of the training
split, with each number of steps, and is scored at one scale on the validation split. Crops are small, so that the whole
table takes minutes. Every training starts anew, because the learning rate falls over the whole of it. Results that are
there already are not measured again.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from underpaint import plan, simulate
from underpaint.annotations.jsonl import read_hints, write_hints
from underpaint.core.rng import generator
from underpaint.datasets.folder import DataFolder
from underpaint.datasets.open import open_dataset
from underpaint.training.run_folder import commit, versions
from underpaint.workflows.scoring import score_run

BATCH = 8
SETTINGS = (f"train.batch={BATCH}", "views.crop=[160,224]", "train.workers=0", "train.precision=bf16-mixed")
SCORED = 40
"""Images of the validation split that are scored, evenly spread."""


def shuffled(names: tuple[str, ...]) -> list[str]:
    """The training images in the one order whose beginnings are the small sets."""
    return [names[i] for i in generator(0, "small sets").permutation(len(names))]


def measure(data: DataFolder, few: list[str], steps: int, hints: Path, folder: Path) -> dict[str, Any]:
    """One training on a few images, and its scores."""
    said = read_hints(hints)
    own = folder / f"{len(few)}.jsonl"
    write_hints(own, [said[name] for name in few])
    overrides = [*SETTINGS, f"train.epochs={steps * BATCH / len(few)!r}"]
    planned = plan(data.root, hints=[own], split="train", method="partial", settings=overrides)
    if planned.steps != steps:
        raise SystemExit(f"planned {planned.steps} steps instead of {steps}")
    began = time.process_time()
    run = planned.train(folder / f"run-{len(few)}-{steps}")
    seconds = time.process_time() - began
    kept = folder / f"{len(few)}-{steps}.npz"
    scores = score_run(run, data, "scored", folder / f"masks-{len(few)}-{steps}", kept, four=False).evaluation.scores
    return {
        "data": data.root.name,
        "images": len(few),
        "steps": steps,
        "miou": round(scores.miou, 1),
        "pixel_accuracy": round(scores.pixel_accuracy, 1),
        "core_seconds": round(seconds),
        "commit": commit(),
    }


def main() -> None:
    """Measure what is missing, and print and keep every result at once."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument("--images", default="8,16,32")
    parser.add_argument("--steps", default="20,40,80,160")
    parser.add_argument("--json", type=Path, help="file of all results, which may be there already")
    asked = parser.parse_args()
    data = open_dataset(asked.data)
    names = data.split("val")
    data = replace(data, splits={**data.splits, "scored": names[:: -(-len(names) // SCORED)]})
    asked.out.mkdir(parents=True, exist_ok=True)
    hints = asked.out / "scribbles.jsonl"
    if not hints.is_file():
        simulate(asked.data, hints, kind="scribbles", split="train")
    file = asked.json or asked.out / "small_sets.json"
    held = json.loads(file.read_text(encoding="utf-8"))["rows"] if file.is_file() else []
    done = {(row["data"], row["images"], row["steps"]) for row in held}
    for images in map(int, asked.images.split(",")):
        for steps in map(int, asked.steps.split(",")):
            if (data.root.name, images, steps) in done:
                continue
            held.append(measure(data, shuffled(data.split("train"))[:images], steps, hints, asked.out))
            print(json.dumps(held[-1]), flush=True)
            report = {"method": "partial", "settings": SETTINGS, "versions": versions(), "rows": held}
            file.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
