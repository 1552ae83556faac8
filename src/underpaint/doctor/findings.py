"""What the doctor says: one record a kind of fault, with the cause, the fix, a count and the first few names."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from underpaint.core.errors import UnderpaintError

SHOWN = 5
"""Names that a finding lists before it goes on with a count; as many as errors of the data set do."""


class Level(StrEnum):
    """What a finding means for a training that would start now."""

    BLOCKS = "blocks"
    """It would stop, or learn something false."""
    WARNS = "warns"
    """It would run, with less than what was given, or with a score that says too much."""
    NOTES = "notes"
    """It would run as it should; information only."""


@dataclass(frozen=True)
class Finding:
    """One kind of fault.

    Args:
        key: Stable word for scripts, such as ``image-unreadable``.
        level: What it means for a training.
        what: What is there, in plain words.
        cause: The usual reason.
        fix: What to do.
        count: Images, names or classes concerned.
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
        """A typed error as a finding that blocks: its place and accepted values are the cause, its fix is the fix."""
        first, *lines = str(error).splitlines()
        fixes = [line.strip() for line in lines if line.startswith("  fix: ")]
        rest = [line.strip() for line in lines if line.strip() and line.strip() not in fixes]
        fix = "; ".join(line.removeprefix("fix: ") for line in fixes)
        return cls(key, Level.BLOCKS, first, "; ".join(rest), fix)

    def __str__(self) -> str:
        """What, cause and fix, a line each, as errors have them."""
        said = (("cause", self.cause), ("fix", self.fix))
        return "\n".join([self.what, *(f"  {word}: {text}" for word, text in said if text)])

    def listing(self) -> str:
        """The first few names, and how many more there are."""
        more = self.count - len(self.names)
        return ", ".join(self.names) + (f" and {more} more" if more > 0 else "")

    def to_json(self) -> dict[str, Any]:
        """The fields as JSON holds them."""
        return asdict(self)


@dataclass
class Group:
    """Names that share a fault. Memory does not grow with their number.

    Args:
        count: Names added.
        names: The first of them, at most ``most``.
        detail: Of the first that came with one.
        most: Names that are kept.
    """

    count: int = 0
    names: list[str] = field(default_factory=list)
    detail: str = ""
    most: int = SHOWN

    def add(self, name: str, detail: str = "") -> None:
        """Count a name; the first few are kept, and the first detail."""
        self.count += 1
        if len(self.names) < self.most:
            self.names.append(name)
        self.detail = self.detail or detail

    @classmethod
    def of(cls, names: Iterable[str]) -> Group:
        """All names at once."""
        group = cls()
        for name in names:
            group.add(name)
        return group

    def finding(self, key: str, level: Level, what: str, *, cause: str = "", fix: str = "") -> list[Finding]:
        """One finding, or none where no name was added; ``{n}`` in ``what`` becomes the count."""
        if self.count == 0:
            return []
        return [Finding(key, level, what.replace("{n}", str(self.count)), cause, fix, self.count, tuple(self.names))]
