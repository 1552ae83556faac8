"""Full, read-only and vanishing disks, missing rights, limits, signals, locales: what the real command does there.

    python -m benchmarks.reliability.environment [--only WORD] [--json benchmarks/results/environment.json]

Needs root and Linux (mounts, other users). Every row is one call of the command in a place that is wrong in one way; it
holds when the exit code is one of those accepted, no traceback is shown, nothing hangs, the message says what it must,
and no process is left. The last line counts the rows that hold.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO

from benchmarks.reliability.small import QUICK, make_data

PACKAGE = Path(__file__).resolve().parents[2] / "src"
SECONDS = 240
NOBODY = 65534
MAIN = "from underpaint.cli import main; import sys; sys.argv[0] = 'underpaint'; main()"
ORDINARY = ("setpriv", "--bounding-set=-dac_override,-dac_read_search")
"""A user whom rights hold back: root, the only one who may look at root's interpreter, without the right to pass over
them."""

CHECKS: list[tuple[str, Callable[[Trial], None]]] = []


@dataclass(frozen=True)
class Row:
    """One call: where it was made, what it was, and what came of it."""

    area: str
    place: str
    verb: str
    exit: int
    seconds: float
    fault: str
    said: str


@dataclass
class Trial:
    """What all checks share."""

    data: Path
    hints: Path
    run: Path
    root: Path
    area: str = ""
    rows: list[Row] = field(default_factory=list)

    def begin(
        self,
        *words: object,
        env: dict[str, str | None] | None = None,
        limits: dict[int, int] | None = None,
        out: IO[str] | None = None,
        err: IO[str] | None = None,
        before: tuple[str, ...] = (),
    ) -> subprocess.Popen[bytes]:
        """Start the command in a session of its own."""
        changed = {**os.environ, "PYTHONPATH": str(PACKAGE), **(env or {})}

        def limit() -> None:
            for number, value in (limits or {}).items():
                resource.setrlimit(number, (value, value))

        return subprocess.Popen(
            [*before, sys.executable, "-c", MAIN, *map(str, words)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if out is None else out,
            stderr=subprocess.PIPE if err is None else err,
            env={name: value for name, value in changed.items() if value is not None},
            preexec_fn=limit,  # this process has no threads
            start_new_session=True,
            cwd=self.root,
        )

    def end(self, process: subprocess.Popen[bytes], place: str, verb: str, codes: tuple[int, ...], says: str) -> None:
        """Wait for a command, judge it, and keep the row."""
        began = time.monotonic()
        try:
            parts = process.communicate(timeout=SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            parts = process.communicate()
            self._keep(place, verb, -9, time.monotonic() - began, "hangs", parts)
            return
        text = "".join((part or b"").decode(errors="backslashreplace") for part in parts)
        fault = self._judged(process, text, codes, says)
        self._keep(place, verb, process.returncode, time.monotonic() - began, fault, parts)

    def _judged(self, process: subprocess.Popen[bytes], text: str, codes: tuple[int, ...], says: str) -> str:
        if "Traceback (most recent call last)" in text:
            return "traceback"
        if "is a bug in underpaint" in text:
            return "a fault of underpaint, not a word for the user"
        if process.returncode not in codes:
            return f"exit {process.returncode}, not {' or '.join(map(str, codes))}"
        if says and says not in " ".join(text.split()):
            return f"does not say {says!r}"
        return "processes left" if session(process.pid, wait=10) else ""

    def _keep(self, place: str, verb: str, code: int, seconds: float, fault: str, parts: tuple[bytes, bytes]) -> None:
        lines = b"".join(part or b"" for part in parts).decode(errors="backslashreplace").strip().splitlines()
        errors = [number for number, line in enumerate(lines) if line.startswith("error")]
        said = " | ".join(line.strip() for line in (lines[errors[0] :] if errors else lines[-1:]))
        said = said.replace(str(self.root), "...").replace(str(PACKAGE), "src")[:240]
        row = Row(self.area, place, verb, code, round(seconds, 1), fault, said)
        self.rows.append(row)
        print(f"{'FAULT ' + fault if fault else 'holds'}: {row.area}, {place}: {verb}: exit {code}: {said}", flush=True)

    def go(
        self, place: str, words: tuple[object, ...], *, codes: tuple[int, ...] = (1,), says: str = "fix:", **how: object
    ) -> None:
        """One call from its start to its end."""
        self.end(self.begin(*words, **how), place, str(words[0]), codes, says)  # type: ignore[arg-type]

    def verbs(self, out: Path) -> list[tuple[object, ...]]:
        """A call of each verb that writes into ``out``."""
        return [
            ("train", self.data, "--hints", self.hints, "--method", "partial", "-o", out / "new-run", *QUICK),
            ("predict", self.run, self.data / "images", "-o", out / "predicted"),
            ("simulate", self.data, "--kind", "scribbles", "-o", out / "simulated.jsonl"),
            ("convert", self.data, out / "converted", "--to", "labelme"),
            ("gap", self.data, "--hints", self.hints, "--methods", "", "--single-scale", "-o", out / "gap", *QUICK),
        ]

    def two_trainings(self, out: Path, settings: tuple[str, ...] | list[str]) -> tuple[object, ...]:
        """A comparison that trains two networks at a time."""
        words = ("gap", self.data, "--hints", self.hints, "--methods", "", "--single-scale", "--jobs", "2")
        return (*words, "-o", out, *settings)


def session(number: int, *, wait: float = 0) -> list[int]:
    """Processes of a session that are alive, after some seconds' patience."""
    ends = time.monotonic() + wait
    while True:
        found = []
        for path in Path("/proc").glob("[0-9]*/stat"):
            try:
                status = path.read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(status[3]) == number and status[0] != "Z":
                found.append(int(path.parent.name))
        if not found or time.monotonic() > ends:
            return found
        time.sleep(0.1)


