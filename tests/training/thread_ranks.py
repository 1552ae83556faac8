"""Ranks that are threads of one process: they exchange what ranks exchange, without processes and sockets."""

from __future__ import annotations

import pickle
import threading
from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch import Tensor

from underpaint.training.config import TrainConfig
from underpaint.training.loop import make_fabric
from underpaint.training.ranks import Message, Ranks

Result = TypeVar("Result")


class ThreadRanks(Ranks):
    """A rank in a thread.

    Args:
        rank: Its number.
        board: What the ranks last sent.
        meeting: Where they wait for each other.
    """

    def __init__(self, rank: int, board: list[Any], meeting: threading.Barrier) -> None:
        super().__init__(make_fabric(TrainConfig()), rank, len(board))
        self.board, self.meeting = board, meeting

    def _all(self, value: Any) -> list[Any]:
        self.meeting.wait(timeout=20)
        self.board[self.rank] = value
        self.meeting.wait(timeout=20)
        return list(self.board)

    def _exchange(self, sent: Message[Any]) -> list[Message[Any]]:
        return [pickle.loads(sent) for sent in self._all(pickle.dumps(sent))]

    def on_leader(self, place: str, make: Callable[[], Result]) -> Result:
        """As the leader's, through the board."""
        return self.gather(place, make() if self.is_leader else None)[0]  # type: ignore[return-value]

    def sum_over_ranks(self, tensors: list[Tensor], place: str) -> list[Tensor]:
        """The sums in the order of the ranks."""
        return [torch.stack(each).sum(0) for each in zip(*self._all([one.clone() for one in tensors]), strict=True)]


def in_threads(count: int, work: Callable[[Ranks], Result]) -> list[Result | Exception]:
    """What ``work`` gives on each of so many ranks, or the error that it raises there."""
    board, meeting = [None] * count, threading.Barrier(count)
    results: list[Any] = [None] * count

    def run(rank: int) -> None:
        ranks = ThreadRanks(rank, board, meeting)
        try:
            results[rank] = work(ranks)
        except Exception as error:
            results[rank] = error
            ranks.share_error(error)

    threads = [threading.Thread(target=run, args=(rank,)) for rank in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results
