"""What mixing kinds of hints is worth: the tables of docs/mixtures.md.

    python benchmarks/mixtures.py hour VOC_ANIMALS -o DIR [--minutes 60]    # an hour of one kind, or of all five
    python benchmarks/mixtures.py tags MSRC21 -o DIR [--share 0.25]         # scribbles on some images, tags on the rest

Hints are simulated from the training masks, and cost what `underpaint.simulate.effort` says. ``hour`` goes through the
training images in one shuffled order and hints them until the minutes are spent: with one kind, or a fifth of the
minutes on each; then the mixture without one of its kinds. ``tags`` scribbles on the first share of that order; in the
second row the others have their tags. Every row takes the method that ``auto`` takes, and the same number of steps a
stage, whatever its number of images. Results are those of one scale on the test split. For choosing there are --on val
and --on unhinted: the images to learn from that neither the mixture nor the row hints. Interrupted, the same command
goes on.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from underpaint import plan
from underpaint.annotations.jsonl import write_hints
from underpaint.core.atomic import write_atomic
from underpaint.core.rng import generator
from underpaint.datasets.folder import DataFolder
from underpaint.datasets.open import open_dataset
from underpaint.hints.types import Hints, Kind
from underpaint.imagefiles.masks import read_index_mask
from underpaint.simulate.mixture import simulate_kind
from underpaint.training.reporter import Reporter, Silent
from underpaint.training.run_folder import commit
from underpaint.workflows.scoring import score_run

KINDS = (Kind.MASK, Kind.BOX, Kind.SCRIBBLE, Kind.CLICK, Kind.TAG)

Rows = dict[str, list[Hints]]

UNHINTED = "unhinted"


class Printed(Silent):
    """Says on the terminal what a long training does."""

    def note(self, text: str) -> None:
        """One line."""
        print(text, flush=True)


def main() -> None:
    """Draw the hints, train every row and write ``report.json``, or ``report-SPLIT.json`` of another than test."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("which", choices=("hour", "tags"))
    parser.add_argument("data", type=Path)
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument("--split", default="train", help="split to learn from")
    parser.add_argument("--on", default="test", help="split to score on")
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--share", type=float, default=0.25)
    parser.add_argument("--steps", type=int, default=220, help="of every stage")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--config", type=Path, action="append", default=[])
    parser.add_argument("--set", action="append", default=[], dest="settings", help="setting that all rows share")
    parser.add_argument("--row", action="append", help="measure this row alone; the others stay in the report")
    parser.add_argument("--row-set", action="append", default=[], help="setting of one row, as ROW:name=value")
    asked = parser.parse_args()
    data = open_dataset(asked.data)
    names = shuffled(data.split(asked.split), asked.seed)
    if asked.which == "hour":
        rows = hours(data, names, 60 * asked.minutes, asked.seed)
    else:
        rows = shares(data, names, asked.share, asked.seed)
    for label in asked.row or rows:
        hinted = {hint.image for row in (label, next(iter(rows))) for hint in rows[row]}
        unhinted = tuple(name for name in names if name not in hinted)
        made = measured(label, rows[label], replace(data, splits={**data.splits, UNHINTED: unhinted}), asked, Printed())
        print(json.dumps(made), flush=True)
        held = asked.out / ("report.json" if asked.on == "test" else f"report-{asked.on}.json")
        before = json.loads(held.read_text())["rows"] if held.is_file() else []
        results = {row["row"]: row for row in (*before, made)}
        report = {
            "command": shlex.join(["python", *sys.argv]),
            "split": asked.split,
            "scored on": asked.on,
            "steps a stage": asked.steps,
            "seed": asked.seed,
            "rows": [results[row] for row in rows if row in results],
        }
        write_atomic(held, (json.dumps(report, indent=1) + "\n").encode())


def shuffled(names: Iterable[str], seed: int) -> list[str]:
    """The names in the order in which a person comes to them."""
    ordered = sorted(names)
    return [ordered[i] for i in generator(seed, "order of annotation").permutation(len(ordered))]


