"""A function over many items in several processes: results in order, bounded memory, and no process left behind.

All work of the package that wants several processes goes through `stream`: they end with the caller, whether it is
interrupted, terminated, or killed; a process that is killed costs its item, or is an error that names it.
"""

from __future__ import annotations

import atexit
import logging
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from multiprocessing.connection import wait
from types import FrameType
from typing import Any, Generic, NoReturn, TypeVar

from underpaint.core.errors import RunError
from underpaint.core.stop import Stopped
from underpaint.core.worker import GRACE, Worker

Item = TypeVar("Item")
Result = TypeVar("Result")

Key = tuple[int, int]
"""The number of a chunk, and of its first item within it."""

AHEAD = 3
"""Chunks under way or done for each process, so that none waits; no more results than these are held."""

LOOK_EVERY = 0.25
"""Seconds between two looks at whether the processes are alive."""

log = logging.getLogger(__name__)


def stream(
    work: Callable[[Item], Result],
    items: Iterable[Item],
    *,
    workers: int,
    lost: Callable[[Item], Result] | None = None,
    chunk: int = 1,
    in_line: int = 2,
    threads: int | None = None,
    named: Callable[[Item], str] = str,
) -> Generator[Result, None, None]:
    """``work(item)`` of every item, in order. Closing the generator ends the processes.

    Args:
        work: A function of a module, or a `functools.partial` of one; items and results must pickle.
        items: Taken as needed, never all at once.
        workers: Processes; 1 works in this one.
        lost: The result of an item on which a process died; without it that is an error.
        chunk: Items handed over at a time: handing over takes about 0.3 ms.
        in_line: Chunks that a process holds at a time, the one it works on and those that wait for it; 1 where the work
            is so long that the next chunk is better left to whoever is free first.
        threads: Threads of numerical libraries in each process; None for as many as they like.
        named: What an error calls an item.

    Raises:
        RunError: a process died without ``lost``, or none can be started.
        Exception: what ``work`` raises.
    """
    if workers <= 1:
        yield from map(work, items)
        return
    with _ended_by_signals(), _Team(work, items, workers, lost, chunk, in_line, threads, named) as team:
        yield from team.results()


class _Team(Generic[Item, Result]):
    """The processes of one `stream`, and what each of them is at."""

    def __init__(
        self,
        work: Callable[[Item], Result],
        items: Iterable[Item],
        size: int,
        lost: Callable[[Item], Result] | None,
        chunk: int,
        in_line: int,
        threads: int | None,
        named: Callable[[Item], str],
    ) -> None:
        self.work, self.size, self.lost, self.threads, self.named = work, size, lost, threads, named
        self.in_line = in_line
        rest = iter(items)
        self.chunks = enumerate(iter(lambda: list(islice(rest, chunk)), []))
        self.again: deque[tuple[Key, list[Item]]] = deque()
        """What dead processes left undone."""
        self.done: dict[int, dict[int, Result]] = {}
        """Results by the numbers of chunk and item."""
        self.sizes: dict[int, int] = {}
        """Items of the chunks that were handed over and not yet given back."""
        self.failed: dict[int, Exception] = {}
        """What the work raised, by the number of the chunk: it is the caller's in its turn."""
        self.members: list[Worker] = []

    def __enter__(self) -> _Team[Item, Result]:
        atexit.register(self._end)  # where nobody closes the generator
        return self

    def __exit__(self, *_: object) -> None:
        atexit.unregister(self._end)
        self._end()

    def results(self) -> Iterator[Result]:
        """Of all items, in order."""
        number = 0
        while True:
            self._hand_over()
            if number not in self.sizes:
                return
            if number in self.failed:
                raise self.failed[number]
            if len(self.done[number]) < self.sizes[number]:
                self._listen()
                continue
            del self.sizes[number]
            yield from (result for _, result in sorted(self.done.pop(number).items(), key=lambda pair: pair[0]))
            number += 1

    def _hand_over(self) -> None:
        """Give chunks to whoever can take one; the processes are started as they are needed."""
        while (member := self._free()) is not None:
            given = self._next()
            if given is None:
                return
            member.give(*given)

    def _next(self) -> tuple[Key, list[Item]] | None:
        if self.again:
            return self.again.popleft()
        if len(self.sizes) >= self.size * AHEAD or (new := next(self.chunks, None)) is None:
            return None
        number, items = new
        self.sizes[number], self.done[number] = len(items), {}
        return (number, 0), items

    def _free(self) -> Worker | None:
        idle = next((member for member in self.members if not member.chunks), None)
        if idle is None and len(self.members) < self.size:
            return self._hire()
        least = idle or min(self.members, key=lambda member: len(member.chunks))
        return least if len(least.chunks) < self.in_line else None

    def _hire(self) -> Worker:
        try:
            self.members.append(Worker(self.work, self.threads))
        except OSError as error:
            if not self.members:
                _refused(error)
            log.warning("%d of %d processes could be started: %s", len(self.members), self.size, error.strerror)
            self.size = len(self.members)
            return min(self.members, key=lambda member: len(member.chunks))
        return self.members[-1]

    def _listen(self) -> None:
        wait([member.connection for member in self.members], LOOK_EVERY)
        for member in list(self.members):
            try:
                for (number, first), answer in member.answers():
                    if isinstance(answer, Exception):
                        self.failed[number] = answer
                    else:
                        self.done[number].update(enumerate(answer, start=first))
            except EOFError:
                self._bury(member)

    def _bury(self, dead: Worker) -> None:
        """Pass on what a dead process left: the chunk it was at item by item, of which the fatal one is lost."""
        self.members.remove(dead)
        ending = dead.ending()
        dead.close()
        if not dead.ready:
            raise RunError(f"a process could not start: {ending}", fix="free some memory or work with fewer processes")
        if not dead.chunks:
            return
        ((number, first), items), *others = dead.chunks
        if self.lost is None:
            said = ", ".join(map(self.named, items))
            raise RunError(
                f"a process died: {ending}",
                where=said,
                fix="free some memory or work with fewer processes, then repeat the command",
            )
        self.again.extendleft(reversed(others))
        if len(items) == 1:
            self.done[number][first] = self.lost(items[0])
            return
        alone = [((number, at), [item]) for at, item in enumerate(items, start=first)]
        self.again.extendleft(reversed(alone))

    def _end(self) -> None:
        members, self.members = self.members, []
        ends = time.monotonic() + GRACE
        try:
            for member in members:
                member.stop()
            for member in members:
                member.wait(max(0.0, ends - time.monotonic()))
        finally:  # also of a second Ctrl-C
            for member in members:
                member.close()


def _refused(error: OSError) -> NoReturn:
    raise RunError(
        f"no further process can be started: {error.strerror or error}",
        fix="raise the limits of the system (ulimit -u, ulimit -n) or work with one process",
    ) from None


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """SIGTERM and SIGHUP unwind the caller, so that it ends its processes, where they would end it on the spot."""

    def unwind(number: int, _: FrameType | None) -> None:
        raise Stopped(number)

    before: dict[int, Any] = {}
    if threading.current_thread() is threading.main_thread():
        found = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
        before = {number: handler for number, handler in found.items() if handler is signal.SIG_DFL}
    for number in before:
        signal.signal(number, unwind)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
