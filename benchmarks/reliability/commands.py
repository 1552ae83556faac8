"""What the trials share: small commands, started often without paying for their imports, killed, repeated, compared.

One process imports the package once and forks a child for every command; it runs no torch operation itself, so that no
thread is there when it forks. Each child leads a session of its own, so that its loading processes are killed with it.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import signal
import sys
import tarfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from PIL import Image
from safetensors import safe_open

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

TRAINED = ("weights.safetensors", "tags.safetensors", "curves.png", "samples.png", "config.yaml", "classes.json")
TINY = [
    *("--set", "views.crop=[32,32]", "--set", "train.batch=2", "--set", "train.checkpoint_every=2"),
    *("--set", "train.epochs=3"),
    *("--set", "model.encoder=test_efficientnet", "--set", "model.weights=none", "--set", "model.width=32"),
]
"""Trainings of seconds, so that many are tried: 12 steps a stage at most, of a network of 100,000 weights. From the
third checkpoint of a stage on, an old one is removed."""


@dataclass(frozen=True)
class Command:
    """A call that is killed and repeated.

    Args:
        argv: Its words; ``{WORK}`` is the folder of the data, ``{OUT}`` the output.
        results: Patterns of the files below the output that must come out the same.
        again: What is added when the output is there: ``--resume`` of a training.
        once: Whether the command refuses an output that is there: then it was whole already.
    """

    argv: tuple[str, ...]
    results: tuple[str, ...]
    again: tuple[str, ...] = ()
    once: bool = False

    def words(self, work: Path, out: Path) -> list[str]:
        """The words of the next call."""
        words = [word.replace("{WORK}", str(work)).replace("{OUT}", str(out)) for word in self.argv]
        return [*words, *(self.again if out.is_dir() and any(out.iterdir()) else ())]

    def digests(self, out: Path) -> dict[str, str]:
        """SHA-256 of every result, by its path."""
        files = [out] if out.is_file() else [path for glob in self.results for path in out.glob(glob)]
        return {str(path.relative_to(out)): hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(files)}


def _train(method: str, hints: str, workers: int) -> Command:
    words = ("train", "{WORK}/data", "--hints", "{WORK}/" + hints, "--method", method, "-o", "{OUT}")
    return Command((*words, *TINY, "--set", f"train.workers={workers}"), TRAINED, again=("--resume",))


COMMANDS = {
    "train partial": _train("partial", "scribbles.jsonl", 0),
    "train partial, 2 workers": _train("partial", "scribbles.jsonl", 2),
    "train local-global": _train("local-global", "scribbles.jsonl", 0),
    "train sc-cam": _train("sc-cam", "tags.jsonl", 0),
    "predict": Command(
        ("predict", "{WORK}/run", "{WORK}/data", "-o", "{OUT}", "--probabilities"), ("**/*.png", "**/*.npz", "*.csv")
    ),
    "predict, all that it writes": Command(
        ("predict", "{WORK}/run", "{WORK}/data", "-o", "{OUT}", "--overlay", "--measures", "--polygons", "geojson"),
        ("**/*.png", "**/*.geojson", "*.csv"),
    ),
    "predict, shards": Command(
        ("predict", "{WORK}/run", "{WORK}/data/images", "-o", "{OUT}", "--shard-size", "2"), ("shards/*/*",)
    ),
    "predict, shards, 2 processes": Command(
        ("predict", "{WORK}/run", "{WORK}/data/images", "-o", "{OUT}", "--shard-size", "1", "--jobs", "2"),
        ("shards/*/*",),
    ),
    "predict, folder, resumed": Command(
        ("predict", "{WORK}/run", "{WORK}/data", "-o", "{OUT}"), ("**/*.png", "*.csv"), again=("--resume",)
    ),
    "convert": Command(("convert", "{WORK}/scribbles.jsonl", "{OUT}", "--to", "labelme"), ("**/*.json",), once=True),
    "simulate": Command(("simulate", "{WORK}/data", "--kind", "clicks", "-o", "{OUT}"), (), once=True),
    "gap": Command(
        ("gap", "{WORK}/data", "--hints", "{WORK}/scribbles.jsonl", "--methods", "partial", "-o", "{OUT}", *TINY,
         "--set", "train.workers=0"),
        ("runs/*/weights.safetensors", "runs/*/*.png", "masks/**/*.png", "scores/*.npz"),
    ),
    "quick": Command(
        ("quick", "{WORK}/data", "--hints", "{WORK}/scribbles.jsonl", "-o", "{OUT}"), ("**/*.png", "*.csv")
    ),
    "next": Command(
        ("next", "{WORK}/data", "--hints", "{WORK}/scribbles.jsonl", "--sheet", "{OUT}"), (), once=True
    ),
}  # fmt: skip
"""What is tried. The other commands write no file, or are these one after the other."""


@dataclass
class Child:
    """A running command.

    Args:
        pid: Its process, which leads a session.
        log: What it says.
        code: How it ended: as a shell has it, negative for a signal; None while it runs.
    """

    pid: int
    log: Path
    code: int | None = None

    def wait(self, seconds: float) -> int | None:
        """How it ended, or None if it still runs after so many seconds."""
        end = time.monotonic() + seconds
        while self.code is None and time.monotonic() < end:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self.code = os.waitstatus_to_exitcode(status) if pid else None
            time.sleep(0 if pid else 0.005)
        return self.code

    def kill(self) -> None:
        """Kill it with all its processes."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self.wait(30)


