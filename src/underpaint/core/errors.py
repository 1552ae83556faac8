"""Typed errors, which say what is wrong, where, what is accepted and what to do; and helpers for their texts."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from copy import copy
from typing import Any


class UnderpaintError(Exception):
    """Base class of the errors that a user can cause and correct.

    Args:
        what: What is wrong, with the value that was given.
        where: File, line or argument.
        accepted: The values that are accepted.
        fix: What the user can do.
    """

    exit_code = 1
    """Exit code of a command that ends with this error."""

    shown_by_leader = False
    """Whether another process of the same command prints it."""

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
        """What is wrong, what is accepted and the fix in one line, for lists that already name the place."""

    def with_fix(self, fix: str) -> UnderpaintError:
        """The same error with a fix, for an error that has none."""
        made = copy(self)
        made.args, made.fix, made.brief = (f"{self}\n  fix: {fix}",), fix, f"{self.brief}; fix: {fix}"
        return made

    def __reduce__(self) -> tuple[Any, ...]:
        """Allow pickling, also for subclasses whose constructors have other arguments."""
        return _restored, (type(self), self.args, self.__dict__)


def _restored(kind: type[UnderpaintError], args: tuple[Any, ...], state: dict[str, Any]) -> UnderpaintError:
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
    """A training run cannot start, resume or continue."""


class LearningError(RunError):
    """A method cannot learn from its data: for example, all hints have one class, or the loss is never finite."""


class InterruptionError(RunError):
    """A signal stopped a training after it had saved its work.

    Args:
        what: What the training had reached.
        fix: How to continue.
        number: The number of the signal. The exit code is 128 plus this number, as in a shell.
    """

    def __init__(self, what: str, *, fix: str, number: int) -> None:
        super().__init__(what, fix=fix)
        self.exit_code = 128 + number


def nearest(name: str, options: Iterable[str]) -> str:
    """Return a sentence that suggests the most similar accepted word, or an empty string if none is similar."""
    close = difflib.get_close_matches(name, list(options), n=1, cutoff=0.5)
    return f"did you mean {close[0]!r}?" if close else ""


SHOWN = 5
"""Number of names that a message lists before it gives only the number of the others."""


def listing(names: Iterable[str]) -> str:
    """Return the first `SHOWN` names and the number of the others, for a message."""
    every = list(names)
    rest = len(every) - SHOWN
    return ", ".join(every[:SHOWN]) + (f" and {rest} more" if rest > 0 else "")


def printable(text: str, *, lines: bool = False) -> str:
    """Return a text that is safe to print: control characters are replaced by Python's escape sequences.

    Args:
        text: Any text. Names of images and classes come from files and are not trusted.
        lines: Keep line breaks.
    """
    return "".join(
        c if c.isprintable() or (lines and c == "\n") else c.encode("unicode_escape", "backslashreplace").decode()
        for c in text
    )
