"""Description of the method rrm, without torch; `method.py` contains the class."""

from underpaint.hints.types import Kind
from underpaint.methods.about import About, Reference

ABOUT = About(
    name="rrm",
    summary="tags: reliable pixels of the class activation maps and a dense energy, trained end to end",
    accepts=frozenset({Kind.TAG, Kind.MASK, Kind.SCRIBBLE, Kind.CLICK}),
    reference=Reference(
        "Reliability Does Matter: An End-to-End Weakly Supervised Semantic Segmentation Approach",
        "Zhang, Xiao, Wei, Sun, Huang",
        2020,
        "https://arxiv.org/abs/1911.08039",
    ),
)
