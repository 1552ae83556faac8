"""Trainings of the project. Each is the command in the background; the server reads the files that it writes."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from underpaint.annotations.strokes.log import copy_marks
from underpaint.core.errors import RunError
from underpaint.core.lock import NAME as LOCK
from underpaint.core.lock import is_locked
from underpaint.serve.processes import module, start_logged, task
from underpaint.serve.site import Site

Say = Callable[[str, dict[str, Any]], Awaitable[None]]

SECONDS = 1.0
"""Seconds between two checks of the runs."""

CURVE = 400
"""Largest number of points of a curve on the page."""

TAIL = 4000
"""Number of bytes at the end of the log that are shown if a training fails."""


@dataclass
class FollowedRun:
    """A run folder and the content of its files."""

    id: str
    folder: Path
    method: str = ""
    steps: int = 0
    step: int = 0
    rate: float | None = None
    behind: int = 0
    stages: list[str] = field(default_factory=list)
    losses: list[tuple[int, float]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    _place: int = 0
    _stage: str = ""
    _before: int = 0
    _at: float | None = None

    def update(self) -> int:
        """Read the new lines of the event log, and return the number of bytes that are read by now."""
        if not self.method:
            self._about()
        with suppress(OSError), (self.folder / "events.jsonl").open("rb") as file:
            file.seek(self._place)
            for line in file:
                if not line.endswith(b"\n"):
                    break
                self._place += len(line)
                with suppress(ValueError, KeyError, TypeError):
                    self._event(json.loads(line))
        return self._place

    def _about(self) -> None:
        with suppress(OSError, ValueError):
            text = (self.folder / "config.yaml").read_text()
            names = [line.split(":", 1)[1].strip() for line in text.splitlines() if line.strip().startswith("name:")]
            self.method = names[0] if names else ""

    def _time(self, step: int) -> None:
        """Set the step and compute the steps per second. Steps that are read at the same time give no rate."""
        now = time.monotonic()
        if self._at is not None and now - self._at > 0.2 and step > self.step:
            self.rate = (step - self.step) / (now - self._at)
        self.step, self._at = step, now

    def _event(self, event: dict[str, Any]) -> None:
        if event.get("stage") and event["stage"] not in self.stages:
            self.stages.append(str(event["stage"]))
        if event["event"] == "steps":
            if event["stage"] != self._stage:  # each stage counts its steps from 0
                self._stage, self._before = str(event["stage"]), self.step
            self._time(self._before + int(event["step"]))
            terms = [float(value) for key, value in event.items() if key.startswith("loss/")]
            self.losses.append((self.step, sum(terms)))
        elif "note" in event:
            self.notes.append(str(event["note"]))

    @property
    def alive(self) -> bool:
        """Whether a process works in the folder."""
        return is_locked(self.folder)

    @property
    def finished(self) -> bool:
        """Whether the network is trained."""
        return (self.folder / "weights.safetensors").is_file() and (self.folder / "samples.png").is_file()

    @property
    def state(self) -> str:
        """``running``, ``finished``, ``stopped`` or ``failed``."""
        if self.alive:
            return "running"
        if self.finished:
            return "finished"
        return "stopped" if (self.folder / "config.yaml").is_file() else "failed"


class Runs:
    """The runs of a project: those that the page starts, and those that a person starts in the same folder.

    Args:
        site: The project.
        say: Sends events to the pages.
        done: Called once with each finished run, also with those that finished before this server started.
    """

    def __init__(self, site: Site, say: Say, done: Callable[[FollowedRun], Awaitable[None]]) -> None:
        self._site, self._say, self._done = site, say, done
        self.folder = site.folder / "runs"
        self.known: dict[str, FollowedRun] = {}
        self._children: dict[str, asyncio.subprocess.Process] = {}
        self._beginning = asyncio.Lock()
        self._told: dict[str, tuple[str, int]] = {}
        self._revisions: dict[str, int] = {}
        self._watcher: asyncio.Task[None] | None = None

    async def start_watching(self) -> None:
        """Check the runs every second."""
        self.folder.mkdir(exist_ok=True)
        await self._check_all(first=True)
        self._watcher = asyncio.create_task(self._watch())

    async def stop_watching(self) -> None:
        """Stop checking. Trainings continue, because they are separate commands."""
        if self._watcher is not None:
            self._watcher.cancel()

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(SECONDS)
            await self._check_all()

    async def _check_all(self, *, first: bool = False) -> None:
        for folder in self._folders():
            run = self.known.setdefault(folder.name, FollowedRun(folder.name, folder))
            state = self.state(run)
            before, self._told[run.id] = self._told.get(run.id), (state, run.update())
            if self._told[run.id] != before and not first:
                await self._say("run", {"run": run.id})
            if state == "finished" and (before is None or before[0] != "finished"):
                await self._done(run)

    def _folders(self) -> list[Path]:
        """The run folders in the order of their names; empty if the folder was removed."""
        with suppress(OSError):
            return sorted(path for path in self.folder.iterdir() if path.is_dir() and not path.name.startswith("."))
        return []

    def state(self, run: FollowedRun) -> str:
        """The state of a run, or ``starting`` while it has no files yet."""
        child = self._children.get(run.id)
        if child is not None and child.returncode is None:
            return "running" if run.step else "starting"
        if child is not None and child.returncode and not run.finished and not run.step:
            return "failed"
        return run.state

    async def plan(self, method: str, minutes: float | None) -> dict[str, Any]:
        """Plan a training. Raises `RunError`."""
        site = self._site
        return await task("plan", data=str(site.data), project=str(site.folder), method=method, minutes=minutes)

    async def begin(self, method: str, minutes: float | None) -> str:
        """Start a training and return the name of the run.

        Raises:
            RunError: A training is already running, or the marks do not allow one.
        """
        async with self._beginning:  # planning takes seconds, in which a second request may come
            for run in self.known.values():
                if self.state(run) in ("running", "starting"):
                    raise RunError(f"the training {run.id} is running", fix="stop it first, or wait until it ends")
            planned = await self.plan(method, minutes)
            name = f"{max([int(name) for name in self.known if name.isdigit()], default=0) + 1:03d}"
            settings = [part for each in planned["settings"] for part in ("--set", each)]
            await self._launch(name, ["--method", method, "--lenient", *settings])
            self.known[name].steps = planned["steps"]
            return name

    async def resume(self, name: str) -> None:
        """Continue a run that was stopped. Raises `RunError`."""
        run = self._run(name)
        if self.state(run) not in ("stopped", "failed"):
            raise RunError(f"the training {name} is {self.state(run)}", fix="only a stopped training can be continued")
        stated = json.loads((self.folder / f"{name}.json").read_text())
        await self._launch(name, [*stated, "--resume"])

    async def _launch(self, name: str, options: list[str]) -> None:
        site, kept = self._site, [option for option in options if option != "--resume"]
        marks = self.folder / f".{name}.marks"  # a copy: the run can be continued when a person has painted more
        if not marks.is_dir():
            await asyncio.to_thread(copy_marks, site.folder, marks)
        (self.folder / f"{name}.json").write_text(json.dumps(kept))
        out = str(self.folder / name)
        command = module("underpaint", "train", str(site.data), "--hints", str(marks), "-o", out, *options)
        self._children[name] = await start_logged(command, self.folder / f"{name}.log", threads=1)
        self._revisions.setdefault(name, site.revision)
        self.known.setdefault(name, FollowedRun(name, self.folder / name))
        await self._say("run", {"run": name})

    def stop(self, name: str) -> None:
        """Ask a training to stop with a checkpoint. Raises `RunError`."""
        run, child = self._run(name), self._children.get(name)
        if child is not None and child.returncode is None:
            os.kill(child.pid, signal.SIGINT)
        elif run.alive:
            os.kill(int((run.folder / LOCK).read_text().strip()), signal.SIGINT)
        else:
            raise RunError(f"the training {name} is not running")

    def _run(self, name: str) -> FollowedRun:
        if name not in self.known:
            raise RunError(f"unknown training {name[:40]!r}", fix=", ".join(self.known) or "start one")
        return self.known[name]

    def info(self, run: FollowedRun) -> dict[str, Any]:
        """The record of a run for the list on the page."""
        run.update()
        state = self.state(run)
        if state == "finished":
            run.update()  # the last steps may have been written between the two lines above
        known = self._revisions.get(run.id, self._site.revision)
        left = (run.steps - run.step) / run.rate if run.rate and run.steps else None
        return {
            "id": run.id,
            "method": run.method,
            "state": state,
            "step": run.step,
            "steps": run.steps,
            "left": left,
            "behind": self._site.revision - known,
            "external": run.id not in self._children,
        }

    def detail(self, name: str) -> dict[str, Any]:
        """The detailed record of a run. Raises `RunError`."""
        run = self._run(name)
        info = self.info(run)
        state = info["state"]
        every = max(1, len(run.losses) // CURVE)
        fault = "".join(self._last_lines(name)) if state == "failed" else ""
        samples = [
            {"image": one.id, "name": one.name, "rev": one.changed}
            for one in self._site.photographs.values()
            if (self._site.folder / "masks" / name / f"{one.name}.png").is_file()
        ][:12]
        return {
            **info,
            "losses": run.losses[::every],
            "notes": run.notes[-20:],
            "samples": samples,
            "fault": fault,
            "resumable": state == "stopped" and (self.folder / f"{name}.json").is_file(),
        }

    def _last_lines(self, name: str) -> Iterator[str]:
        with suppress(OSError):
            yield (self.folder / f"{name}.log").read_bytes()[-TAIL:].decode("utf-8", "replace")
