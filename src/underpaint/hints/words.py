"""Handles labels of annotation tools that are not classes: areas to be ignored, and the background.

The exporters of labelme turn shapes with the label ``__ignore__`` into void and ``_background_`` into class 0. Other
tools copy these labels together with the shapes, so they are handled in every format. Labels that only one tool uses
are handled in its reader.
"""

from __future__ import annotations

from dataclasses import replace

from underpaint.core.classes import BACKGROUND_WORD, IGNORE_WORD, ClassTable
from underpaint.hints.ignore import ignore_where
from underpaint.hints.types import Hints, Tags


def resolve_labels(hints: Hints, classes: ClassTable) -> Hints:
    """Turn shapes to be ignored into ignored areas, and the label ``_background_`` into the background class.

    The label ``_background_`` is kept if the table has a class of this name or no background class.
    """
    names = set(hints.names())
    if IGNORE_WORD in names:
        hints = _without_tag(ignore_where(hints, lambda hint: hint.name == IGNORE_WORD, below=()))
    if BACKGROUND_WORD not in names or BACKGROUND_WORD in classes.names or classes.background is None:
        return hints
    return _renamed(hints, BACKGROUND_WORD, classes.names[classes.background])


def class_words(names: tuple[str, ...], background: str) -> tuple[str, ...]:
    """Return the names that a file declares as classes, without repetitions and without labels to be ignored."""
    words = (background if name == BACKGROUND_WORD else name for name in names)
    return tuple(dict.fromkeys(word for word in words if word != IGNORE_WORD))


def _without_tag(hints: Hints) -> Hints:
    ignored = frozenset({IGNORE_WORD})
    tags = hints.tags and Tags(hints.tags.present - ignored, hints.tags.absent - ignored)
    return replace(hints, tags=tags, boxed=hints.boxed - ignored)


def _renamed(hints: Hints, word: str, name: str) -> Hints:
    def names(every: frozenset[str]) -> frozenset[str]:
        return frozenset(name if one == word else one for one in every)

    return replace(
        hints,
        shapes=tuple(replace(one, name=name) if one.name == word else one for one in hints.shapes),
        boxed=names(hints.boxed),
        tags=hints.tags and Tags(names(hints.tags.present), names(hints.tags.absent)),
    )
