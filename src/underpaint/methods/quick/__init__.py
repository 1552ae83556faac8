"""Description of the method quick, without torch; `method.py` contains the class."""

from underpaint.hints.types import Kind
from underpaint.methods.about import About

ABOUT = About(
    name="quick",
    summary="a linear model on frozen features: seconds instead of minutes",
    accepts=frozenset({Kind.MASK, Kind.SCRIBBLE, Kind.CLICK, Kind.BOX}),
    reference=None,
)
