"""Fuzzing of everything that is read: damaged files must give a typed error or a result, in bounded time and memory.

    python -m benchmarks.fuzz_formats [--inputs 1000000] [--seconds 600] [--seed 0] [--cores 1] [--save FOLDER]

Each input is a sound file damaged in 1 to 3 ways (`benchmarks/mutations.py`). It goes the way of a user's file, which
`benchmarks/fuzz_targets.py` has: readers of annotations, photographs, lists, settings, run folders, names, the command.
Counted are results, typed errors (`UnderpaintError`), untyped errors, inputs that took longer than `SLOW`, and inputs
that raised the process's peak memory by more than `LARGE`; the last three are saved, one of each place. Every target
has a process of its own, whose address space is limited. Prints JSON; the exit code is 1 where anything was saved.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
import math
import multiprocessing
import os
import platform
import random
import re
import resource
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

from benchmarks.fuzz_targets import TARGETS, Read, Target
from benchmarks.mutations import mutate

from underpaint.core.errors import UnderpaintError

SLOW = 2.0
"""Seconds of one core, so that a busy machine does not count; the sound files take less than a millisecond."""

LARGE = 256 << 20
"""Bytes. The largest file that is made here has 300 kB."""

MAY_FAIL = re.compile(r"state\.json$|\.(png|jpg|bmp|tif|webp|doctor)$")
"""Seeds that are refused for what they lack here."""

SPACE = 6 << 30
"""Limit of the address space: a length that is believed fails with MemoryError instead of filling the machine."""


class TooSlowError(BaseException):
    """Raised by the timer; not an Exception, so that no reader takes it for a fault of the file."""


@dataclass
class Tally:
    """What became of the inputs of one reader."""

    reader: str
    inputs: int = 0
    results: int = 0
    typed: int = 0
    untyped: int = 0
    timeouts: int = 0
    over_memory: int = 0
    peak_mb: int = 0
    slowest_ms: float = 0.0
    seconds: float = 0.0
    core_seconds: float = 0.0
    saved: dict[str, str] = field(default_factory=dict)


@dataclass
class Bench:
    """One target's process: its seeds, and where it saves what went wrong."""

    read: Read
    seeds: list[tuple[Path, Path, bytes]]
    save: Path
    tally: Tally

    def run(self, rng: random.Random, inputs: int, seconds: float) -> None:
        """Feed inputs until there were enough, or the time is over."""
        began, spent = time.perf_counter(), time.process_time()
        signal.signal(signal.SIGPROF, _ring)
        while self.tally.inputs < inputs and time.perf_counter() - began < seconds:
            whole, file, sound = rng.choice(self.seeds)
            damaged = mutate(sound, rng)
            file.write_bytes(damaged)
            self._feed(whole, file, damaged)
            file.write_bytes(sound)
        self.tally.seconds = round(time.perf_counter() - began, 2)
        self.tally.core_seconds = round(time.process_time() - spent, 2)
        self.tally.peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10

    def _feed(self, whole: Path, file: Path, damaged: bytes) -> None:
        tally, before, began = self.tally, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
        tally.inputs += 1
        signal.setitimer(signal.ITIMER_PROF, SLOW)
        try:
            self.read(whole)
            tally.results += 1
        except UnderpaintError:
            tally.typed += 1
        except TooSlowError as error:
            tally.timeouts += 1
            self._save(file, damaged, error)
        except Exception as error:
            tally.untyped += 1
            self._save(file, damaged, error)
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
        took = time.process_time() - began
        tally.slowest_ms = round(max(tally.slowest_ms, took * 1e3), 1)
        if (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) << 10 > LARGE:
            tally.over_memory += 1
            self._save(file, damaged, MemoryError("peak"))

    def _save(self, file: Path, damaged: bytes, error: BaseException) -> None:
        """Keep one input of each place."""
        frames = [f for f in traceback.extract_tb(error.__traceback__) if "underpaint" in f.filename]
        at = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "memory"
        place = f"{type(error).__name__} at {at}: {str(error)[:80]}" if frames else f"{type(error).__name__} {at}"
        key = f"{type(error).__name__} at {at}"
        if any(known.startswith(key) for known in self.tally.saved):
            return
        name = (
            f"{self.tally.reader.replace(' ', '-')}-{hashlib.blake2b(damaged, digest_size=4).hexdigest()}-{file.name}"
        )
        self.save.mkdir(parents=True, exist_ok=True)
        (self.save / name).write_bytes(damaged)
        self.tally.saved[place] = str(self.save / name)