def check(area: str) -> Callable[[Callable[[Trial], None]], Callable[[Trial], None]]:
    """Add a check to the list."""

    def add(function: Callable[[Trial], None]) -> Callable[[Trial], None]:
        CHECKS.append((area, function))
        return function

    return add


@contextmanager
def disk(folder: Path, options: str) -> Iterator[Path]:
    """A small disk in memory."""
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


@check("full disk")
def full(t: Trial) -> None:
    """No room for what each verb writes."""
    for number in range(5):
        with disk(t.root / f"full{number}", "size=8k") as folder:
            t.go("8 kB", t.verbs(folder)[number], says="No space left on device")
    with disk(t.root / "full", "size=8m") as folder:
        for words in (t.verbs(folder)[0], t.verbs(folder)[4]):
            t.go("8 MB, less than a checkpoint", words, says="No space left on device")


@check("limit of file sizes")
def file_sizes(t: Trial) -> None:
    """RLIMIT_FSIZE refuses as a full disk does."""
    folder = t.root / "sizes"
    folder.mkdir()
    for words in t.verbs(folder):
        t.go("256 bytes", words, limits={resource.RLIMIT_FSIZE: 256})


@check("read-only disk")
def read_only(t: Trial) -> None:
    """Output on a read-only disk; a run there is read all the same."""
    with disk(t.root / "read-only", "size=200m") as folder:
        shutil.copytree(t.run, folder / "run", ignore=shutil.ignore_patterns("stages", "artifacts", "export"))
        subprocess.run(["mount", "-o", "remount,ro", folder], check=True)
        for words in t.verbs(folder):
            t.go("output", words, says="Read-only file system")
        t.go("run", ("predict", folder / "run", t.data / "images", "-o", t.root / "p"), codes=(0,), says="mask(s) in")


