"""A function over many items in several processes: bounded memory, results in order, clean under Ctrl-C.

The processes are spawned, not forked: the caller may hold threads, which a forked child inherits in mid-step. They
leave Ctrl-C to the caller, who then ends them. If one dies (killed for its memory, or by a decoder that hostile bytes
bring down), what was under way is repeated item by item, so that one file costs its own result and no other.
"""

from __future__ import annotations

import multiprocessing
import signal
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from itertools import islice
from multiprocessing import resource_tracker
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

CHUNK = 32
"""Items handed over at a time: about 20 ms of decoding, against 0.3 ms for the handing over."""

AHEAD = 3
"""Chunks under way for each process, so that none waits; no more results than these are held."""


def stream(
    work: Callable[[Item], Result], items: Iterable[Item], *, workers: int, lost: Callable[[Item], Result]
) -> Generator[Result, None, None]:
    """``work(item)`` of every item, in order. Closing the generator ends the processes.

    Args:
        work: A function that processes can import.
        items: Taken as needed, never all at once.
        workers: Processes; 1 works in this one.
        lost: The result of an item on which a process died.
    """
    if workers <= 1:
        yield from map(work, items)
        return
    rest = iter(items)
    while True:
        pending: deque[tuple[list[Item], Future[list[Result]]]] = deque()
        try:
            with _pool(workers) as pool:
                while _fill(pending, pool, work, rest, workers * AHEAD):
                    results = pending[0][1].result()
                    pending.popleft()
                    yield from results
                return
        except BrokenProcessPool:
            yield from _one_by_one(work, [item for chunk, _ in pending for item in chunk], lost)


def _fill(
    pending: deque[tuple[list[Item], Future[list[Result]]]],
    pool: ProcessPoolExecutor,
    work: Callable[[Item], Result],
    rest: Iterator[Item],
    most: int,
) -> bool:
    """Hand over chunks until ``most`` are under way; whether any is."""
    while len(pending) < most and (chunk := list(islice(rest, CHUNK))):
        try:
            pending.append((chunk, pool.submit(_each, work, chunk)))
        except BrokenProcessPool:
            pending.append((chunk, Future()))  # never asked: the results before it raise first
            raise
    return bool(pending)


def _each(work: Callable[[Item], Result], chunk: list[Item]) -> list[Result]:
    return [work(item) for item in chunk]


def _one_by_one(work: Callable[[Item], Result], items: list[Item], lost: Callable[[Item], Result]) -> Iterator[Result]:
    rest = deque(items)
    while rest:
        try:
            with _pool(1) as pool:
                while rest:
                    result = pool.submit(work, rest[0]).result()
                    rest.popleft()
                    yield result
        except BrokenProcessPool:
            yield lost(rest.popleft())


@contextmanager
def _pool(workers: int) -> Iterator[ProcessPoolExecutor]:
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_leave_interrupts_to_the_caller)
    try:
        with _interrupts_held():
            for _ in range(workers):
                pool.submit(int)  # each starts a process, which is deaf to Ctrl-C from its first moment on
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def _leave_interrupts_to_the_caller() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Ctrl-C waits until the block ends; programs that are started meanwhile never hear it."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    resource_tracker.ensure_running()  # starting it later would let the signal through again
    held = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, held)
