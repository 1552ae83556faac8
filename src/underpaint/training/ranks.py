"""The processes that train together, one for each device, and the messages between them.

Rank 0 is the leader: it alone writes the run folder, and prints. Ranks exchange small messages (`Ranks.gather`) in a
gloo group, which notices at once when a process ends. Only gradients and the statistics of batch normalisation use the
group of the devices (NCCL on GPUs). A rank that fails sends its error in place of its next message, so that all ranks
stop with the same error.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import torch
from lightning_fabric import Fabric
from torch import Tensor

from underpaint.core.errors import RunError, UnderpaintError

Value = TypeVar("Value")


class LostError(RunError):
    """Another process of the training ended, so that this one cannot continue."""


@dataclass(frozen=True)
class Message(Generic[Value]):
    """What a rank sends.

    Args:
        place: Where in the training the rank is; the same for all ranks.
        value: The content.
        error: The error that stops it, in place of a value.
    """

    place: str
    value: Value | None
    error: UnderpaintError | None = None


@dataclass
class Ranks:
    """The processes of a training. With the defaults, this process alone.

    Args:
        fabric: Device and precision of this process.
        rank: Number of this process, 0 to ``count`` - 1.
        count: Number of processes.
        group: Group of the messages, with the backend gloo.
    """

    fabric: Fabric
    rank: int = 0
    count: int = 1
    group: Any = None
    closed: bool = field(default=False, init=False)
    """Whether no further messages are exchanged, because of an error that all ranks have or a process that ended."""

    @property
    def is_leader(self) -> bool:
        """Whether this is the rank that reads and writes the run folder, and prints."""
        return self.rank == 0

    def own(self, parts: int) -> range:
        """The numbers of the parts of a batch that are this rank's: consecutive ones, as many as those of the others.

        So the parts in the order of the ranks are in the order of their numbers.
        """
        each = parts // self.count
        return range(self.rank * each, (self.rank + 1) * each)

    def gather(self, place: str, value: Value) -> list[Value]:
        """The values of all ranks at this place, in the order of the ranks.

        Raises:
            UnderpaintError: The error of a rank that failed.
            LostError: A rank ended.
        """
        if self.count == 1:
            return [value]
        received = self._exchange(Message(place, value))
        errors = [message.error for message in received if message.error is not None]
        if errors:
            self.closed = True
            errors[0].shown_by_leader = not self.is_leader
            raise errors[0]
        places = sorted({message.place for message in received})
        if len(places) > 1:
            raise RunError(
                f"the processes of the training do different things: {'; '.join(places)}",
                where=f"rank {self.rank} of {self.count}",
                fix="start the same version of underpaint with the same settings on every machine",
            )
        return [message.value for message in received]  # type: ignore[misc]  # a message without an error has a value

    def on_leader(self, place: str, make: Callable[[], Value]) -> Value:
        """The result of ``make`` on the leader. The other ranks wait for it and do not call it. Raises as `gather`."""
        made = [make() if self.is_leader else None]
        if self.count > 1:
            self.gather(place, None)
            with self._connection_errors(place):
                torch.distributed.broadcast_object_list(made, src=0, group=self.group)
        return made[0]  # type: ignore[return-value]  # what the leader made

    def share_error(self, error: Exception) -> None:
        """Send an error in place of the next message, unless no further messages are exchanged."""
        if self.closed or self.count == 1:
            return
        self.closed = True
        known = error if isinstance(error, UnderpaintError) else self._fault(error)
        self._exchange(Message("an error", None, known))
        known.shown_by_leader = not self.is_leader

    def _fault(self, error: Exception) -> RunError:
        return RunError(
            f"{type(error).__name__}: {error}",
            where=f"rank {self.rank} of {self.count}",
            fix="the same command with --resume continues from the last checkpoint",
        )

    def _exchange(self, sent: Message[Any]) -> list[Message[Any]]:
        received: list[Any] = [None] * self.count
        with self._connection_errors(sent.place):
            torch.distributed.all_gather_object(received, sent, group=self.group)
        return received

    def sum_over_ranks(self, tensors: list[Tensor], place: str) -> list[Tensor]:
        """The sums of tensors over all ranks: one exchange for all tensors, which have one type and device.

        Raises:
            LostError: A rank ended.
        """
        flat = torch.cat([tensor.reshape(-1) for tensor in tensors])
        with self._connection_errors(place):
            torch.distributed.all_reduce(flat)
        sums = torch.split(flat, [tensor.numel() for tensor in tensors])
        return [total.view(tensor.shape) for total, tensor in zip(sums, tensors, strict=True)]

    @contextmanager
    def _connection_errors(self, place: str) -> Iterator[None]:
        """Turn the errors of torch for connections that ended into one error."""
        try:
            yield
        except RuntimeError as error:
            self.closed = True
            raise LostError(
                f"another process of the training ended, or could not be reached for too long: {first_line(error)}",
                where=f"rank {self.rank} of {self.count}, at: {place}",
                fix="find out why it ended (its own message, the memory of its machine); the same command with "
                "--resume continues from the last checkpoint, on any number of devices that can share train.accumulate",
            ) from error


def first_line(error: Exception) -> str:
    """The first line of an error's message."""
    return str(error).strip().partition("\n")[0][:200]
