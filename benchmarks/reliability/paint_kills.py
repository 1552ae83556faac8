"""Kill the server of ``underpaint paint``, its quick model and a training while somebody paints: nothing saved is lost.

    python -m benchmarks.reliability.paint_kills [--kills 200] [--minutes 30] [--seed 0] [--json FILE]

Strokes, deletions, tags and states are sent, several requests a second. At a random moment, in a request as often as
between two, one of the three processes gets SIGKILL. Then it is started again: the server by the same command, the
quick model by the server, the training with ``--resume``. A request that got no answer is sent again. A fault is: an
operation that was acknowledged and is not in the logs after a kill; a started server that shows other marks than those
that were acknowledged; a quick model that does not come back, or stays when its server died; a training that cannot go
on; at the end, marks that differ from what was painted, photographs without a mask of the last strokes, or a training
that does not finish. Prints a table and the faults; exits with 1 where there are any.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.paint_client import Client, RefusedError, wait_for_link
from benchmarks.reliability.commands import TINY, Child, prepare, start, table
from benchmarks.reports import origin, write

from underpaint import read_hints
from underpaint.annotations.strokes.fold import Fold
from underpaint.annotations.strokes.log import copy_marks, logs, read_log, writer_of

VICTIMS = ("server", "quick model", "training")
LONGEST = 300.0
"""Seconds after which a process that must come back is a fault."""

MARKS = 120
"""Marks above which half of the operations delete one: too many contradict each other on every pixel."""


class Painter:
    """Somebody who paints: what was sent, and what the server acknowledged.

    Args:
        chance: The random numbers.
        classes: The names that are painted.
    """

    def __init__(self, chance: random.Random, classes: list[str]) -> None:
        self._chance, self._classes = chance, classes
        self._unanswered: list[dict[str, Any]] = []
        self._count = 0
        self.acknowledged: dict[str, dict[str, Any]] = {}
        self.marks: set[str] = set()

    def paint(self, client: Client, rows: list[dict[str, Any]]) -> None:
        """Send a request, the one without an answer first.

        Raises:
            OSError, http.client.HTTPException: the server is gone.
        """
        self._unanswered = self._unanswered or [self._operation(rows) for _ in range(self._chance.randint(1, 4))]
        known = set(client.post("ops", {"ops": self._unanswered})["known"])
        for one in self._unanswered:
            if one["id"] not in known:
                raise RefusedError(f"the answer does not name {one}")
            self.acknowledged[one["id"]] = one
            if one["op"] == "add":
                self.marks.add(one["id"])
            elif one["op"] == "delete":
                self.marks.discard(one["target"])
        self._unanswered = []

    def _operation(self, rows: list[dict[str, Any]]) -> dict[str, Any]:
        self._count += 1
        row, chance = self._chance.choice(rows), self._chance
        head = {"id": f"k{self._count}", "image": row["id"]}
        if self.marks and chance.random() < (0.5 if len(self.marks) > MARKS else 0.15):
            target = chance.choice(sorted(self.marks))
            return {**head, "image": self.acknowledged[target]["image"], "op": "delete", "target": target}
        kind = chance.random()
        if kind < 0.05:
            return {**head, "op": "state", "state": chance.choice(["marked", "done"])}
        if kind < 0.1:
            return {**head, "op": "tags", "present": [chance.choice(self._classes)], "absent": [], "boxed": []}
        points = [
            [chance.uniform(0, row["width"]), chance.uniform(0, row["height"])] for _ in range(chance.randint(2, 9))
        ]
        shape = {"kind": "scribble", "class": chance.choice(self._classes), "points": points, "width": 3}
        return {**head, "op": "add", "hint": shape}


class Trial:
    """The three processes, what is painted, and the faults.

    Args:
        work: A folder with the data set ``data``.
        chance: The random numbers.
    """

    def __init__(self, work: Path, chance: random.Random) -> None:
        self.data, self.project, self.work = work / "data", work / "marks", work
        self.chance = chance
        self.faults: list[str] = []
        self.counts: Counter[str] = Counter()
        self.server, self.client = self._serve()
        self.rows = self.client.rows()
        names = [one["name"] for one in self.client.get("project")["classes"]]
        self.painter = Painter(chance, names[1:])
        for _ in range(20):
            self.painter.paint(self.client, self.rows)
        self.run = 900
        self.training = self._train()
        self._struck = False
        signal.signal(signal.SIGALRM, self._strike)
        self._victim = VICTIMS[0]

    def _serve(self) -> tuple[Child, Client]:
        log = self.work / "server.log"
        log.unlink(missing_ok=True)
        words = ["paint", str(self.data), "--project", str(self.project), "--no-browser", "--port", "0"]
        return start(words, log), wait_for_link(log, LONGEST)

    def _train(self, *more: str) -> Child:
        out = self.project / "runs" / str(self.run)
        marks = self.work / "marks-of-runs" / str(self.run)  # as the server does it: people paint during a training
        if not marks.is_dir():
            copy_marks(self.project, marks)
        words = [
            "train",
            str(self.data),
            "--hints",
            str(marks),
            "--method",
            "partial",
            "--lenient",
            "-o",
            str(out),
        ]
        return start([*words, *TINY, "--set", "train.workers=0", *more], self.work / "train.log")

    def quick_model(self) -> int | None:
        """The process of the server's quick model."""
        return next(children(self.server.pid, b"quick_process"), None)

    def _strike(self, *_: object) -> None:
        """Called at the moment that was drawn, also in the middle of a request."""
        self._struck = True
        if self._victim == "server":
            os.kill(self.server.pid, signal.SIGKILL)
        elif self._victim == "training":
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.training.pid, signal.SIGKILL)
        elif (pid := self.quick_model()) is not None:
            os.kill(pid, signal.SIGKILL)

    def kill(self, victim: str, seconds: float) -> None:
        """Paint until the moment comes, kill, see what is on the disk, and start the process again."""
        self._victim, self._struck = victim, False
        before = self.quick_model()
        said = len(self.faults)
        signal.setitimer(signal.ITIMER_REAL, self.chance.uniform(0.001, seconds))
        while not self._struck:
            with contextlib.suppress(OSError, http.client.HTTPException):
                self.painter.paint(self.client, self.rows)
                time.sleep(self.chance.uniform(0, 0.2))
        self._look_at_the_disk()
        if victim == "server":
            self._server_back(before)
        elif victim == "training":
            self._training_back()
        else:
            self._quick_model_back(before)
        self.counts[victim] += 1
        for fault in self.faults[said:]:
            print(f"FAULT {victim}: {fault}", flush=True)

    def _look_at_the_disk(self) -> None:
        fold = folded(self.project)
        if lost := [name for name in self.painter.acknowledged if name not in fold]:
            self.faults.append(f"{len(lost)} acknowledged operations are not on the disk: {lost[:5]}")

    def _server_back(self, quick_model: int | None) -> None:
        self.server.wait(LONGEST)
        if quick_model is not None and not gone(quick_model, 60):
            self.faults.append("the quick model outlives its server")
        self.server, self.client = self._serve()
        shown = {mark["id"] for row in self.rows for mark in self.client.get(f"images/{row['id']}")["hints"]}
        waiting = {one["id"] for one in self.painter._unanswered} | {
            one["target"] for one in self.painter._unanswered if one["op"] == "delete"
        }
        if differ := (shown ^ self.painter.marks) - waiting:
            self.faults.append(f"the started server shows other marks: {sorted(differ)[:5]}")

    def _quick_model_back(self, before: int | None) -> None:
        end = time.monotonic() + LONGEST
        while time.monotonic() < end:
            now = self.quick_model()
            if now is not None and now != before:
                return
            with contextlib.suppress(OSError, http.client.HTTPException):
                self.painter.paint(self.client, self.rows)
            time.sleep(0.05)
        self.faults.append("the quick model does not come back")

    def _training_back(self) -> None:
        code = self.training.wait(LONGEST)
        out = self.project / "runs" / str(self.run)
        if code == 0:
            self.run += 1
            self.training = self._train()
        elif code == -signal.SIGKILL:
            self.training = self._train(*(["--resume"] if out.is_dir() and any(out.iterdir()) else []))
        else:
            self.faults.append(f"the training ends with {code}: {(self.work / 'train.log').read_text()[-300:]}")
            self.run += 1
            self.training = self._train()

    def first_masks(self) -> float:
        """Seconds until the quick model knows all strokes and every photograph has a mask."""
        began = time.monotonic()
        while time.monotonic() < began + LONGEST:
            model = self.client.get("project")["model"]
            if model["knows"] > 1 and model["behind"] == 0 and all(row["mask"] for row in self.client.rows()):
                return time.monotonic() - began
            time.sleep(0.1)
        self.faults.append(f"no masks of the last strokes: {model}")
        return LONGEST

    def finish(self) -> None:
        """After the last kill everything goes on to its end."""
        while self.painter._unanswered:
            self.painter.paint(self.client, self.rows)
        self.first_masks()
        if self.training.wait(LONGEST) != 0:
            self.faults.append(f"the last training ends with {self.training.code}")
        self.server.kill()
        fold = folded(self.project)
        left = {mark.id for name in fold.images() for mark in fold.image(name).marks}
        if left != self.painter.marks:
            self.faults.append(f"the marks differ from what was painted: {sorted(left ^ self.painter.marks)[:5]}")
        held = sum(len(one.shapes) for one in read_hints(self.project, self.data).values())
        if held != len(left):
            self.faults.append(f"the library reads {held} marks of {len(left)}")


