"""Description of the method supervised, without torch; `method.py` contains the class."""

from underpaint.hints.types import Kind
from underpaint.methods.about import About

ABOUT = About(
    name="supervised",
    summary="the ceiling: cross-entropy on full masks",
    accepts=frozenset({Kind.MASK}),
    reference=None,
)