def drawn(data: DataFolder, seed: int) -> Callable[[str, Kind], Hints]:
    """Simulated hints of one kind for an image."""

    def draw(name: str, kind: Kind) -> Hints:
        mask = read_index_mask(data.masks[name], data.classes)
        file = data.masks[name].relative_to(data.root).as_posix()
        return simulate_kind(mask, data.classes, kind=kind, image=name, seed=seed, mask_file=file)

    return draw


def hours(data: DataFolder, names: list[str], seconds: float, seed: int) -> Rows:
    """One row a kind, one that spends the same on all, and that one again without each kind."""
    draw = drawn(data, seed)
    left = iter(names)
    parts = {kind: list(until_spent(left, kind, seconds / len(KINDS), draw)) for kind in KINDS}
    rows = {"mixture": [hint for part in parts.values() for hint in part]}
    rows |= {kind.value: list(until_spent(iter(names), kind, seconds, draw)) for kind in KINDS}
    for without in KINDS:
        rows[f"without-{without.value}"] = [hint for kind in KINDS if kind != without for hint in parts[kind]]
    return rows


def until_spent(
    names: Iterator[str], kind: Kind, seconds: float, draw: Callable[[str, Kind], Hints]
) -> Iterator[Hints]:
    """Hints of a kind for as many of the images as the seconds allow; the one that no longer fits is left out."""
    for name in names:
        hint = draw(name, kind)
        assert hint.seconds is not None
        seconds -= hint.seconds
        if seconds < 0:
            return
        yield hint


def shares(data: DataFolder, names: list[str], share: float, seed: int) -> Rows:
    """Scribbles on the first images, without and with tags on the rest."""
    draw = drawn(data, seed)
    count = round(share * len(names))
    scribbled = [draw(name, Kind.SCRIBBLE) for name in names[:count]]
    return {"scribbles": scribbled, "scribbles+tags": scribbled + [draw(name, Kind.TAG) for name in names[count:]]}


def measured(
    label: str, hints: list[Hints], data: DataFolder, asked: argparse.Namespace, reporter: Reporter
) -> dict[str, object]:
    """Train what ``auto`` chooses for the hints, and score it on one of the splits of ``data``."""
    file = asked.out / "hints" / f"{label}.jsonl"
    file.parent.mkdir(parents=True, exist_ok=True)
    write_hints(file, sorted(hints, key=lambda hint: hint.image))
    reporter.note(f"{label}: {len(hints)} images")
    planned = plan(asked.data, hints=[file], split=asked.split, config=asked.config, settings=[f"seed={asked.seed}"])
    batch = planned.config.train.batch
    own = [text.partition(":")[2] for text in asked.row_set if text.partition(":")[0] == label]
    planned = plan(
        asked.data,
        hints=[file],
        split=asked.split,
        config=asked.config,
        settings=[*asked.settings, *own, f"seed={asked.seed}", f"train.epochs={asked.steps * batch / len(hints)!r}"],
    )
    for line in planned.words():
        reporter.note(line)
    folder = asked.out / "runs" / label
    run = planned.train(folder, resume=folder.is_dir(), store=asked.out / "artifacts", reporter=reporter)
    kept = asked.out / "scores" / f"{label}-{asked.on}.npz"
    scores = score_run(run, data, asked.on, asked.out / "masks" / label, kept, four=False).evaluation.scores
    return {
        "row": label,
        "commit": commit(),
        "images": len(hints),
        "minutes": round(sum(hint.seconds or 0 for hint in hints) / 60, 1),
        "kinds": planned.source["kinds"],
        "method": planned.config.method.name,
        "miou": round(scores.miou, 2),
        "mean class accuracy": round(scores.mean_accuracy, 2),
        "pixel accuracy": round(scores.pixel_accuracy, 2),
    }


if __name__ == "__main__":
    main()