def folded(project: Path) -> Fold:
    """The operations of all logs."""
    fold, remarks = Fold(), Counter[str]()
    for log in logs(project):
        fold.extend((one for one, _ in read_log(log, remarks)), writer_of(log))
    return fold


def children(pid: int, word: bytes) -> Iterator[int]:
    """The processes that a process has started, whose command holds a word."""
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            state = (folder / "stat").read_text().rpartition(")")[2].split()
            if int(state[1]) == pid and word in (folder / "cmdline").read_bytes():
                yield int(folder.name)


def gone(pid: int, seconds: float) -> bool:
    """Whether a process ends in time; one that waits to be collected has ended."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except OSError:
            return True
        time.sleep(0.02)
    return False


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        began = time.monotonic()
        rows, faults, operations = trial(Path(folder), asked.kills, asked.minutes, random.Random(asked.seed))
        minutes = round((time.monotonic() - began) / 60, 1)
    print(table(rows), *faults, f"{operations} operations were acknowledged in {minutes} minutes", sep="\n")
    told = {"seed": asked.seed, "minutes": minutes, "operations": operations, "rows": rows, "faults": faults}
    write({**origin(), **told}, asked.json)
    sys.exit(bool(faults))


def trial(
    work: Path, kills: int, minutes: float, chance: random.Random
) -> tuple[dict[str, dict[str, float]], list[str], int]:
    """Kills of each process in turn, until so many struck or the time is over.

    Returns:
        The kills by process, the faults, and the number of acknowledged operations.
    """
    prepare(work, [])
    end = time.monotonic() + 60 * minutes
    held = Trial(work, chance)
    moments = dict.fromkeys(VICTIMS, 1.0)
    try:
        moments["quick model"] = held.first_masks()
        began = time.monotonic()
        held.training.wait(LONGEST)
        moments["training"] = max(1.0, time.monotonic() - began)
        while held.counts.total() < kills and time.monotonic() < end:
            victim = min(VICTIMS, key=lambda name: held.counts[name])
            held.kill(victim, moments[victim])
        held.finish()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        held.server.kill()
        held.training.kill()
    rows = {name: {"kills": float(held.counts[name])} for name in VICTIMS}
    return rows, held.faults, len(held.painter.acknowledged)


if __name__ == "__main__":
    main()
