"""Kill commands at random moments, repeat them, and compare what they leave with the bytes of an uninterrupted call.

    python -m benchmarks.reliability.kills [--kills 200] [--minutes 30] [--verbs NAME ...] [--seed 0] [--json FILE]

In turn, each command is started, killed (SIGKILL, its whole session) at a moment drawn from the length of an
uninterrupted call, up to three times in a row, and then repeated to its end. A fault is: a file under its final name
that is not whole after a kill; a repeated command that fails, hangs, or ends with other bytes; a temporary file that is
still there at the end. Prints a table and the faults; exits with 1 where there are any. A trial with another seed adds
its tries to those that the file holds.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.reliability.commands import COMMANDS, Command, finish, half_written, prepare, run_whole, start, table

MOST = 3
"""Kills of one try."""


def one_try(
    command: Command, work: Path, truth: dict[str, str], whole: float, chance: random.Random
) -> tuple[int, list[str]]:
    """Kill a command a few times and finish it: how many kills struck, and what is wrong."""
    folder = work / "try"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    out, kills, faults = folder / "out", 0, []
    for _ in range(chance.randint(1, MOST)):
        if command.once and out.exists():
            break
        child = start(command.words(work, out), folder / "log")
        if child.wait(chance.uniform(0, whole)) is not None:
            if child.code != 0:
                faults.append(f"ends with {child.code} after {kills} kill(s): {(folder / 'log').read_text()[-300:]}")
            break
        child.kill()
        kills += 1
        faults += [f"half written: {said}" for said in half_written(folder)]
    return kills, faults + finish(command, work, out, truth, 120 + 10 * whole)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--verbs", nargs="+", choices=COMMANDS, default=list(COMMANDS))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    if asked.seed in _held(asked.json)["seeds"]:
        sys.exit(f"{asked.json} holds the tries of seed {asked.seed} already; give another --seed")
    with tempfile.TemporaryDirectory() as folder:
        rows, faults = trial(Path(folder), asked.verbs, asked.kills, asked.minutes, random.Random(asked.seed))
    print(table(rows), *faults, sep="\n")
    if asked.json:
        asked.json.write_text(json.dumps(_added(asked.json, asked.seed, rows, faults), indent=1) + "\n")
    sys.exit(bool(faults))


def _held(path: Path | None) -> dict[str, Any]:
    """What the file says of tries with other seeds."""
    if path is None or not path.is_file():
        return {"seeds": [], "rows": {}, "faults": []}
    held: dict[str, Any] = json.loads(path.read_text())
    return held


def _added(path: Path, seed: int, rows: dict[str, dict[str, float]], faults: list[str]) -> dict[str, Any]:
    """The report: what the file says already of tries with other seeds, and those of this trial."""
    held = _held(path)
    for name, row in rows.items():
        before = held["rows"].get(name, {})
        counted = {key: row[key] + before.get(key, 0) for key in ("tries", "kills", "faults")}
        held["rows"][name] = {**row, **counted}
    return {
        "seeds": [*held["seeds"], seed],
        "rows": held["rows"],
        "faults": held["faults"] + [f"{fault} (seed {seed})" for fault in faults],
    }


def trial(
    work: Path, verbs: list[str], kills: int, minutes: float, chance: random.Random
) -> tuple[dict[str, dict[str, float]], list[str]]:
    """Tries of each command in turn, until so many kills struck or the time is over: counts by command, and faults."""
    prepare(work, verbs)
    truth, whole, rows = {}, {}, {}
    for name in verbs:
        reference = work / "reference" / name.replace(" ", "-")
        reference.mkdir(parents=True)
        whole[name] = run_whole(COMMANDS[name].words(work, reference / "out"), work / "log")
        truth[name] = COMMANDS[name].digests(reference / "out")
        print(f"{name}: {whole[name]:.1f} s uninterrupted, {len(truth[name])} files compared", flush=True)
        rows[name] = {"tries": 0.0, "kills": 0.0, "faults": 0.0, "files compared": float(len(truth[name]))}
    faults: list[str] = []
    end = time.monotonic() + 60 * minutes
    while sum(row["kills"] for row in rows.values()) < kills and time.monotonic() < end:
        name = min(rows, key=lambda name: rows[name]["kills"])
        struck, found = one_try(COMMANDS[name], work, truth[name], whole[name], chance)
        rows[name]["tries"] += 1
        rows[name]["kills"] += struck
        rows[name]["faults"] += len(found)
        faults += (new := [f"FAULT {name}, try {rows[name]['tries']:g}: {said}" for said in found])
        print(f"{name}: {rows[name]['kills']:g} kills", *new, sep="\n", flush=True)
    return rows, faults


if __name__ == "__main__":
    main()
