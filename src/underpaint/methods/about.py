"""The description of a method in the list of methods. Nothing here imports torch, so that the list appears at once."""

from __future__ import annotations

from dataclasses import dataclass

from underpaint.hints.types import Kind

NAME = r"^[a-z0-9-]+$"
"""Form of the names of methods and stages, which become parts of file names."""


@dataclass(frozen=True)
class Reference:
    """The paper that a method comes from."""

    title: str
    authors: str
    year: int
    link: str


@dataclass(frozen=True)
class About:
    """The description of a method in the list of methods.

    Args:
        name: Name in the registry.
        summary: One line that says what the method does.
        accepts: Kinds of hints that the method can learn from.
        reference: The paper of the method, or None.
    """

    name: str
    summary: str
    accepts: frozenset[Kind]
    reference: Reference | None = None
