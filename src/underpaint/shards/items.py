"""The images of a manifest, one by one, so that memory does not grow with their number."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

from underpaint.core.paths import leads_out


@dataclass(frozen=True, slots=True)
class Item:
    """One image to predict.

    Args:
        name: Name in the results: a relative path without ending, unique in a plan.
        at: Path or address of the file.
        start: Offset of a member of an archive within the file, in bytes; None if the file is the image.
        length: Size of that member in bytes.
        ending: File ending of that member, such as ``.png``.
    """

    name: str
    at: str
    start: int | None = None
    length: int = 0
    ending: str = ""

    def line(self) -> str:
        """The line of this image in the plan."""
        within = [] if self.start is None else [self.start, self.length, self.ending]
        return json.dumps([self.name, self.at, *within]) + "\n"

    @classmethod
    def of_line(cls, line: str) -> Self:
        """Read a line of the plan."""
        return cls(*json.loads(line))


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A part of a manifest that is not an image to predict.

    Args:
        where: The line, the file or the name.
        reason: The reason in words.
    """

    where: str
    reason: str

    def line(self) -> str:
        """The line of this part in the list of left-out parts."""
        return json.dumps({"where": self.where, "reason": self.reason}) + "\n"


Entry = Item | LeftOut
Entries = Iterator[Entry]


def checked(item: Item, where: str) -> Entry:
    """The item, or the reason if its name cannot be used for a result."""
    if leads_out(item.name):
        return LeftOut(
            where,
            f"the name {item.name[:80]!r} leads out of the folder of results or is not a file name; "
            'give a name such as "farm/0001" beside the image',
        )
    return item
