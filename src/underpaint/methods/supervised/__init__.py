"""The method supervised: here its card in the list of methods, without torch; `method.py` has its class."""

from underpaint.hints.types import Kind
from underpaint.methods.about import About

ABOUT = About(
    name="supervised",
    summary="the ceiling: cross-entropy on full masks",
    accepts=frozenset({Kind.MASK}),
    reference=None,
)
