"""Runs work on a Ray cluster: one task for each item, and a limited number of tasks at a time."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any, TypeVar

from underpaint.core.errors import ConfigError, RunError

Item = TypeVar("Item")
Result = TypeVar("Result")

RETRIES = 3
"""How often Ray repeats a task whose process or machine failed."""

AHEAD = 2
"""Number of submitted tasks for each core of the cluster, so that no core waits for the next task."""

STORE = 80 << 20
"""Size of the object store of a local cluster in bytes. It is the smallest that Ray accepts, because tasks and results
are small."""


def on_cluster(
    work: Callable[[Item], Result],
    items: Iterable[Item],
    *,
    jobs: int,
    address: str | None,
    lost: Callable[[Item], Result],
) -> Iterator[Result]:
    """Yield ``work(item)`` of every item, computed on a Ray cluster, in the order in which they are finished.

    A cluster that this function starts is stopped at its end; an existing cluster keeps running.

    Args:
        work: The function. It and its results must be picklable, and its module must be installed on every machine.
        items: The items. They are read when they are needed.
        jobs: Number of cores of the cluster that is started if ``address`` is None.
        address: Address of a running cluster, or ``auto``.
        lost: Makes the result of an item whose process failed in every attempt.

    Raises:
        ConfigError: Ray is not installed.
        RunError: There is no cluster at this address.
        Exception: Any error of ``work``.
    """
    ray = _ray()
    joined = ray.is_initialized()
    if not joined:
        _connect(ray, jobs, address)
    try:
        yield from _results(ray, work, iter(items), lost)
    finally:
        if not joined:
            ray.shutdown()


def _ray() -> Any:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # no usage report
    try:
        import ray
    except ImportError:
        raise ConfigError(
            "the executor ray needs Ray, which is not installed", where="executor", fix="pip install 'underpaint[ray]'"
        ) from None
    return ray


def _connect(ray: Any, jobs: int, address: str | None) -> None:
    new = {"num_cpus": jobs, "include_dashboard": False, "object_store_memory": STORE} if address is None else {}
    try:
        ray.init(address=address or "local", log_to_driver=False, logging_level="error", **new)
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise RunError(
            f"no Ray cluster can be used: {error}"[:300],
            where=address or "a cluster on this machine",
            fix="start one with `ray start --head` and give its address, or leave the address out",
        ) from None


def _results(
    ray: Any, work: Callable[[Item], Result], items: Iterator[Item], lost: Callable[[Item], Result]
) -> Iterator[Result]:
    task = ray.remote(num_cpus=1, max_retries=RETRIES)(_apply)
    shared = ray.put(work)
    pending: dict[Any, Item] = {}
    try:
        while True:
            free = AHEAD * max(1, int(ray.cluster_resources().get("CPU", 1))) - len(pending)
            pending |= {task.remote(shared, item): item for item in islice(items, max(0, free))}
            if not pending:
                return
            ended, _ = ray.wait(list(pending), num_returns=1, timeout=5.0)
            for one in ended:
                yield _result(ray, one, pending.pop(one), lost)
    finally:
        for one in pending:
            ray.cancel(one, force=True)


def _apply(work: Callable[[Item], Result], item: Item) -> Result:
    return work(item)


def _result(ray: Any, ended: Any, item: Item, lost: Callable[[Item], Result]) -> Result:
    try:
        found: Result = ray.get(ended)
    except ray.exceptions.RayTaskError as error:
        raise error.cause from None
    except ray.exceptions.RayError:  # its process or its machine died, and so did those of the retries
        return lost(item)
    return found
