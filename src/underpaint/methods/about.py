"""What a method says of itself in a list of methods. Nothing here imports torch, so that the list starts at once."""

from __future__ import annotations

from dataclasses import dataclass

from underpaint.hints.types import Kind

NAME = r"^[a-z0-9-]+$"
"""Form of the names of methods and stages: they are parts of the names of files."""


@dataclass(frozen=True)
class Reference:
    """The paper that a method comes from."""

    title: str
    authors: str
    year: int
    link: str


@dataclass(frozen=True)
class About:
    """A method as the list of methods shows it.

    Args:
        name: Registry name.
        summary: What it does, in one line.
        accepts: Kinds of hints that it learns from.
        reference: Its paper, or None.
    """

    name: str
    summary: str
    accepts: frozenset[Kind]
    reference: Reference | None = None
