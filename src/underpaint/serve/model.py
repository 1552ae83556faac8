"""Controls the process of the quick model, which is started again if it ends."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from underpaint.core.rng import generator
from underpaint.serve.processes import LINE, environment, module
from underpaint.serve.site import Site

Say = Callable[[str, dict[str, Any]], Awaitable[None]]

FAST = 5.0
"""If the process ends within this number of seconds, the next one starts only after the same time."""

EVERY = 4
"""One of this number of suggested places is drawn at random."""


@dataclass
class ModelState:
    """The state of the quick model and of its masks.

    Args:
        knows: Number of classes that it has learned.
        revision: Number of operations that it was fitted on.
        at: Time of the fit in seconds since 1970.
        fault: The reason why there is no model; empty if there is one, or if nothing is marked yet.
        masks: The last record of each mask by image name.
    """

    knows: int = 0
    revision: int = 0
    at: float = 0.0
    fault: str = ""
    masks: dict[str, dict[str, Any]] = field(default_factory=dict)


class QuickModelProcess:
    """Keeps the process of the quick model running, and stores its answers.

    Args:
        site: The project.
        say: Sends events to the pages.
    """

    def __init__(self, site: Site, say: Say) -> None:
        self._site, self._say = site, say
        self.state = ModelState()
        self.restarts = 0
        self._child: asyncio.subprocess.Process | None = None
        self._attending: str | None = None
        self._given: set[str] = set()
        self._runner: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start the process. Until `stop`, it is started again whenever it ends."""
        for kind in ("masks", "uncertainty"):
            (self._site.folder / "cache" / kind).mkdir(parents=True, exist_ok=True)
        self._runner = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """End the process."""
        if self._runner is not None:
            self._runner.cancel()
        if self._child is not None and self._child.returncode is None:
            self._child.kill()
            await self._child.wait()

    @property
    def pid(self) -> int | None:
        """The process id, or None if no process runs."""
        return None if self._child is None or self._child.returncode is not None else self._child.pid

    async def changed(self) -> None:
        """Tell the process that there are new marks."""
        await self._ask()

    async def attend(self, image: str) -> None:
        """Tell the process which photograph is on the screen."""
        self._attending = image
        await self._ask()

    async def _ask(self) -> None:
        request: dict[str, Any] = {"image": self._attending}
        if self._site.revision:
            request["revision"] = self._site.revision
        child = self._child
        if child is None or child.stdin is None or child.returncode is not None:
            return
        try:
            child.stdin.write(json.dumps(request).encode() + b"\n")
            await child.stdin.drain()
        except (BrokenPipeError, ConnectionResetError):
            return  # the process ended; the next one gets the request when it starts

    async def _run(self) -> None:
        while True:
            began = time.monotonic()
            self._child = await asyncio.create_subprocess_exec(
                *module("underpaint.serve.quick_process", str(self._site.data), str(self._site.folder)),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                env=environment(),
                limit=LINE,
            )
            await self._ask()
            await self._listen(self._child)
            code = await self._child.wait()
            self.restarts += 1
            self.state.fault = f"the quick model stopped (code {code}) and is started again; your marks are safe"
            await self._say("model", {})
            if time.monotonic() - began < FAST:
                await asyncio.sleep(FAST)

    async def _listen(self, child: asyncio.subprocess.Process) -> None:
        assert child.stdout is not None
        while line := await child.stdout.readline():
            try:
                said = json.loads(line)
            except ValueError:
                continue  # a library printed something
            if isinstance(said, dict) and "model" in said:
                await self._learned(said["model"])
            elif isinstance(said, dict) and "mask" in said:
                await self._masked(said["mask"])

    async def _learned(self, said: dict[str, Any]) -> None:
        state = self.state
        state.knows, state.revision, state.fault = said["knows"], said["revision"], said["fault"]
        state.at = time.time()
        self._given.clear()
        await self._say("model", {})

    async def _masked(self, said: dict[str, Any]) -> None:
        name = said["image"]
        if name not in self._site.by_name or "counts" not in said:
            return
        before = self.state.masks.get(name, {}).get("rev", 0)
        self.state.masks[name] = {**said, "rev": before + 1}
        await self._say("mask", {"image": self._site.by_name[name].id, "rev": before + 1})

    def mask_revision(self, name: str) -> int:
        """How often the mask of an image was made."""
        return int(self.state.masks.get(name, {}).get("rev", 0))

    def uncertainty(self, name: str) -> float:
        """The greatest uncertainty in an image in bits; 0 if it is unknown."""
        place = self.state.masks.get(name, {}).get("place")
        return float(place["bits"]) if place else 0.0

    def _chance(self, count: int) -> list[int]:
        """The numbers below ``count`` in a random order that depends only on the operations."""
        order: list[int] = generator(0, "paint", "places", str(self.state.revision)).permutation(count).tolist()
        return order

    def places(self, count: int, first: str | None) -> list[dict[str, Any]]:
        """The places where marks help most: at most one per image, and every fourth drawn at random.

        No photograph comes twice until the model is another one, or until all of them had their turn.

        Args:
            count: Largest number of places.
            first: Name of the photograph on the screen, whose place comes first.
        """
        found = self._fresh_places(count, first)
        if not found:
            self._given.clear()
            found = self._fresh_places(count, first)
        return found

    def _fresh_places(self, count: int, first: str | None) -> list[dict[str, Any]]:
        known = [(name, said) for name, said in sorted(self.state.masks.items()) if name not in self._given]
        best = sorted(
            ((name, said["place"]) for name, said in known if said["place"]),
            key=lambda one: (one[0] != first, -one[1]["bits"], one[0]),
        )
        shuffled = (known[i] for i in self._chance(len(known)))
        drawn = [(name, said["random"]) for name, said in shuffled]
        chosen: dict[str, dict[str, Any]] = {}
        while (best or drawn) and len(chosen) < count:
            by_chance = len(self._given) % EVERY == EVERY - 1
            name, place = (drawn if by_chance and drawn else best or drawn).pop(0)
            if name in chosen or place is None:
                continue
            self._given.add(name)
            chosen[name] = {**place, "image": self._site.by_name[name].id, "random": by_chance}
        return list(chosen.values())
