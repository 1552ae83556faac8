"""The parts of the server together, and the reactions to changes of marks and trainings."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from typing import Any

import numpy as np

from underpaint.annotations.parsing.shapes import shape_record
from underpaint.core.classes import BACKGROUND, ClassTable
from underpaint.core.errors import UnderpaintError
from underpaint.imagefiles.masks import LabelFile
from underpaint.imagefiles.numbering import numbering_beside
from underpaint.serve.jobs import Jobs
from underpaint.serve.model import QuickModelProcess
from underpaint.serve.news import News
from underpaint.serve.people import People
from underpaint.serve.pictures import Pictures
from underpaint.serve.processes import task
from underpaint.serve.rows import row_of
from underpaint.serve.runs import FollowedRun, Runs
from underpaint.serve.site import Site

SHOWN = 24
"""Number of photographs on the screen Results."""

SEARCH_EVERY = 10.0
"""Seconds between two searches for added or removed photographs; more if a search takes long."""


class Services:
    """The parts of the server together.

    Args:
        site: The project.
        people: The people who have access.
        quick: Whether the process of the quick model is started.
    """

    def __init__(self, site: Site, people: People, *, quick: bool = True) -> None:
        self.site, self.people, self._quick = site, people, quick
        self.news, self.pictures = News(), Pictures()
        self.model = QuickModelProcess(site, self.news.say)
        self.runs = Runs(site, self.news.say, self._trained)
        self.jobs = Jobs(site, self.runs, self.news.say, self._facts)
        self._here: Counter[str] = Counter()
        self._writing, self._predicting = asyncio.Lock(), asyncio.Lock()
        self._background: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Start the background work."""
        if self._quick:
            await self.model.start()
        await self.runs.start_watching()
        self._in_background(self._search_for_changes())

    async def close(self) -> None:
        """End the background work. Trainings continue."""
        for one in self._background:
            one.cancel()
        await self.jobs.stop()
        await self.runs.stop_watching()
        await self.model.stop()
        self.site.close()

    def _in_background(self, work: Any) -> None:
        one = asyncio.create_task(work)
        self._background.add(one)
        one.add_done_callback(self._background.discard)

    async def _search_for_changes(self) -> None:
        took = 0.0
        while True:
            await asyncio.sleep(max(SEARCH_EVERY, 20 * took))
            began = time.monotonic()
            came, went = await asyncio.to_thread(self.site.find_changes)
            took = time.monotonic() - began
            if came or went:
                await self.news.say("data", {"came": len(came), "went": len(went)})

    async def keep(self, records: Sequence[Any], person: str) -> tuple[list[str], list[int]]:
        """Store operations, and send an event to all pages.

        Operations are checked and added to the state here, and written in a thread. Requests are handled one after the
        other, so that the order of the operations is that of the log.

        Returns:
            The identifiers of the operations, also of those that were already known, and the numbers of the images.

        Raises:
            FormatError, HintError: An operation is not valid. Then none is stored.
            DataError: The disk is full or the folder cannot be written.
        """
        async with self._writing:
            every = self.site.read(records)
            known = [one.operation.id for one in every]
            fresh = list({one.operation.id: one for one in every if one.operation.id not in self.site.fold}.values())
            if fresh:
                await asyncio.to_thread(self.site.write, [one.operation for one in fresh], person)
            images = self.site.learn(fresh, person)
        if images:
            await self.news.say("saved", {"images": images, "by": person, "revision": self.site.revision})
            await self.model.changed()
        return known, images

    def mark_records(self, name: str) -> list[dict[str, Any]]:
        """The records of the marks of a photograph for the page."""
        marks = self.site.marks(name).marks
        return [{"id": one.id, "hint": shape_record(one.shape), "by": one.by, "at": one.at} for one in marks]

    def model_info(self) -> dict[str, Any]:
        """The record of the model for the page."""
        state, site = self.model.state, self.site
        marked = site.marked_classes()
        trained = [run for run in self.runs.known.values() if run.finished]
        kind = "quick" if state.knows else "network" if trained else "none"
        return {
            "kind": kind,
            "run": trained[-1].id if kind == "network" else None,
            "at": state.at,
            "knows": state.knows,
            "behind": site.revision - state.revision,
            "marked": len(marked),
            "fault": state.fault if len(marked) > 1 else "",
        }

    async def _trained(self, run: FollowedRun) -> None:
        """Make the masks of a finished training."""
        self._in_background(self._masks_of(run))

    async def _masks_of(self, run: FollowedRun) -> None:
        site = self.site
        out = site.folder / "masks" / run.id
        if (out / "summary.csv").is_file():  # it is written last
            return
        async with self._predicting:  # a server that starts may find many trainings without masks
            try:
                await task("masks", data=str(site.data), project=str(site.folder), out=str(out), run=str(run.folder))
            except UnderpaintError as error:
                run.notes.append(f"its masks could not be made: {error.brief}")
        await self.news.say("run", {"run": run.id})

    @property
    def table(self) -> ClassTable:
        """The class table of the page, which numbers the classes in masks."""
        names = [one.name for one in self.site.project.classes]
        return ClassTable.of(names, BACKGROUND) if names else ClassTable.of([BACKGROUND])

    def run_mask(self, run: str, name: str) -> np.ndarray:
        """(H, W) mask of a photograph from a training, with the class numbers of the page.

        Raises:
            LookupError: There is no such mask.
        """
        folder = self.site.folder / "masks" / run
        path = folder / f"{name}.png"
        if not path.is_file():
            raise LookupError(name)
        return LabelFile(path, numbering=numbering_beside(folder, self.table, outside=False)).read(self.table)

    async def results(self, source: str) -> dict[str, Any]:
        """The shares of the classes, the accuracy at random places, and photographs with masks.

        Raises:
            LookupError: The training does not exist.
        """
        if source == "quick":
            counts, names = self._quick_counts()
        else:
            if source not in self.runs.known:
                raise LookupError(source)
            counts, names = await asyncio.to_thread(self._run_counts, source)
        total = max(int(counts.sum()), 1)
        images = [row_of(self, self.site.by_name[name]) for name in names[:SHOWN] if name in self.site.by_name]
        shares = [round(float(count) / total, 4) for count in counts] if counts.sum() else []
        return {"shares": shares, "random": self.site.answers.summary(), "images": images}

    def _quick_counts(self) -> tuple[np.ndarray, list[str]]:
        said = self.model.state.masks
        counts = np.zeros(len(self.table), np.int64)
        for one in said.values():
            part = np.array(one["counts"])[: len(counts)]
            counts[: len(part)] += part
        return counts, sorted(said)

    def _run_counts(self, run: str) -> tuple[np.ndarray, list[str]]:
        counts, names = np.zeros(len(self.table), np.int64), []
        for name in sorted(self.site.by_name):
            with suppress(LookupError):
                index = self.run_mask(run, name)
                counts += np.bincount(index[index < len(counts)].ravel(), minlength=len(counts))
                names.append(name)
        return counts, names

    async def news_for(self, person: str, after: int | None) -> AsyncIterator[bytes]:
        """The events for one person, who counts as present while the stream is read."""
        self._here[person] += 1
        await self.news.say("peer", {"name": person, "here": True})
        try:
            async for text in self.news.stream(after):
                yield text
        finally:
            self._here[person] -= 1
            if not self._here[person]:
                self._in_background(self.news.say("peer", {"name": person, "here": False}))

    def _facts(self) -> list[tuple[str, list[str]]]:
        """The content of the report: pairs of a heading and lines."""
        site = self.site
        folded = [site.summary(name) for name in site.fold.images()]
        seconds = sum(one.seconds for one in folded)
        kinds: Counter[str] = Counter()
        people: Counter[str] = Counter()
        for one in folded:
            for (_, kind, by), count in one.marks.items():
                kinds[kind] += count
                people[by] += count
        random = site.answers.summary()
        runs = [f"{run.id}: {run.method}, {self.runs.state(run)}, step {run.step}" for run in self.runs.known.values()]
        accuracy = f"right at {random['right']} of {random['asked']} random places, 95 % interval "
        accuracy += f"{100 * random['low']:.0f} to {100 * random['high']:.0f} %"
        return [
            ("Photographs", [f"{len(site.photographs)} photographs, {len(folded)} of them with marks"]),
            ("Marks", [f"{count} of the kind {kind}" for kind, count in sorted(kinds.items())]),
            ("Time", [f"{seconds / 60:.1f} minutes of drawing"]),
            ("People", [f"{name}: {count} marks" for name, count in sorted(people.items())]),
            ("Classes", [one.name for one in site.project.classes]),
            ("Quality", [accuracy] if random["asked"] else ["no question at a random place has been answered yet"]),
            ("Trainings", runs),
            ("Date", [time.strftime("%Y-%m-%d %H:%M:%S")]),
        ]
