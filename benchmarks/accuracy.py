"""Train a table of (method, hints) on a data set, and score it on the test split.

    python benchmarks/accuracy.py msrc21 --runs runs
    python benchmarks/accuracy.py voc_animals --runs runs --only gated-crf-clicks

Every row is the commands `underpaint simulate`, `train`, `predict`, `evaluate` through their Python functions. A run
that is there already is used again, an interrupted one goes on. The result is written to
benchmarks/results/DATASET-HINTS.json after every row.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "passive")

from underpaint import workflows
from underpaint.cli.progress import Bar
from underpaint.predict import PredictConfig
from underpaint.training.run_folder import read_events, versions

HERE = Path(__file__).resolve().parent
DATA = Path(os.environ.get("UNDERPAINT_DATA", HERE.parent.parent / "shared" / "data"))


@dataclass(frozen=True)
class Row:
    """One line of a table: a method learning from one kind of hint."""

    method: str
    hints: str
    overrides: tuple[str, ...] = ()


@dataclass(frozen=True)
class Table:
    """Rows on one data set, with the splits and the recipe that they share."""

    split: str
    rows: dict[str, Row]
    test: str = "test"


TABLES = {
    "msrc21": Table(
        split="train+val",
        rows={
            "supervised": Row("supervised", "masks"),
            "partial": Row("partial", "scribbles"),
            "gated-crf": Row("gated-crf", "scribbles"),
            "gated-crf-absent": Row("gated-crf", "scribbles", ("method.settings.absent_weight=1.0",)),
        },
    ),
    "voc_animals": Table(
        split="train_official",
        rows={
            "supervised": Row("supervised", "masks"),
            "partial": Row("partial", "scribbles"),
            "gated-crf": Row("gated-crf", "scribbles"),
            "partial-clicks": Row("partial", "clicks"),
            "gated-crf-clicks": Row("gated-crf", "clicks"),
        },
    ),
}


def hints_of(data: Path, kind: str, split: str, runs: Path) -> list[Path]:
    """Real hints where the data set has them, simulated ones else; none for its own masks."""
    if kind == "masks":
        return []
    real = data / "weak" / "voc_whats_the_point.json"
    if kind == "clicks" and real.is_file():
        return [real]
    path = runs / f"{data.name}-{split}-{kind}.jsonl"
    if not path.is_file():
        workflows.simulate(data, path, kind=kind, split=split, seed=0)
    return [path]


def run_row(data: Path, table: Table, row: Row, seed: int, run: Path, runs: Path) -> dict[str, Any]:
    """Train, predict and score one row with one seed."""
    arguments: dict[str, Any] = {
        "hints": hints_of(data, row.hints, table.split, runs),
        "lenient": row.hints == "clicks",
        "split": table.split,
        "method": row.method,
        "recipes": [HERE.parent / "configs" / "data" / f"{data.name}.yaml"],
        "overrides": [*row.overrides, f"seed={seed}"],
        "reporter": Bar(),
    }
    began = time.perf_counter()
    trained = workflows.train(workflows.plan(data, **arguments), run, resume=run.is_dir())
    seconds = time.perf_counter() - began
    score: dict[str, Any] = {"train_seconds": seconds, "steps_per_second": pace(run)}
    masks = run / "masks" / table.test
    workflows.predict(run, images_of(data, table.test, run), masks, config=PredictConfig())
    result = workflows.evaluate(masks, data, split=table.test)
    score |= {
        "miou": result.scores.miou,
        "mean_accuracy": result.scores.mean_accuracy,
        "pixel_accuracy": result.scores.pixel_accuracy,
        "boundary_iou": result.boundary.mean,
        "iou": dict(zip(result.classes.names, result.scores.iou, strict=True)),
        "trained_on": trained.about["images"],
        "commit": trained.about["versions"]["commit"],
    }
    return score


def images_of(data: Path, split: str, run: Path) -> Path:
    """A folder of links to the photographs of a split, so that only they are predicted."""
    from underpaint.formats.dataset import open_dataset

    opened = open_dataset(data)
    folder = run / "images" / split
    folder.mkdir(parents=True, exist_ok=True)
    for name in opened.split(split):
        link = folder / opened.images[name].name
        if not link.exists():
            link.symlink_to(opened.images[name].resolve())
    return folder


def pace(run: Path) -> float:
    """Median images a second of a run's training, from its own log."""
    rates = sorted(e["images_per_second"] for e, _ in read_events(run / "events.jsonl") if e["event"] == "steps")
    return float(rates[len(rates) // 2])


def main() -> None:
    """Run the rows asked for and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", choices=sorted(TABLES))
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="folder of runs and simulated hints")
    parser.add_argument("--only", default="", help="rows, joined with commas; all if left out")
    parser.add_argument("--seeds", default="0", help="seeds, joined with commas")
    asked = parser.parse_args()
    data, table = DATA / asked.dataset, TABLES[asked.dataset]
    if not data.is_dir():
        sys.exit(f"{data} is not there: set UNDERPAINT_DATA to the folder that holds {asked.dataset}")
    seeds = [int(seed) for seed in asked.seeds.split(",")]
    for name in asked.only.split(",") if asked.only else table.rows:
        for seed in seeds:
            run = asked.runs / f"{asked.dataset}-{name}-{seed}"
            score = run_row(data, table, table.rows[name], seed, run, asked.runs)
            (run / "score.json").write_text(json.dumps(score, indent=1) + "\n", encoding="utf-8")
            print(name, seed, json.dumps({k: v for k, v in score.items() if k != "iou"}), flush=True)
    write_table(asked.dataset, table, seeds, asked.runs)


def write_table(dataset: str, table: Table, seeds: list[int], runs: Path) -> None:
    """Collect the scores of all runs that are there into the committed form."""
    scores: dict[str, dict[int, dict[str, Any]]] = {}
    for name in table.rows:
        for seed in seeds:
            path = runs / f"{dataset}-{name}-{seed}" / "score.json"
            if path.is_file():
                scores.setdefault(name, {})[seed] = json.loads(path.read_text(encoding="utf-8"))
    full = scores.get("supervised", {})
    rows = []
    for name, by_seed in scores.items():
        row = table.rows[name]
        floor = scores.get("partial-clicks" if row.hints == "clicks" else "partial", {})
        rows.append(_row(row, by_seed, full, floor))
    result = {
        "dataset": dataset,
        "split": f"{table.split} -> {table.test}",
        "hints": "masks, simulated scribbles" + (", real clicks" if dataset == "voc_animals" else ""),
        "network": "deeplabv3plus, tf_efficientnet_lite0, single scale, last step",
        "seeds": seeds,
        "command": f"python benchmarks/accuracy.py {dataset} --seeds {','.join(map(str, seeds))}",
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "versions": versions(),
        "commit": versions()["commit"],
        "rows": rows,
    }
    path = HERE / "results" / f"{dataset}-foundation.json"
    path.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


def _row(row: Row, by_seed: dict[int, Any], full: dict[int, Any], floor: dict[int, Any]) -> dict[str, Any]:
    def mean(key: str, held: dict[int, Any]) -> float | None:
        return sum(score[key] for score in held.values()) / len(held) if held else None

    miou, ceiling, base = mean("miou", by_seed), mean("miou", full), mean("miou", floor)
    share = miou / ceiling if miou is not None and ceiling else None
    reduction = None
    if miou is not None and ceiling is not None and base is not None and ceiling > base:
        reduction = (miou - base) / (ceiling - base)
    return {
        "method": " ".join((row.method, *row.overrides)),
        "hints": row.hints,
        "miou": miou,
        "miou_per_seed": [score["miou"] for score in by_seed.values()],
        "share_of_full": share,
        "gap_reduction": reduction,
        "boundary_iou": mean("boundary_iou", by_seed),
        "mean_accuracy": mean("mean_accuracy", by_seed),
        "pixel_accuracy": mean("pixel_accuracy", by_seed),
        "minutes": None,
        "commits": sorted({score.get("commit", "") for score in by_seed.values()}),
        "train_minutes": [score["train_seconds"] / 60 for score in by_seed.values()],
        "images_per_second": [score["steps_per_second"] for score in by_seed.values()],
    }


if __name__ == "__main__":
    main()