@check("rights")
def rights(t: Trial) -> None:
    """As a user who may write nothing of ours, and may not read one file or folder."""
    locked = t.root / "locked"
    locked.mkdir(mode=0o755)
    os.chown(locked, NOBODY, NOBODY)
    for words in t.verbs(locked):
        t.go("output of another user", words, before=ORDINARY, says="Permission denied")
    data = t.root / "unreadable"
    shutil.copytree(t.data, data)
    (data / "classes.txt").chmod(0)
    for verb in (("doctor", data), ("simulate", data, "--kind", "tags", "-o", "/dev/null")):
        t.go("class list unreadable", verb, before=ORDINARY, says="Permission denied")
    (data / "classes.txt").chmod(0o644)
    (data / "images").chmod(0)
    t.go("photographs unreadable", ("doctor", data), before=ORDINARY, says="Permission denied")
    t.go("photographs unreadable", ("predict", t.run, data, "-o", locked / "p"), before=ORDINARY)


@check("output removed")
def removed(t: Trial) -> None:
    """The masks are removed in the middle: an error, and not a summary of masks that are gone."""
    images = t.root / "many"
    images.mkdir()
    some = sorted((t.data / "images").iterdir())
    for i in range(400):
        shutil.copy(some[i % len(some)], images / f"i{i:04d}.png")
    out = t.root / "masks"
    process = t.begin("predict", t.run, images, "-o", out)
    while len(list(out.glob("*.png"))) < 5 and process.poll() is None:
        time.sleep(0.01)
    shutil.rmtree(out, ignore_errors=True)
    t.end(process, "masks, in the middle", "predict", (1,), "removed")


@check("no home")
def no_home(t: Trial) -> None:
    """No home, and a package that cannot be written and has compiled nothing: every verb works."""
    with disk(t.root / "package", "size=50m") as folder:
        shutil.copytree(PACKAGE / "underpaint", folder / "underpaint", ignore=shutil.ignore_patterns("__pycache__"))
        subprocess.run(["mount", "-o", "remount,ro", folder], check=True)
        env = {"HOME": "/dev/null", "XDG_CACHE_HOME": None, "NUMBA_CACHE_DIR": None, "PYTHONPATH": str(folder)}
        out = t.root / "homeless"
        out.mkdir()
        calls = [("methods",), ("doctor", t.data, "--json"), *t.verbs(out)[:4]]
        for words in [*calls, ("evaluate", t.data / "masks", t.data)]:
            t.go("read-only package", words, codes=(0,), says="", env=env)
        crf = ("predict", t.run, t.data / "images", "-o", out / "crf", "--crf")
        t.go("read-only package, with a kernel", crf, codes=(0,), says="NUMBA_CACHE_DIR", env=env)


@check("limits")
def limits(t: Trial) -> None:
    """Few descriptors, little memory, few processes."""
    folder = t.root / "limits"
    folder.mkdir()
    gap = t.two_trainings(folder / "g", QUICK)
    train = ("train", t.data, "--hints", t.hints, "--method", "partial", *QUICK, "--set", "train.workers=8", "-o")
    for number in (16, 40):
        few = {resource.RLIMIT_NOFILE: number}
        t.go(f"{number} descriptors", ("doctor", t.data), codes=(0, 1), says="", limits=few)
        t.go(f"{number} descriptors", (*train, folder / f"r{number}"), codes=(0, 1), says="", limits=few)
        t.go(f"{number} descriptors", gap, codes=(0, 1), says="", limits=few)
    for size in (300, 1500):
        less = {resource.RLIMIT_AS: size << 20}
        t.go(f"{size} MB of addresses", t.verbs(folder / f"m{size}")[0], codes=(0, 1), says="", limits=less)
        t.go(f"{size} MB of addresses", t.verbs(folder / f"m{size}")[1], codes=(0, 1), says="", limits=less)


