"""What a prediction of very many images costs: plan, memory, images a second and storage, measured, and the model.

    python -m benchmarks.scale [--images 100000] [--lines 1000000] [--photographs 40] [--json FILE]
    python -m benchmarks.scale --page       # writes the tables of docs/scale.md from the JSON file again

plan         a manifest of so many lines is planned; no image is read
small        archives of small images (16 x 16 pixels) and a tiny network: what underpaint itself costs for an image
photographs  scenes of 375 x 500 pixels and the default network: what a prediction costs

Every row is a process of its own, whose memory and CPU seconds are those of the system. Where other programs share the
cores, images a second are too few, and CPU seconds are the steadier number: the model uses these.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import resource
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
REPORT = ROOT / "benchmarks" / "results" / "scale.json"
PAGE = ROOT / "docs" / "scale.md"

Json = dict[str, Any]

MANY = 10_000_000
"""Images of the model."""

CORES = 16
"""Of a machine that is rented."""

TINY = ["model.encoder=test_efficientnet", "model.weights=none", "model.width=32", "views.crop=[32,32]"]
SHORT = ["train.epochs=1", "train.batch=2", "train.workers=0"]

ARCHIVE = 10_000
"""Images of an archive."""


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=100_000)
    parser.add_argument("--lines", type=int, default=1_000_000)
    parser.add_argument("--photographs", type=int, default=40)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--page", action="store_true")
    parser.add_argument("--row", nargs=5, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.row:
        print(json.dumps(_row(*asked.row)))
        return
    if not asked.page:
        from benchmarks import reports  # imports torch, which no row should pay for

        with tempfile.TemporaryDirectory() as folder:
            rows = list(measured(Path(folder), asked.images, asked.lines, asked.photographs))
        reports.write({**reports.origin(), "rows": rows}, asked.json)
        print(*rows, sep="\n")
    if asked.page:
        PAGE.write_text(with_tables(PAGE.read_text(encoding="utf-8"), json.loads(REPORT.read_text())), encoding="utf-8")


def measured(work: Path, images: int, lines: int, photographs: int) -> Iterator[Json]:
    """The rows, smallest first."""
    for count in (lines // 10, lines):
        _write_lines(work / f"{count}.jsonl", count)
        yield _apart("plan", f"plan of {count:,} lines", count, work / f"{count}.jsonl", work, 1)
    for name, settings in (("tiny", [*TINY, *SHORT]), ("default", SHORT)):
        _train(work, name, settings)
    for count, jobs in ((images // 10, 1), (images // 10, 2), (images, 2)):
        _write_archives(work / f"small-{count}", count)
        pattern = work / f"small-{count}" / "*.tar"
        yield _apart("predict", f"{count:,} small images, {_processes(jobs)}", count, pattern, work / "tiny", jobs)
    from underpaint.data.synthetic import write_dataset

    write_dataset(work / "photographs", train=photographs, test=1, size=(375, 500), seed=0)
    for count, jobs in ((photographs // 4, 1), (photographs, 1), (photographs, 2)):
        name = f"{count} photographs, {_processes(jobs)}"
        pattern = work / "photographs" / "images" / "*.png"
        yield _apart("predict", name, count, _first(pattern, count), work / "default", jobs)


def _first(pattern: Path, count: int) -> Path:
    """A manifest of the first images."""
    listed = pattern.parent.with_name(f"{count}.jsonl")
    every = sorted(pattern.parent.glob(pattern.name))[:count]
    listed.write_text("".join(json.dumps({"image": str(path), "name": path.stem}) + "\n" for path in every))
    return listed


def _processes(jobs: int) -> str:
    return f"{jobs} process" + ("es" if jobs > 1 else "")


def _apart(kind: str, name: str, images: int, source: Path, run: Path, jobs: int) -> Json:
    """A row, measured in a process of its own."""
    words = [sys.executable, "-m", "benchmarks.scale", "--row", kind, str(images), str(source), str(run), str(jobs)]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{name} ended with {done.returncode}: {done.stderr}")
    row: Json = {"name": name, "images": images, "jobs": jobs, **json.loads(done.stdout.splitlines()[-1])}
    print(json.dumps(row), flush=True)
    return row


def _row(kind: str, images: str, source: str, run: str, jobs: str) -> Json:
    with tempfile.TemporaryDirectory(dir=Path(run).parent) as folder:
        out = Path(folder) / "out"
        moments: list[tuple[float, int]] = []
        workers = [0]
        began = time.perf_counter()
        if kind == "plan":
            from underpaint.shards.manifest import entries
            from underpaint.shards.plan import make_plan

            out.mkdir()
            make_plan(out / "plan", entries(source), size=256, stamp={}, source=source)
        else:
            import underpaint

            size = max(1, min(256, int(images) // 8))

            def note(done: int, total: int, failed: int) -> None:
                assert not failed
                workers[:] = [max(workers[0], *map(_peak, _children()), 0)]
                if done:
                    moments.append((time.perf_counter(), done))

            underpaint.predict_shards(run, source, out, jobs=int(jobs), size=size, crf=False, on_progress=note)
        seconds = time.perf_counter() - began
        stored = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return {
        "seconds": round(seconds, 1),
        "images a second": round(_rate(moments) or int(images) / seconds, 1),
        "CPU ms an image": round(1000 * sum(use.ru_utime + use.ru_stime for use in used) / int(images), 3),
        "memory of the command (MB)": _peak(os.getpid()),
        "memory of a process (MB)": workers[0] or None,
        "stored bytes an image": round(stored / int(images)),
    }


def _children() -> list[int]:
    """The processes that this one has started, of all its threads."""
    return [int(pid) for path in Path("/proc/self/task").glob("*/children") for pid in path.read_text().split()]


def _peak(process: int) -> int:
    """The largest memory of a process so far in MB; `getrusage` would also count that of its parent at the start."""
    try:
        status = Path(f"/proc/{process}/status").read_text()
    except OSError:
        return 0
    return round(int(status.partition("VmHWM:")[2].split()[0]) / 1024) if "VmHWM:" in status else 0


def _rate(moments: list[tuple[float, int]]) -> float | None:
    """Images a second between the first shard that was done and the last: the start of the processes is not in it."""
    if len(moments) < 2:
        return None
    (first, before), (last, after) = moments[0], moments[-1]
    return (after - before) / (last - first)


def _write_lines(path: Path, count: int) -> None:
    with path.open("w") as file:
        for number in range(count):
            file.write(json.dumps({"image": f"s3://photographs/{number // 1000:05d}/{number:08d}.jpg"}) + "\n")


def _write_archives(folder: Path, count: int) -> None:
    """Small images of noise in archives, each with a name of its own; a hundred pictures in turn."""
    if folder.is_dir():
        return
    folder.mkdir()
    pictures = [_png(number) for number in range(100)]
    for first in range(0, count, ARCHIVE):
        with tarfile.open(folder / f"{first:08d}.tar", "w") as tar:
            for number in range(first, min(first + ARCHIVE, count)):
                member = tarfile.TarInfo(f"{number:08d}.png")
                member.size = len(pictures[number % 100])
                tar.addfile(member, io.BytesIO(pictures[number % 100]))


def _png(seed: int) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (16, 16, 3), np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def _train(work: Path, name: str, settings: list[str]) -> None:
    """A run of a short training: its masks have no use, its speed is that of any other."""
    import underpaint
    from underpaint.data.synthetic import write_dataset

    if not (work / "scenes").is_dir():
        write_dataset(work / "scenes", train=8, test=4, size=(96, 128), seed=0)
        underpaint.simulate(work / "scenes", work / "hints.jsonl", kind="scribbles")
    hints = work / "hints.jsonl"
    underpaint.train(work / "scenes", work / name, hints=hints, method="partial", settings=settings)


def with_tables(page: str, report: Json) -> str:
    """The page with its tables made from the report."""
    for name, lines in (("measured", _measured_table(report)), ("cost", _cost_table(report))):
        before, rest = page.split(f"<!-- {name}: made by benchmarks/scale.py -->\n")
        after = rest.partition(f"<!-- end of {name} -->")[2]
        text = "\n".join(lines)
        page = f"{before}<!-- {name}: made by benchmarks/scale.py -->\n\n{text}\n\n<!-- end of {name} -->{after}"
    return page


COLUMNS = (
    "images a second", "CPU ms an image", "memory of the command (MB)", "memory of a process (MB)",
    "stored bytes an image",
)  # fmt: skip


def _measured_table(report: Json) -> Iterator[str]:
    yield f"| | {' | '.join(COLUMNS)} |"
    yield "|---|" + "--:|" * len(COLUMNS)
    for row in report["rows"]:
        yield f"| {row['name']} | " + " | ".join("" if row[c] is None else f"{row[c]:,g}" for c in COLUMNS) + " |"


def _cost_table(report: Json) -> Iterator[str]:
    yield f"| for {MANY:,} images | photographs of 375 x 500 pixels, default network |"
    yield "|---|--:|"
    for name, value in model(report).items():
        yield f"| {name} | {value} |"


def model(report: Json) -> dict[str, str]:
    """The cost of very many images, from the measured rows: core hours, machines, memory, storage."""
    rows = report["rows"]
    plans = [row for row in rows if row["name"].startswith("plan")]
    photographs = [row for row in rows if "photographs" in row["name"]]
    few, one, several = photographs
    total = [row["CPU ms an image"] * row["images"] for row in (few, one)]
    hours = (total[1] - total[0]) / (one["images"] - few["images"]) / 1000 * MANY / 3600  # without the start
    grown = plans[-1]["memory of the command (MB)"] - plans[0]["memory of the command (MB)"]
    each = max(0.0, grown) * 2**20 / (plans[-1]["images"] - plans[0]["images"])
    memory = plans[-1]["memory of the command (MB)"] + each * (MANY - plans[-1]["images"]) / 2**20
    return {
        "core hours": f"{hours:,.0f}",
        f"hours on one machine of {CORES} cores": f"{hours / CORES:,.0f}",
        f"machines of {CORES} cores for one day": f"{hours / CORES / 24:,.1f}",
        "memory of such a machine": f"{CORES * several['memory of a process (MB)'] / 1024:,.0f} GB",
        "memory of the command while it plans": f"{memory / 1024:,.1f} GB",
        "time to plan": f"{plans[-1]['CPU ms an image'] * MANY / 1000 / 60:,.0f} minutes",
        "storage of masks and index": f"{several['stored bytes an image'] * MANY / 1e9:,.0f} GB",
    }


if __name__ == "__main__":
    main()
