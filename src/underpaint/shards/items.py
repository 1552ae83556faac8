"""The images of a manifest, one by one, whatever the manifest is; memory does not grow with their number."""

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
        name: Its name in the results, a relative path without ending; unique in a plan.
        at: The path or address of its file.
        start: Offset in bytes within that file, of a member of an archive; None for a file of its own.
        length: Bytes of that member.
        ending: Its ending, as ``.png``.
    """

    name: str
    at: str
    start: int | None = None
    length: int = 0
    ending: str = ""

    def line(self) -> str:
        """As a line of the plan."""
        within = [] if self.start is None else [self.start, self.length, self.ending]
        return json.dumps([self.name, self.at, *within]) + "\n"

    @classmethod
    def of_line(cls, line: str) -> Self:
        """As the plan has it."""
        return cls(*json.loads(line))


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Something of a manifest that is no image to predict.

    Args:
        where: The line, the file or the name.
        reason: Why, in words.
    """

    where: str
    reason: str

    def line(self) -> str:
        """As a line of the list of what was left out."""
        return json.dumps({"where": self.where, "reason": self.reason}) + "\n"


Entry = Item | LeftOut
Entries = Iterator[Entry]


def checked(item: Item, where: str) -> Entry:
    """The item, or why its name cannot be one of a result."""
    if leads_out(item.name):
        return LeftOut(
            where,
            f"the name {item.name[:80]!r} leads out of the folder of results or is no file name; "
            'give a name such as "farm/0001" beside the image',
        )
    return item
