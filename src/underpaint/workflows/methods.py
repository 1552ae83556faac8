"""The list of methods, of this package and of others."""

from __future__ import annotations

from collections.abc import Callable

from underpaint.methods.about import About
from underpaint.methods.registry import about_methods


def list_methods(*, on_problem: Callable[[str], None] | None = None) -> tuple[About, ...]:
    """All methods that can be trained: those of this package, and those that installed packages register.

    Args:
        on_problem: Called with a message for each registered method that cannot be used, as when its package does not
            import or its name is taken.

    Returns:
        Name, summary, accepted kinds of hints and paper of each.

    Example:
        >>> [card.name for card in underpaint.list_methods()][:2]  # doctest: +SKIP
        ['supervised', 'partial']
    """
    cards, problems = about_methods()
    for problem in problems:
        if on_problem is not None:
            on_problem(problem)
    return cards
