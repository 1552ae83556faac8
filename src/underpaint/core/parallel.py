"""A function applied to many items in several processes, with results in order and limited memory.

All code of the package that needs several processes calls `stream`. The processes end with the caller, even if it is
interrupted, terminated or killed. If one of the processes is killed, its item is lost, or an error names it.
"""

from __future__ import annotations

import atexit
import logging
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from itertools import islice
from multiprocessing.connection import wait
from typing import Generic, NoReturn, TypeVar

from underpaint.core.errors import RunError
from underpaint.core.stop import stopping_raises
from underpaint.core.worker import GRACE, Worker

Item = TypeVar("Item")
Result = TypeVar("Result")

Key = tuple[int, int]
"""The number of a chunk, and the position of an item in it."""

AHEAD = 3
"""Largest number of chunks per process that are started but not yet yielded. It limits the memory for results."""

CHECK_SECONDS = 0.25
"""Seconds between two checks that the processes are alive."""

log = logging.getLogger(__name__)


def stream(
    work: Callable[[Item], Result],
    items: Iterable[Item],
    *,
    workers: int,
    lost: Callable[[Item], Result] | None = None,
    chunk: int = 1,
    queued: int = 2,
    threads: int | None = None,
    named: Callable[[Item], str] = str,
) -> Generator[Result, None, None]:
    """Yield ``work(item)`` for every item, in order. Closing the generator ends the processes.

    Args:
        work: A function of a module, or a `functools.partial` of one. Items and results must be picklable.
        items: The items; they are read as needed and not all at once.
        workers: Number of processes; with 1 the caller's own process does the work.
        lost: Makes the result of an item whose process died; without it, this is an error.
        chunk: Number of items that are sent at a time; sending takes about 0.3 ms.
        queued: Number of chunks that a process has at a time, including the one in work. Use 1 for long work, so that
            the next chunk goes to the first process that is free.
        threads: Number of threads of numerical libraries in each process; None for their default.
        named: Makes the name of an item in an error message.

    Raises:
        RunError: A process died and there is no ``lost``, or no process can be started.
        Exception: An exception of ``work``.
    """
    if workers <= 1:
        yield from map(work, items)
        return
    with stopping_raises(), _Pool(work, items, workers, lost, chunk, queued, threads, named) as pool:
        yield from pool.results()


class _Pool(Generic[Item, Result]):
    """The processes of one `stream`, and the chunks that each of them has."""

    def __init__(
        self,
        work: Callable[[Item], Result],
        items: Iterable[Item],
        size: int,
        lost: Callable[[Item], Result] | None,
        chunk: int,
        queued: int,
        threads: int | None,
        named: Callable[[Item], str],
    ) -> None:
        self.work, self.size, self.lost, self.threads, self.named = work, size, lost, threads, named
        self.queued = queued
        rest = iter(items)
        self.chunks = enumerate(iter(lambda: list(islice(rest, chunk)), []))
        self.retries: deque[tuple[Key, list[Item]]] = deque()
        """Items that dead processes did not finish."""
        self.done: dict[int, dict[int, Result]] = {}
        """Results by the number of the chunk and the position of the item."""
        self.sizes: dict[int, int] = {}
        """Number of items of each chunk that was started and not yet yielded."""
        self.failed: dict[int, Exception] = {}
        """Exceptions of the work by the number of the chunk. They are raised when it is the turn of this chunk."""
        self.workers: list[Worker] = []

    def __enter__(self) -> _Pool[Item, Result]:
        atexit.register(self._end)  # in case nobody closes the generator
        return self

    def __exit__(self, *_: object) -> None:
        atexit.unregister(self._end)
        self._end()

    def results(self) -> Iterator[Result]:
        """Yield the results of all items in order."""
        number = 0
        while True:
            self._send_chunks()
            if number not in self.sizes:
                return
            if number in self.failed:
                raise self.failed[number]
            if len(self.done[number]) < self.sizes[number]:
                self._receive()
                continue
            del self.sizes[number]
            yield from (result for _, result in sorted(self.done.pop(number).items(), key=lambda pair: pair[0]))
            number += 1

    def _send_chunks(self) -> None:
        """Send chunks to all processes that can accept one. Processes are started when they are needed."""
        while (worker := self._free()) is not None:
            chunk = self._next()
            if chunk is None:
                return
            worker.give(*chunk)

    def _next(self) -> tuple[Key, list[Item]] | None:
        if self.retries:
            return self.retries.popleft()
        if len(self.sizes) >= self.size * AHEAD or (new := next(self.chunks, None)) is None:
            return None
        number, items = new
        self.sizes[number], self.done[number] = len(items), {}
        return (number, 0), items

    def _free(self) -> Worker | None:
        idle = next((worker for worker in self.workers if not worker.chunks), None)
        if idle is None and len(self.workers) < self.size:
            return self._start_worker()
        least = idle or min(self.workers, key=lambda worker: len(worker.chunks))
        return least if len(least.chunks) < self.queued else None

    def _start_worker(self) -> Worker:
        try:
            self.workers.append(Worker(self.work, self.threads))
        except OSError as error:
            if not self.workers:
                _refused(error)
            log.warning("%d of %d processes could be started: %s", len(self.workers), self.size, error.strerror)
            self.size = len(self.workers)
            return min(self.workers, key=lambda worker: len(worker.chunks))
        return self.workers[-1]

    def _receive(self) -> None:
        wait([worker.connection for worker in self.workers], CHECK_SECONDS)
        for worker in list(self.workers):
            try:
                for (number, first), answer in worker.answers():
                    if isinstance(answer, Exception):
                        self.failed[number] = answer
                    else:
                        self.done[number].update(enumerate(answer, start=first))
            except EOFError:
                self._remove_dead(worker)

    def _remove_dead(self, dead: Worker) -> None:
        """Remove a dead process and give its chunks to others.

        The chunk in work is repeated item by item. If a process dies again on a single item, this item is lost.
        """
        self.workers.remove(dead)
        reason = dead.exit_reason()
        dead.close()
        if not dead.ready:
            raise RunError(f"a process could not start: {reason}", fix="free some memory or work with fewer processes")
        if not dead.chunks:
            return
        ((number, first), items), *others = dead.chunks
        if self.lost is None:
            raise RunError(
                f"a process died: {reason}",
                where=", ".join(map(self.named, items)),
                fix="free some memory or work with fewer processes, then repeat the command",
            )
        self.retries.extendleft(reversed(others))
        if len(items) == 1:
            self.done[number][first] = self.lost(items[0])
            return
        single = [((number, at), [item]) for at, item in enumerate(items, start=first)]
        self.retries.extendleft(reversed(single))

    def _end(self) -> None:
        workers, self.workers = self.workers, []
        ends = time.monotonic() + GRACE
        try:
            for worker in workers:
                worker.stop()
            for worker in workers:
                worker.wait(max(0.0, ends - time.monotonic()))
        finally:  # also after a second Ctrl-C
            for worker in workers:
                worker.close()


def _refused(error: OSError) -> NoReturn:
    raise RunError(
        f"no further process can be started: {error.strerror or error}",
        fix="raise the limits of the system (ulimit -u, ulimit -n) or work with one process",
    ) from None
