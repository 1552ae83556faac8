"""Description of the method cam, without torch; `method.py` contains the class."""

from underpaint.hints.types import Kind
from underpaint.methods.about import About, Reference

ABOUT = About(
    name="cam",
    summary="the floor for tags: class activation maps of a classifier as labels",
    accepts=frozenset({Kind.TAG, Kind.MASK, Kind.SCRIBBLE, Kind.CLICK}),
    reference=Reference(
        "Learning Deep Features for Discriminative Localization",
        "Zhou, Khosla, Lapedriza, Oliva, Torralba",
        2016,
        "https://arxiv.org/abs/1512.04150",
    ),
)
