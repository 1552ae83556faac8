"""The findings of the doctor: one record per kind of problem, with cause, fix, count and the first few names."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from underpaint.core.errors import UnderpaintError

SHOWN = 5
"""Number of names that a finding lists before it gives only the number of the others."""


class Level(StrEnum):
    """The effect of a finding on a training that starts now."""

    BLOCKS = "blocks"
    """The training would stop, or learn something wrong."""
    WARNS = "warns"
    """The training would run, but without a part of the data, or with scores that are too high."""
    NOTES = "notes"
    """The training would run correctly; the finding is only information."""


@dataclass(frozen=True)
class Finding:
    """One kind of problem.

    Args:
        key: A fixed word for scripts, such as ``image-unreadable``.
        level: The effect on a training.
        what: The problem in plain words.
        cause: The usual cause.
        fix: What the user can do.
        count: Number of images, names or classes with the problem.
        names: The first few of them.
    """

    key: str
    level: Level
    what: str
    cause: str = ""
    fix: str = ""
    count: int = 1
    names: tuple[str, ...] = ()

    @classmethod
    def of_error(cls, key: str, error: UnderpaintError) -> Finding:
        """Make a blocking finding of a typed error: its place and accepted values are the cause, its fix the fix."""
        first, *lines = str(error).splitlines()
        fixes = [line.strip() for line in lines if line.startswith("  fix: ")]
        rest = [line.strip() for line in lines if line.strip() and line.strip() not in fixes]
        fix = "; ".join(line.removeprefix("fix: ") for line in fixes)
        return cls(key, Level.BLOCKS, first, "; ".join(rest), fix)

    def __str__(self) -> str:
        """The problem, the cause and the fix, each on its own line."""
        parts = (("cause", self.cause), ("fix", self.fix))
        return "\n".join([self.what, *(f"  {word}: {text}" for word, text in parts if text)])

    def listing(self) -> str:
        """The first few names and the number of the others."""
        more = self.count - len(self.names)
        return ", ".join(self.names) + (f" and {more} more" if more > 0 else "")

    def to_json(self) -> dict[str, Any]:
        """The fields as values for JSON."""
        return asdict(self)


@dataclass
class Group:
    """Names with the same problem, of which only the first few are stored.

    Args:
        count: Number of names that were added.
        names: The first of them, at most ``most``.
        detail: The first detail that was given.
        most: Number of names that are stored.
    """

    count: int = 0
    names: list[str] = field(default_factory=list)
    detail: str = ""
    most: int = SHOWN

    def add(self, name: str, detail: str = "") -> None:
        """Count a name. The first few names and the first detail are stored."""
        self.count += 1
        if len(self.names) < self.most:
            self.names.append(name)
        self.detail = self.detail or detail

    @classmethod
    def of(cls, names: Iterable[str]) -> Group:
        """Make a group of names."""
        group = cls()
        for name in names:
            group.add(name)
        return group

    def finding(self, key: str, level: Level, what: str, *, cause: str = "", fix: str = "") -> list[Finding]:
        """One finding, or none if no name was added; ``{n}`` in ``what`` is replaced by the count."""
        if self.count == 0:
            return []
        return [Finding(key, level, what.replace("{n}", str(self.count)), cause, fix, self.count, tuple(self.names))]
