"""Description of the method sc-cam, without torch; `method.py` contains the class."""

from underpaint.hints.types import Kind
from underpaint.methods.about import About, Reference

ABOUT = About(
    name="sc-cam",
    summary="tags: classifiers of sub-categories, pixel affinities and a random walk, then a network",
    accepts=frozenset({Kind.TAG, Kind.MASK, Kind.SCRIBBLE, Kind.CLICK}),
    reference=Reference(
        "Weakly-Supervised Semantic Segmentation via Sub-category Exploration",
        "Chang, Wang, Hung, Piramuthu, Tsai, Yang",
        2020,
        "https://arxiv.org/abs/2008.01183",
    ),
)
