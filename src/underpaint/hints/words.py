"""Understands labels of annotation tools that are no classes of their own: what is to be ignored, and the background.

labelme's exporters turn shapes with the label ``__ignore__`` into void and ``_background_`` into class 0. Other tools
take these labels over together with the shapes, so they hold in every format. Labels of one tool alone are handled in
its reader.
"""

from __future__ import annotations

from dataclasses import replace

from underpaint.core.classes import BACKGROUND_WORD, IGNORE_WORD, ClassTable
from underpaint.hints.ignore import ignore_where
from underpaint.hints.types import Hints, Tags


def understood(hints: Hints, classes: ClassTable) -> Hints:
    """The hints with shapes to be ignored as ignored areas, and the label ``_background_`` as the background class.

    A table that has a class ``_background_`` keeps it. Without a background class the label stays as well.
    """
    said = set(hints.names())
    if IGNORE_WORD in said:
        hints = _without_tag(ignore_where(hints, lambda hint: hint.name == IGNORE_WORD, below=()))
    if BACKGROUND_WORD not in said or BACKGROUND_WORD in classes.names or classes.background is None:
        return hints
    return _renamed(hints, BACKGROUND_WORD, classes.names[classes.background])


def class_words(names: tuple[str, ...], background: str) -> tuple[str, ...]:
    """The names that a file declares as classes, without repeats."""
    words = (background if name == BACKGROUND_WORD else name for name in names)
    return tuple(dict.fromkeys(word for word in words if word != IGNORE_WORD))


def _without_tag(hints: Hints) -> Hints:
    gone = frozenset({IGNORE_WORD})
    tags = hints.tags and Tags(hints.tags.present - gone, hints.tags.absent - gone)
    return replace(hints, tags=tags, boxed=hints.boxed - gone)


def _renamed(hints: Hints, word: str, name: str) -> Hints:
    def names(every: frozenset[str]) -> frozenset[str]:
        return frozenset(name if one == word else one for one in every)

    return replace(
        hints,
        shapes=tuple(replace(one, name=name) if one.name == word else one for one in hints.shapes),
        boxed=names(hints.boxed),
        tags=hints.tags and Tags(names(hints.tags.present), names(hints.tags.absent)),
    )
