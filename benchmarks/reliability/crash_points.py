"""Kill commands before each of their changes of the file system, repeat them, and compare.

    python -m benchmarks.reliability.crash_points [--every 1] [--minutes 30] [--verbs NAME ...] [--json FILE]

A change is an opening of a file for writing, a rename, a new or removed folder or file below the output's folder, as
Python's audit events report it. What counts as a fault is said in ``kills.py``. The commands get 4 images, half of
those of ``kills.py``: more images and steps repeat the same changes. The file keeps what it says of other commands, so
that they can be tried one after the other. Prints a table and the faults; exits with 1 where there are any.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.reliability.commands import COMMANDS, Command, finish, half_written, prepare, start, table

CHANGES = {"os.rename": 2, "os.mkdir": 2, "os.rmdir": 1, "os.remove": 1, "os.link": 2, "os.truncate": None}
"""Audit events of a change of their first argument, and the place of the open folder that this path is relative to."""


def changed(event: str, details: tuple[Any, ...]) -> str | None:
    """The absolute path that an audit event is about to change, or None if it changes nothing by name."""
    writes = event == "open" and isinstance(details[2], int) and details[2] & (os.O_WRONLY | os.O_RDWR)
    if not (writes or event in CHANGES) or not isinstance(details[0], str | bytes | Path):
        return None
    place = CHANGES.get(event)
    opened = -1 if place is None else details[place]
    folder = "" if opened < 0 else os.readlink(f"/proc/self/fd/{opened}")  # noqa: PTH115 - a Path would open no event
    return os.path.abspath(os.path.join(folder, os.fsdecode(details[0])))  # noqa: PTH100, PTH118 - as above


def at_change(folder: Path, act: Callable[[int], None]) -> Callable[[], None]:
    """What a child does to call ``act`` with the number of each change below a folder, just before it is made."""

    def install() -> None:
        root, own, seen = str(folder), os.getpid(), 0

        def hook(event: str, details: tuple[Any, ...]) -> None:
            nonlocal seen
            path = changed(event, details)
            if path is not None and path.startswith(root) and os.getpid() == own:
                seen += 1
                act(seen)

        sys.addaudithook(hook)

    return install


def tried(command: Command, work: Path, every: int, end: float) -> tuple[dict[str, float], list[str]]:
    """A command killed before every ``every``-th change, until the time is over: counts, and faults."""
    folder, count = work / "try", work / "count"
    faults: list[str] = []

    def call(act: Callable[[int], None]) -> int | None:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        child = start(command.words(work, folder / "out"), work / "log", at_change(folder, act))
        if child.wait(600) is None:
            child.kill()
        return child.code

    def note(number: int) -> None:
        with count.open("wb", buffering=0) as file:
            file.write(str(number).encode())

    if call(note) != 0:
        sys.exit(f"the uninterrupted call failed:\n{(work / 'log').read_text()}")
    points, truth = int(count.read_text()), command.digests(folder / "out")
    tries = 0
    chosen = list(range(1, points + 1, every))
    random.Random(0).shuffle(chosen)  # those that the time allows are from all over the command
    for point in chosen:
        if time.monotonic() > end:
            break
        tries += 1
        call(partial(_kill_at, point))
        found = [f"half written: {said}" for said in half_written(folder)]
        found += finish(command, work, folder / "out", truth, 300)
        faults += [f"before change {point}: {said}" for said in found]
    return {"changes": points, "tried": tries, "faults": len(faults)}, faults


def _kill_at(point: int, number: int) -> None:
    if number == point:
        os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--verbs", nargs="+", choices=COMMANDS, default=list(COMMANDS))
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    rows, faults = {}, []
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        prepare(work, asked.verbs, images=4, tested=2)
        last = time.monotonic() + 60 * asked.minutes
        for place, name in enumerate(asked.verbs):
            share = (last - time.monotonic()) / (len(asked.verbs) - place)  # what short commands leave goes to the rest
            rows[name], found = tried(COMMANDS[name], work, asked.every, time.monotonic() + share)
            print(name, rows[name], *found, sep="\n", flush=True)
            faults += [f"FAULT {name} {said}" for said in found]
            if asked.json:
                asked.json.write_text(json.dumps(_beside(asked.json, rows, faults), indent=1) + "\n")
    print(table(rows), *faults, sep="\n")
    sys.exit(bool(faults))


def _beside(path: Path, rows: dict[str, dict[str, float]], faults: list[str]) -> dict[str, Any]:
    """The report, with what the file says already of commands that were not tried now."""
    held = json.loads(path.read_text()) if path.is_file() else {"rows": {}, "faults": []}
    kept = [fault for fault in held["faults"] if not any(fault.startswith(f"FAULT {name} before") for name in rows)]
    return {"rows": held["rows"] | rows, "faults": kept + faults}


if __name__ == "__main__":
    main()