def _ring(number: int, frame: FrameType | None) -> None:
    raise TooSlowError


def fuzz(name: str, inputs: int, seconds: float, seed: int, save: Path) -> Tally:
    """Feed one target, in a process of its own."""
    resource.setrlimit(resource.RLIMIT_AS, (SPACE, SPACE))
    logging.disable(logging.CRITICAL)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # libtiff says there what it thinks of damaged files
    target = next(one for one in TARGETS if one.name == name)
    with _folder() as folder:
        seeds, read = target.prepare(folder)
        files = [(whole, file, file.read_bytes()) for whole, file in seeds if file.is_file() and file.stat().st_size]
        bench = Bench(read, files, save, Tally(name))
        for whole, _, _ in files:
            _sound(read, whole)
        bench.run(random.Random(f"{seed} {name}"), inputs, seconds)
        return bench.tally


def _sound(read: Read, whole: Path) -> None:
    """A seed that is not sound teaches nothing; checkpoints and label pictures of other classes are refused as such."""
    try:
        read(whole)
    except UnderpaintError as error:
        if not MAY_FAIL.search(str(whole)):
            raise AssertionError(f"{whole}: {error}") from error


@contextmanager
def _folder() -> Iterator[Path]:
    """A temporary folder, in memory where the system has such."""
    memory = Path("/dev/shm")
    folder = Path(tempfile.mkdtemp(prefix="underpaint-fuzz-", dir=memory if os.access(memory, os.W_OK) else None))
    try:
        yield folder
    finally:
        # `shutil.rmtree` calls itself for every level, and names of a thousand parts make folders as deep.
        subprocess.run(["rm", "-rf", folder], check=False)


def run(inputs: int, seconds: float, seed: int, cores: int, save: Path) -> dict[str, Any]:
    """All targets; the inputs and the time are dealt to them by their weights."""
    whole = sum(target.weight for target in TARGETS)
    began = time.perf_counter()
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["benchmarks.fuzz_targets"])
    with ProcessPoolExecutor(cores, mp_context=context, max_tasks_per_child=1) as pool:
        jobs = [
            pool.submit(fuzz, one.name, *_share(one, whole, inputs, seconds * cores), seed, save) for one in TARGETS
        ]
        tallies = [job.result() for job in jobs]
    rows = [
        {**asdict(tally), "inputs_a_core_second": round(tally.inputs / max(tally.core_seconds, 0.01))}
        for tally in tallies
    ]
    counted = ("inputs", "results", "typed", "untyped", "timeouts", "over_memory")
    return {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "python": platform.python_version(),
        "seed": seed,
        "seconds": round(time.perf_counter() - began, 1),
        **{word: sum(int(row[word]) for row in rows) for word in counted},
        "peak_mb": max(int(row["peak_mb"]) for row in rows),
        "readers": rows,
    }


def _share(target: Target, whole: float, inputs: int, seconds: float) -> tuple[int, float]:
    """Inputs and seconds of one target; a slow one may take as long as an average one."""
    return -(-int(inputs * target.weight) // math.ceil(whole)), seconds * max(target.weight, 1) / whole


def main() -> int:
    """Fuzz, and print what became of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inputs", type=int, default=1_000_000)
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cores", type=int, default=1)
    parser.add_argument("--save", type=Path, default=Path(tempfile.gettempdir()) / "fuzz")
    asked = parser.parse_args()
    result = run(asked.inputs, asked.seconds, asked.seed, asked.cores, asked.save)
    print(json.dumps(result, indent=1))
    return int(any(row["saved"] for row in result["readers"]))


if __name__ == "__main__":
    sys.exit(main())
