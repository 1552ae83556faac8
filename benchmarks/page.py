"""The server's goals of ``underpaint paint``: saving, masks after strokes, opening, many photographs.

    python -m benchmarks.page [--parts painting many] [--photographs 60] [--many 10000] [--strokes 100000] [-o FILE]

A server is started as by a person. Scenes of 1024 x 768 pixels are marked with simulated strokes through the API, one a
request. Measured are the request that saves a stroke; the time from a stroke to the next mask of the photograph on
screen, with CRF; the same while a training runs; the answers that open a photograph; the time from the first strokes to
a mask of every photograph. Then a folder of many small photographs with many strokes: from the start of the command to
its first list, for the first time and with what it kept, and the server's memory. Times are of the clock, so that a
machine with other work gives larger ones; ``load`` says how many processes were waiting, and ``server_cpu_seconds``
what the server itself computed until its first list.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.paint_client import Client, RefusedError, wait_for_link
from benchmarks.reports import origin, write
from PIL import Image

import underpaint
from underpaint.annotations.parsing.shapes import shape_record
from underpaint.annotations.strokes.log import LogWriter
from underpaint.annotations.strokes.operations import Add, Operation
from underpaint.annotations.strokes.project import STROKES
from underpaint.data.synthetic import write_dataset
from underpaint.hints.types import Scribble, Shape

PATIENCE = 900.0
MEASURED = 25
"""Strokes whose masks are waited for, in each situation."""


@contextmanager
def served(data: Path) -> Iterator[tuple[int, Client]]:
    """A server of a folder: its process and a client."""
    log = data.parent / "log"
    log.unlink(missing_ok=True)
    with log.open("wb") as file:
        words = [sys.executable, "-m", "underpaint", "paint", str(data), "--no-browser", "--port", "0"]
        process = subprocess.Popen(words, stdout=file, stderr=file, env=os.environ | {"PYTHONUNBUFFERED": "1"})
        try:
            yield process.pid, wait_for_link(log, PATIENCE)
        finally:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(20)
            process.kill()


def until(holds: Callable[[], bool]) -> float:
    """Seconds until something holds, asked every 5 ms."""
    began = time.monotonic()
    while not holds():
        if time.monotonic() - began > PATIENCE:
            raise TimeoutError("waited too long")
        time.sleep(0.005)
    return time.monotonic() - began


def row(name: str, seconds: list[float], goal: str) -> dict[str, object]:
    """A row of the report, in milliseconds."""
    middle, high = (round(1000 * float(np.quantile(seconds, share)), 1) for share in (0.5, 0.95))
    load = round(os.getloadavg()[0], 1)
    made = {"row": name, "median_ms": middle, "p95_ms": high, "count": len(seconds), "goal": goal, "load": load}
    print(made, flush=True)
    return made


class Strokes:
    """Simulated strokes of scenes, sent one after the other."""

    def __init__(self, folder: Path, photographs: int) -> None:
        scenes = folder / "scenes"
        write_dataset(scenes, train=photographs, test=1, size=(768, 1024), seed=0)
        underpaint.simulate(scenes, folder / "hints.jsonl", kind="scribbles")
        hints = underpaint.read_hints(folder / "hints.jsonl", scenes)
        self.data = folder / "data"
        (self.data / "images").mkdir(parents=True)
        for name in hints:
            path = underpaint.open_dataset(scenes).images[name]
            path.rename(self.data / "images" / path.name)
        (self.data / "classes.txt").write_bytes((scenes / "classes.txt").read_bytes())
        self.rest: dict[str, list[Shape]] = {name: list(one.shapes) for name, one in hints.items()}
        self.count = 0

    def send(self, client: Client, image: int, shape: Shape) -> float:
        """Save a stroke: how long the answer took."""
        self.count += 1
        one = {"id": f"b{self.count}", "image": image, "op": "add", "hint": shape_record(shape)}
        began = time.monotonic()
        client.post("ops", {"ops": [one]})
        return time.monotonic() - began


def painting(folder: Path, photographs: int) -> Iterator[dict[str, object]]:
    """The rows of a person who paints."""
    strokes = Strokes(folder, photographs)
    with served(strokes.data) as (_, client):
        ids = {one["name"]: one["id"] for one in client.rows()}
        names = [name for name, shapes in strokes.rest.items() if shapes and name in ids]
        opened: list[float] = []
        for name in names[:MEASURED]:
            began = time.monotonic()
            shown = client.get(f"images/{ids[name]}")
            client.bytes("GET", f"images/{ids[name]}/tiles/{shown['levels'] - 1}/0_0")
            opened.append(time.monotonic() - began)
        yield row("open a photograph: answer and first tile", opened, "300")
        first = names[0]
        client.get(f"images/{ids[first]}")
        for shape in strokes.rest.pop(first):
            strokes.send(client, ids[first], shape)
        seconds = until(lambda: all(one["mask"] for one in client.rows()))
        yield row(f"first masks of {len(ids)} photographs", [seconds], "60000")
        saved, masks = _strokes_to_masks(client, strokes, ids, names[1:])
        yield row("stroke saved", saved, "50")
        yield row("stroke to mask, with CRF", masks, "1000, 95 %: 2000")
        with suppress(RefusedError):
            run = client.post("train", {"method": "partial", "minutes": 10})["run"]
            until(lambda: client.get(f"runs/{run}")["state"] == "running")
            _, masks = _strokes_to_masks(client, strokes, ids, names[1:])
            state = client.get(f"runs/{run}")["state"]
            yield row(f"stroke to mask, with CRF, beside a training ({state})", masks, "1000, 95 %: 2000")
            client.post(f"runs/{run}/stop", {})


def _strokes_to_masks(
    client: Client, strokes: Strokes, ids: dict[str, int], names: list[str]
) -> tuple[list[float], list[float]]:
    """Seconds to save, and from sending to a newer mask that knows the stroke, one photograph after the other."""
    saved: list[float] = []
    masks: list[float] = []
    for name in names:
        shapes = strokes.rest.get(name, [])
        if not shapes or len(masks) >= MEASURED:
            continue
        image = ids[name]
        client.get(f"images/{image}")
        time.sleep(0.3)
        shape = shapes.pop()
        before = client.get(f"images/{image}?brief=1")["mask"]
        began = time.monotonic()
        saved.append(strokes.send(client, image, shape))
        until(
            lambda image=image, before=before: (  # type: ignore[misc]
                client.get("project")["model"]["behind"] == 0 and client.get(f"images/{image}?brief=1")["mask"] > before
            )
        )
        masks.append(time.monotonic() - began)
    return saved, masks


def many(folder: Path, photographs: int, strokes: int) -> Iterator[dict[str, object]]:
    """The rows of a folder of many photographs and strokes."""
    data = folder / "many"
    data.mkdir()
    rng = np.random.default_rng(0)
    stream = io.BytesIO()
    Image.fromarray(rng.integers(0, 255, (64, 96, 3), np.uint8)).save(stream, "JPEG")
    for number in range(photographs):
        (data / f"p{number:05d}.jpg").write_bytes(stream.getvalue())
    project: dict[str, Any] = {"underpaint": "paint", "version": 1, "id": "p", "classes": []}
    for name, color in (("background", "#999999"), ("cat", "#e69f00"), ("dog", "#56b4e9")):
        project["classes"].append({"name": name, "color": color, "key": None})
    (data / "paint" / STROKES).mkdir(parents=True)
    (data / "paint" / "project.json").write_text(json.dumps(project))
    writer = LogWriter(data / "paint", "me")
    points = tuple((round(float(x), 1), round(float(y), 1)) for x, y in rng.uniform(0, 60, (20, 2)))
    for start in range(0, strokes, 1000):
        every = range(start, min(start + 1000, strokes))
        writer.append([_stroke(number, f"p{number % photographs:05d}", points) for number in every])
    writer.close()
    for when in ("for the first time", "with what it kept"):
        began = time.monotonic()
        with served(data) as (pid, client):
            client.get("project")
            client.get("images?limit=200")
            usable = time.monotonic() - began
            computed = cpu_seconds(pid)
            told = row(f"{photographs} photographs, {strokes} strokes: usable {when}", [usable], "2000")
            yield {**told, "server_cpu_seconds": computed}
            resident = int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
            memory = {"row": f"the server's memory {when}", "megabytes": round(resident / 2**20), "goal": "300"}
            print(memory, flush=True)
            yield memory


def cpu_seconds(pid: int) -> float:
    """The seconds that a process has computed."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return round((int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"), 2)


def _stroke(number: int, image: str, points: tuple[tuple[float, float], ...]) -> Operation:
    shape = Scribble(("cat", "dog")[number % 2], points, 3.0)
    return Operation(f"s{number}", number + 1, 1.79e9 + number, image, Add(shape))


def main() -> None:
    """Measure, print and write after every number."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", nargs="+", choices=("painting", "many"), default=["painting", "many"])
    parser.add_argument("--photographs", type=int, default=60)
    parser.add_argument("--many", type=int, default=10_000)
    parser.add_argument("--strokes", type=int, default=100_000)
    parser.add_argument("-o", "--out", type=Path)
    asked = parser.parse_args()
    rows: list[dict[str, object]] = []
    report: dict[str, object] = {**origin(), "rows": rows}
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        work = Path(folder)
        parts = {"painting": painting(work, asked.photographs), "many": many(work, asked.many, asked.strokes)}
        for part in asked.parts:
            for one in parts[part]:
                rows.append(one)
                write(report, asked.out)


if __name__ == "__main__":
    main()