def start(words: list[str], log: Path, prepare: Callable[[], None] | None = None) -> Child:
    """Start ``underpaint`` with these words; ``prepare`` is called in the child first."""
    pid = os.fork()
    if pid:
        return Child(pid, log)
    code = 70
    try:
        os.setsid()
        for stream in (1, 2):
            os.dup2(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), stream)
        sys.argv = ["underpaint", *words]
        if prepare is not None:
            prepare()
        from underpaint.cli import main

        main()
        code = 0
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else 0 if stop.code is None else 1
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def run_whole(words: list[str], log: Path, seconds: float = 600) -> float:
    """Run a command to its end; how long it took. Exits with what it said where it fails."""
    began = time.monotonic()
    child = start(words, log)
    if child.wait(seconds) != 0:
        child.kill()
        sys.exit(f"{' '.join(words)} failed:\n{log.read_text()}")
    return time.monotonic() - began


def prepare(work: Path, names: list[str], *, images: int = 8, tested: int = 4) -> None:
    """Import all that the commands import, and make their data: small scenes, hints, a run to predict with."""
    import matplotlib.font_manager

    import underpaint.features.bank
    import underpaint.workflows.gap
    import underpaint.workflows.simulate  # noqa: F401
    from underpaint.data.synthetic import write_dataset
    from underpaint.methods.registry import entries, method_class

    for name in entries():
        method_class(name)
    matplotlib.font_manager.findfont("DejaVu Sans")  # it is kept for all that are forked

    write_dataset(work / "data", train=images, test=tested, size=(48, 64), seed=0)
    for kind in ("scribbles", "tags"):
        run_whole(["simulate", f"{work}/data", "--kind", kind, "-o", f"{work}/{kind}.jsonl"], work / "log")
    if any(name.startswith("predict") for name in names):
        run_whole(COMMANDS["train partial"].words(work, work / "run"), work / "log")


def half_written(folder: Path) -> list[str]:
    """Files under a final name that are not whole, which nobody must ever see."""
    files = [path for path in folder.rglob("*") if path.is_file() and not path.name.startswith(".")]
    return [f"{path.relative_to(folder)}: {why}" for path in files if (why := _damage(path))] + _twice(folder)


def _twice(folder: Path) -> list[str]:
    """Images that the indices of finished shards name more than once."""
    lines = [line for path in folder.glob("out/shards/[0-9]*/index.jsonl") for line in path.read_text().splitlines()]
    names = Counter(json.loads(line)["image"] for line in lines)
    return [f"{name} is {count} times in the index" for name, count in names.items() if count > 1]


def _damage(path: Path) -> str | None:
    inside = next((parent for parent in path.parents if parent.name.endswith(".underpaint.tmp")), None)
    try:
        if inside is not None or path.name == "events.jsonl":  # being written; a last line cut short is passed over
            return None
        if path.suffix == ".png":
            with Image.open(path) as image:
                image.load()
        elif path.suffix == ".safetensors":
            with safe_open(path, "pt") as held:
                for key in held.keys():  # noqa: SIM118 - it is no mapping
                    held.get_tensor(key)
        elif path.suffix == ".tar":
            with tarfile.open(path) as tar:
                for member in tar:
                    with Image.open(io.BytesIO(tar.extractfile(member).read())) as image:  # type: ignore[union-attr]
                        image.load()
        elif path.suffix == ".json":
            json.loads(path.read_text())
        elif path.suffix in (".jsonl", ".csv") and not (path.read_bytes() or b"\n").endswith(b"\n"):
            return "its last line is cut"
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return None


def leftovers(folder: Path) -> list[str]:
    """Temporary files that are still there."""
    return [path.name for path in folder.rglob(".*.tmp")]


def finish(command: Command, work: Path, out: Path, truth: dict[str, str], seconds: float) -> list[str]:
    """Repeat a killed command to its end: what is wrong then."""
    log = out.parent / "log"
    if not (command.once and out.exists()):
        child = start(command.words(work, out), log)
        if child.wait(seconds) is None:
            child.kill()
            return ["the repeated command hangs"]
        if child.code != 0:
            said = log.read_text().splitlines()[-6:]
            return [f"the repeated command ends with {child.code}: {' | '.join(said)}"]
    seen = command.digests(out)
    differ = sorted(name for name in truth.keys() | seen.keys() if truth.get(name) != seen.get(name))
    faults = [f"differs: {name}" for name in differ]
    return faults + [f"left behind: {name}" for name in leftovers(out.parent)]


def table(rows: dict[str, dict[str, float]]) -> str:
    """Rows of numbers by name, as a Markdown table."""
    heads = list(next(iter(rows.values())))
    lines = ["| command | " + " | ".join(heads) + " |", "|---|" + "--:|" * len(heads)]
    lines += [f"| {name} | " + " | ".join(f"{row[head]:g}" for head in heads) + " |" for name, row in rows.items()]
    return "\n".join(lines)
