"""Batches from loading processes. If one of them ends or reaches a system limit, that becomes one typed error."""

from __future__ import annotations

import errno
import os
import re
import resource
import signal
import threading
import warnings
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from multiprocessing import queues
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from underpaint.core.errors import RunError, UnderpaintError
from underpaint.core.stop import ignore_stopping
from underpaint.data.hinted import HintedImages, Key
from underpaint.data.samples import Sample, collate
from underpaint.records import Batch

Loaded = tuple[Batch | UnderpaintError, dict[str, str]]
"""A batch, or the error in its place; and the images that its loading process could not read, with the reasons."""

LIMITS = (errno.EMFILE, errno.ENFILE, errno.EAGAIN, errno.ENOMEM)
"""Error numbers of the system that mean: no further file, process or memory is available."""

PIPES = 4
"""Number of files that this process opens for each loading process, besides those for the tensors it receives."""


class Guarded(Dataset[tuple[Sample | UnderpaintError, dict[str, str]]]):
    """Samples. Errors are returned instead of raised, because a loading process would wrap them in a traceback.

    Args:
        images: The samples.
    """

    def __init__(self, images: HintedImages) -> None:
        self.images = images

    def __getitem__(self, key: Key) -> tuple[Sample | UnderpaintError, dict[str, str]]:
        """The sample of a key, or the error in its place; and the unreadable images found so far."""
        try:
            sample: Sample | UnderpaintError = self.images[key]
        except UnderpaintError as error:
            sample = error
        return sample, self.images.unreadable


def _collate(loaded: Sequence[tuple[Sample | UnderpaintError, dict[str, str]]], mean: Tensor, std: Tensor) -> Loaded:
    unreadable = {name: reason for _, known in loaded for name, reason in known.items()}
    samples = [sample for sample, _ in loaded if isinstance(sample, Sample)]
    errors = [sample for sample, _ in loaded if isinstance(sample, UnderpaintError)]
    return (errors[0] if errors else collate(samples, mean, std)), unreadable


def load_batches(
    images: HintedImages, stream: Sampler[list[Key]], *, workers: int, mean: Tensor, std: Tensor
) -> Generator[Batch, None, None]:
    """The batches of a sampler, in its order.

    Args:
        images: The samples; ``images.unreadable`` receives the names of images that cannot be read.
        stream: The sampler, which gives the keys of each batch.
        workers: Number of loading processes; 0 for none.
        mean: As in `collate`.
        std: As in `collate`.

    Raises:
        UnderpaintError: The error of the first sample that cannot be made.
        RunError: As in `explained`, which must surround the whole loop, because torch can report a killed process at
            any moment.
    """
    _check_open_files(workers)
    with warnings.catch_warnings():  # the plan has a message of our own about this
        warnings.filterwarnings("ignore", "This DataLoader will create", UserWarning)
        loader = DataLoader(
            Guarded(images),
            batch_sampler=stream,
            num_workers=workers,
            collate_fn=partial(_collate, mean=mean, std=std),
            worker_init_fn=_start_worker,
            prefetch_factor=4 if workers else None,
        )
        loaded = iter(loader)
    try:
        for batch, unreadable in loaded:
            images.unreadable.update(unreadable)
            if isinstance(batch, UnderpaintError):
                raise batch
            yield batch
    finally:
        with _child_signals_ignored():
            for process in getattr(loaded, "_workers", ()):
                process.kill()  # they hold nothing that must be kept; at a system limit a process may never end
                process.join()


def _check_open_files(workers: int) -> None:
    """Open as many files as the pipes of the processes will need, to fail before any process is started.

    If only some of the processes were started, they could not be ended in an orderly way.
    """
    opened: list[int] = []
    try:
        while len(opened) < PIPES * (workers + 2) and workers:
            opened.append(os.open(os.devnull, os.O_RDONLY))
    finally:
        for handle in opened:
            os.close(handle)


@contextmanager
def _child_signals_ignored() -> Iterator[None]:
    """Disable torch's signal handler, which raises an error if a loading process ends unexpectedly."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGCHLD, before)


@contextmanager
def explained(workers: int, where: str) -> Iterator[None]:
    """Turn the unexpected end of a loading process, or a system limit, into an error with a suggested fix.

    Args:
        workers: Number of loading processes, for the message.
        where: The stage, for the message.

    Raises:
        RunError: A loading process was killed, or no further file, process or memory is available.
    """
    try:
        yield
    except RuntimeError as error:
        if not re.search("DataLoader|Communication with the workers", str(error)):
            raise
        raise _loading_error(_cause(str(error)), workers, where) from error
    except OSError as error:
        if error.errno not in LIMITS or not workers:
            raise
        raise _loading_error(_limit(error.errno), workers, where) from error


def _loading_error(what: str, workers: int, where: str) -> RunError:
    return RunError(
        f"{what}, and the training cannot go on without its {workers} loading process(es)",
        where=where,
        fix="the same command with --resume goes on from the last checkpoint; load between the steps with "
        "--set train.workers=0, or keep fewer photographs in memory with --set views.cache_mb=100; the weights stay "
        "the same",
    )


def _cause(said: str) -> str:
    """The cause of a failed loading process, from torch's message."""
    ended = re.search(r"exit code (\d+)", said)
    if "Too many open files" in said:
        return _limit(errno.EMFILE)
    if ended is not None and int(ended[1]) in LIMITS:
        return _limit(int(ended[1]))
    if "Bus error" in said:
        return "a loading process found no room in shared memory (/dev/shm; in a container: --shm-size)"
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return f"a loading process was killed, most often because memory or open files (ulimit -n is {files}) ran short"


def _limit(number: int) -> str:
    names = {errno.EMFILE: "open files (ulimit -n)", errno.ENFILE: "open files of the whole system"}
    names |= {errno.EAGAIN: "processes (ulimit -u)", errno.ENOMEM: "memory"}
    return f"the limit of {names[number]} is reached"


def _start_worker(_: int) -> None:
    """Use one thread and ignore signals to stop: the main process finishes its step, then stops the workers."""
    ignore_stopping()
    torch.set_num_threads(1)
    setattr(queues.Queue, "_on_queue_feeder_error", staticmethod(_cannot_send))  # noqa: B010 - hidden from its types


def _cannot_send(error: Exception, _: Any) -> None:
    """End a process that cannot send a batch: Python would discard the batch, and the training would wait for ever."""
    number = error.errno if isinstance(error, OSError) and error.errno in LIMITS else 1
    os._exit(number)