@check("signals")
def signals(t: Trial) -> None:
    """The command, or one of its processes, is ended while two trainings are at work."""
    settings = [*QUICK, "--set", "train.epochs=400", "--set", "train.workers=1"]
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL):
        out = t.root / f"gap{number}"
        words = t.two_trainings(out, settings)
        process = t.begin(*words)
        _both_at_work(process, out)
        if process.poll() is None:
            os.kill(process.pid, number)
        t.end(process, f"{number.name} to the command", "gap", (1, 130, 128 + number, -number), "")
    out = t.root / "gap-child"
    words = t.two_trainings(out, settings)
    process = t.begin(*words)
    _both_at_work(process, out)
    if process.poll() is None:
        os.kill(_child(process.pid), signal.SIGKILL)
    t.end(process, "SIGKILL to a training", "gap", (1,), "a process died: it was killed by SIGKILL")


def _both_at_work(process: subprocess.Popen[bytes], out: Path) -> None:
    ends = time.monotonic() + SECONDS
    while len(list(out.glob("runs/*/events.jsonl"))) < 2 and process.poll() is None and time.monotonic() < ends:
        time.sleep(0.05)


def _child(parent: int) -> int:
    for path in Path("/proc").glob("[0-9]*/stat"):
        if int(path.read_text().rpartition(")")[2].split()[1]) == parent:
            return int(path.parent.name)
    raise LookupError(f"process {parent} has no child")


@check("names and terminals")
def names(t: Trial) -> None:
    """Names that are no UTF-8, terminals that are not, outputs that are full or closed."""
    data = t.root / "letters"
    shutil.copytree(t.data, data)
    classes = (data / "classes.txt").read_text().splitlines()
    (data / "classes.txt").write_text("\n".join([classes[0], *(f"\u043a\u043b{i}" for i in range(1, len(classes)))]))
    for encoding in ("latin-1", "ascii", "utf-8"):
        env = {"PYTHONIOENCODING": encoding}
        t.go(f"Cyrillic classes, {encoding} terminal", ("doctor", data), codes=(0, 1), says="", env=env)
    odd = Path(os.fsdecode(os.fsencode(t.root) + b"/n\xff"))
    odd.mkdir()
    for words in t.verbs(odd):
        t.go("output whose name is no UTF-8", words, codes=(0, 1), says="")
    with Path("/dev/full").open("w") as nowhere:
        for words in (("methods",), ("doctor", t.data), *t.verbs(t.root / "f")[1:4]):
            t.go("standard output full", words, says="No space left on device", out=nowhere)
        for words in t.verbs(t.root / "e")[:4]:
            t.go("standard error full", words, codes=(0,), says="", err=nowhere)


def main() -> None:
    """Run the checks and print, or keep, their table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="checks whose area or name holds this word")
    parser.add_argument("--json", type=Path, help="file for the rows")
    parser.add_argument("--scratch", type=Path, help="folder for temporary files")
    asked = parser.parse_args()
    for number in (signal.SIGINT, signal.SIGHUP):  # which a background job ignores, and so would what it starts
        signal.signal(number, signal.SIG_DFL)
    with tempfile.TemporaryDirectory(dir=asked.scratch) as folder:
        root = Path(folder)
        root.chmod(0o755)
        data, hints = make_data(root)
        trial = Trial(data, hints, root / "run", root)
        words = ("train", data, "--hints", hints, "--method", "partial", "-o", trial.run, *QUICK)
        subprocess.run([sys.executable, "-c", MAIN, *map(str, words)], check=True, capture_output=True)
        for area, function in CHECKS:
            if asked.only in f"{area} {function.__name__}":
                trial.area = area
                trial.root = root / function.__name__
                trial.root.mkdir(exist_ok=True)
                function(trial)
    faults = sum(bool(row.fault) for row in trial.rows)
    if asked.json:
        asked.json.write_text(json.dumps([asdict(row) for row in trial.rows], indent=1) + "\n", encoding="utf-8")
    print(f"{len(trial.rows) - faults} of {len(trial.rows)} rows hold")


if __name__ == "__main__":
    main()
