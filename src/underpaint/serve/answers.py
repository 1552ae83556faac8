"""How often the quick model predicted the right class at random places before it saw the answer of the person."""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

FILE = "answers.txt"

Z = 1.96
"""Standard normal quantile of an interval of 95 %."""


@dataclass
class Answers:
    """The answers at random places, stored in ``answers.txt``: a line ``1`` if the model was right, otherwise ``0``.

    Args:
        folder: Folder of the project.
    """

    folder: Path

    def __post_init__(self) -> None:
        self._right = [line == "1" for line in self._lines() if line in ("0", "1")]

    def _lines(self) -> list[str]:
        with suppress(OSError):
            return (self.folder / FILE).read_text("ascii", "replace").split()
        return []

    def add(self, right: bool) -> None:
        """Count an answer. If the disk is full, the count may be lost, but no mark is."""
        self._right.append(right)
        with suppress(OSError), (self.folder / FILE).open("a") as file:
            file.write("1\n" if right else "0\n")

    def summary(self) -> dict[str, float]:
        """The number of questions and of right predictions, and Wilson's 95 % interval from 0 to 1 (Wilson 1927)."""
        asked, right = len(self._right), sum(self._right)
        if not asked:
            return {"asked": 0, "right": 0, "low": 0.0, "high": 1.0}
        low, high = wilson(right, asked)
        return {"asked": asked, "right": right, "low": low, "high": high}


def wilson(right: int, asked: int) -> tuple[float, float]:
    """Wilson's 95 % score interval for a share of ``right`` in ``asked``."""
    share, spread = right / asked, Z**2 / asked
    middle = (share + spread / 2) / (1 + spread)
    half = Z * math.sqrt(share * (1 - share) / asked + spread / (4 * asked)) / (1 + spread)
    return max(0.0, middle - half), min(1.0, middle + half)
