"""Peak memory of ``underpaint quick`` by number of photographs, all of them hinted.

    python -m benchmarks.quick_memory --photographs 500,2000,10000 -o benchmarks/results/quick-memory.json

Photographs of 96 x 64 pixels with three strokes each are made in a temporary folder. Measured is the sum of the
resident memory of the command and its processes, looked at ten times a second, with an empty store of features.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from benchmarks.reports import origin, write
from PIL import Image

from underpaint.annotations.jsonl.write import write_hints
from underpaint.hints.types import Hints, Scribble

CLASSES = ("left", "right", "frame")
LOOK_EVERY = 0.1


def main() -> None:
    """Measure, print and write after every number."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photographs", default="500,2000,10000")
    parser.add_argument("-o", "--out", type=Path)
    asked = parser.parse_args()
    rows: list[dict[str, object]] = []
    report = {
        **origin(),
        "rows": rows,
    }
    for count in map(int, asked.photographs.split(",")):
        with tempfile.TemporaryDirectory() as folder:
            rows.append(_measured(Path(folder), count))
        print(rows[-1], flush=True)
        write(report, asked.out)


def _measured(folder: Path, count: int) -> dict[str, object]:
    data, out = folder / "data", folder / "out"
    _make(data, count)
    words = ["-m", "underpaint", "quick", data, "--hints", data / "hints.jsonl", "-o", out]
    environment = {**os.environ, "UNDERPAINT_CACHE": str(folder / "cache")}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with subprocess.Popen([sys.executable, *map(str, words)], env=environment, stderr=subprocess.DEVNULL) as process:
        peak = 0
        while process.poll() is None:
            peak = max(peak, sum(map(_resident, _tree(process.pid))))
            time.sleep(LOOK_EVERY)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {
        "row": f"{count} photographs",
        "peak_megabytes": round(peak / 2**20),
        "cpu_seconds": round(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime),
        "masks": len(list(out.glob("*.png"))),
        "exit_code": process.returncode,
    }


def _make(data: Path, count: int) -> None:
    """Photographs whose halves differ in colour, and a stroke on each half and on the border."""
    (data / "images").mkdir(parents=True)
    (data / "classes.txt").write_text("\n".join(CLASSES) + "\n", encoding="utf-8")
    rng = np.random.default_rng(0)
    hints = []
    for number in range(count):
        rgb = rng.integers(0, 90, (64, 96, 3), dtype=np.uint8)
        edge = int(rng.integers(30, 66))
        rgb[8:56, 8:edge, 0] += 120
        rgb[8:56, edge:88, 1] += 120
        name = f"{number:05d}"
        Image.fromarray(rgb).save(data / "images" / f"{name}.png", compress_level=1)
        lines = (((14, 20), (16, 44)), ((78, 20), (76, 44)), ((4, 4), (90, 4)))
        hints.append(Hints(name, shapes=tuple(Scribble(c, line) for c, line in zip(CLASSES, lines, strict=True))))
    write_hints(data / "hints.jsonl", hints)


def _tree(process: int) -> Iterator[int]:
    """A process and all below it."""
    yield process
    try:
        children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    except OSError:
        return
    for child in children:
        yield from _tree(int(child))


def _resident(process: int) -> int:
    """Bytes; 0 of a process that has ended."""
    try:
        pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    except (OSError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    main()
