"""The list of the methods of this package and of other packages."""

from __future__ import annotations

from collections.abc import Callable

from underpaint.methods.about import About
from underpaint.methods.registry import about_methods


def list_methods(*, on_problem: Callable[[str], None] | None = None) -> tuple[About, ...]:
    """List all methods that can be trained: those of this package and those that other packages register.

    Args:
        on_problem: Called with a message for each registered method that cannot be used, for example because its
            package cannot be imported or because its name is already used.

    Returns:
        The name, summary, accepted kinds of hints and paper of each method.

    Example:
        >>> [about.name for about in underpaint.list_methods()][:2]  # doctest: +SKIP
        ['supervised', 'partial']
    """
    abouts, problems = about_methods()
    for problem in problems:
        if on_problem is not None:
            on_problem(problem)
    return abouts
