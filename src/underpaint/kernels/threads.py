"""The number of threads that torch uses, for the time of a computation."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """Let torch use so many threads in this process, and afterwards as many as before.

    With another number of threads torch adds in another order, which changes the last bits of a result. With 1 the
    result is the same on every machine and in every number of processes.

    Args:
        count: Number of threads, 1 or more.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
