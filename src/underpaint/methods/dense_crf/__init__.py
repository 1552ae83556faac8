"""Description of the method dense-crf-loss, without torch; `method.py` contains the class."""

from underpaint.hints.types import Kind
from underpaint.methods.about import About, Reference

ABOUT = About(
    name="dense-crf-loss",
    summary="all pixels of similar colour should agree, and more so the closer they are",
    accepts=frozenset({Kind.SCRIBBLE, Kind.CLICK, Kind.BOX, Kind.MASK, Kind.TAG}),
    reference=Reference(
        "On Regularized Losses for Weakly-supervised CNN Segmentation",
        "Tang, Perazzi, Djelouah, Ben Ayed, Schroers, Boykov",
        2018,
        "https://arxiv.org/abs/1803.09569",
    ),
)
