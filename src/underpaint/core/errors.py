"""Typed errors: what is wrong, where, what is accepted, and what to do next."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any


class UnderpaintError(Exception):
    """Base of every error that a user can cause and mend.

    Args:
        what: What is wrong, with the value seen.
        where: File, line or argument.
        accepted: The values that would have been taken.
        fix: What to do next.
    """

    exit_code = 1
    """Of the command that it ends."""

    def __init__(self, what: str, *, where: object = None, accepted: object = None, fix: str | None = None) -> None:
        parts = [what]
        if where is not None:
            parts.append(f"  where: {where}")
        if accepted is not None:
            parts.append(f"  accepted: {accepted}")
        if fix is not None:
            parts.append(f"  fix: {fix}")
        super().__init__("\n".join(parts))
        self.what, self.fix = what, fix
        self.brief = "; ".join([what, *(part.strip() for part in parts[1:] if not part.startswith("  where: "))])
        """What is wrong, what is accepted and the fix in one line, for a list that names the place itself."""

    def __reduce__(self) -> tuple[Any, ...]:
        """Errors travel between processes, whatever arguments their kind is made with."""
        return _as_it_was, (type(self), self.args, self.__dict__)


def _as_it_was(kind: type[UnderpaintError], args: tuple[Any, ...], state: dict[str, Any]) -> UnderpaintError:
    error = kind.__new__(kind, *args)
    error.__dict__.update(state)
    return error


class DataError(UnderpaintError):
    """An image, mask, split or data-set folder is missing, unreadable or contradictory."""


class HintError(UnderpaintError):
    """A hint contradicts the class table or its image."""


class FormatError(UnderpaintError):
    """An annotation file does not have the structure of its format."""


class ConfigError(UnderpaintError):
    """A setting is unknown, out of range or contradicts another."""


class RunError(UnderpaintError):
    """A training run cannot start, resume or go on."""


class LearningError(RunError):
    """A method cannot learn from what it was given: marks of one class alone, or a loss that stays not finite."""


class InterruptionError(RunError):
    """A signal asked a training to stop, and it did so with its work kept.

    Args:
        what: Where it stands.
        fix: How to go on.
        number: The signal; the exit code is the shell's, 128 and this.
    """

    def __init__(self, what: str, *, fix: str, number: int) -> None:
        super().__init__(what, fix=fix)
        self.exit_code = 128 + number


def nearest(name: str, options: Iterable[str]) -> str:
    """A sentence that names the closest accepted word, or an empty string when none is close."""
    close = difflib.get_close_matches(name, list(options), n=1, cutoff=0.5)
    return f"did you mean {close[0]!r}?" if close else ""


SHOWN = 5
"""How many names an error message lists before it goes on with a count."""


def listing(names: Iterable[str]) -> str:
    """The first few names and how many more there are, for a message."""
    every = list(names)
    rest = len(every) - SHOWN
    return ", ".join(every[:SHOWN]) + (f" and {rest} more" if rest > 0 else "")
