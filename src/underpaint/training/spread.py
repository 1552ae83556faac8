"""Work between two stages that the leader distributes over all ranks, with the results in the order of the jobs."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any, TypeVar

from underpaint.core.parallel import stream
from underpaint.training.ranks import Ranks

Job = TypeVar("Job")
Result = TypeVar("Result")

PLACE, RESULTS = "making labels", "handing over what labels are made from"


@dataclass(frozen=True)
class Work:
    """What a rank does with each of its jobs.

    Args:
        function: Applied to a job. With more than one process, a function of a module.
        processes: Number of processes of each rank; 1 works in the rank itself.
    """

    function: Callable[[Any], Any]
    processes: int = 1

    def results(self, jobs: Iterable[Any]) -> Iterator[Any]:
        """The results of jobs, in order."""
        return stream(self.function, jobs, workers=self.processes, threads=1, named=lambda _: "labels between stages")


WorkFor = Callable[[Any], Work]
"""The work that a task stands for. A task travels between the ranks; the network that the work needs does not."""


class Spread:
    """Work that the leader starts (`shared`) and the other ranks do with it (`follow`), until the leader ends it.

    Args:
        ranks: The ranks; None for this process alone.
        work_for: Gives the work for a task.
    """

    def __init__(self, ranks: Ranks | None, work_for: WorkFor) -> None:
        self.ranks = ranks if ranks is not None and ranks.count > 1 else None
        self.work_for = work_for

    def shared(self, task: Any, jobs: Iterable[Job]) -> Generator[Any, None, None]:
        """On the leader: the result of every job, in order. Jobs are taken as needed; they may begin other tasks."""
        if self.ranks is None:
            yield from self.work_for(task).results(jobs)
            return
        self.ranks.on_leader(PLACE, lambda: StartTask(task))
        yield from _LeaderSide(self.ranks, self.work_for(task), iter(jobs)).results()

    def end(self) -> None:
        """On the leader: there is no further work, so that `follow` returns on the other ranks."""
        if self.ranks is not None:
            self.ranks.on_leader(PLACE, _nothing)

    def follow(self) -> None:
        """On the other ranks: work until the leader ends it."""
        while self.ranks is not None and self._receive(self.ranks) is not None:
            pass

    def _receive(self, ranks: Ranks) -> list[list[Any]] | None:
        """The next jobs of all ranks; None at the end. Tasks that come before are done before."""
        while True:
            message: StartTask | list[list[Any]] | None = ranks.on_leader(PLACE, _nothing)
            if not isinstance(message, StartTask):
                return message
            self._work_with_leader(ranks, self.work_for(message.task))

    def _work_with_leader(self, ranks: Ranks, work: Work) -> None:
        done: list[Any] = []

        def incoming() -> Iterator[Any]:
            while (jobs := self._receive(ranks)) is not None:
                ranks.gather(RESULTS, _taken(done))
                yield from jobs[ranks.rank]

        for result in work.results(incoming()):
            done.append(result)
        ranks.gather(RESULTS, _taken(done))


@dataclass(frozen=True)
class StartTask:
    """The message with which the leader starts a task."""

    task: Any


class _LeaderSide:
    """The leader's side of one task.

    Args:
        ranks: All ranks.
        work: What this rank does with its jobs.
        jobs: The jobs.
    """

    def __init__(self, ranks: Ranks, work: Work, jobs: Iterator[Any]) -> None:
        self.ranks, self.work, self.jobs = ranks, work, jobs
        self.given: list[deque[int]] = [deque() for _ in range(self.ranks.count)]
        """Numbers of the jobs that each rank has, in its order."""
        self.done: list[Any] = []
        """Results of this rank that are not gathered yet."""
        self.held: dict[int, Any] = {}
        """Gathered results, by the number of the job."""
        self.taken = self.returned = 0
        self.ended = False

    def results(self) -> Iterator[Any]:
        """Of all jobs, in order."""
        try:
            for result in self.work.results(self._incoming()):
                self.done.append(result)
                if not self.ended:  # the others gather once more, and nothing else may come in between
                    yield from self._ready()
        except GeneratorExit:  # the method takes no further results
            if not self.ranks.closed:
                self._end()
                self._gather()
            raise
        self._gather()
        yield from self._ready()

    def _incoming(self) -> Iterator[Any]:
        """The jobs of this rank. Before each few of them, all ranks get theirs, and give the results that they have."""
        while any(chunks := [self._chunk(rank) for rank in range(self.ranks.count)]):
            self.ranks.on_leader(PLACE, partial(list, chunks))
            self._gather()
            yield from chunks[0]
        self._end()

    def _end(self) -> None:
        self.ended = True
        self.ranks.on_leader(PLACE, _nothing)

    def _chunk(self, rank: int) -> list[Any]:
        """The next jobs of a rank: one for each of its processes."""
        jobs = list(islice(self.jobs, self.work.processes))
        self.given[rank].extend(range(self.taken, self.taken + len(jobs)))
        self.taken += len(jobs)
        return jobs

    def _gather(self) -> None:
        for numbers, results in zip(self.given, self.ranks.gather(RESULTS, _taken(self.done)), strict=True):
            for result in results:
                self.held[numbers.popleft()] = result

    def _ready(self) -> Iterator[Any]:
        while self.returned in self.held:
            yield self.held.pop(self.returned)
            self.returned += 1


def _nothing() -> Any:
    """The leader's message at the end, and the message of the other ranks, which receive."""
    return None


def _taken(done: list[Any]) -> list[Any]:
    """The content of a list, which is emptied."""
    taken = list(done)
    done.clear()
    return taken
