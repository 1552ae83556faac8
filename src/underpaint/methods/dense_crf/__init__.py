"""The method dense-crf-loss: here its card in the list of methods, without torch; `method.py` has its class."""

from underpaint.hints.types import Kind
from underpaint.methods.about import About, Reference

ABOUT = About(
    name="dense-crf-loss",
    summary="all pixels of like colour should agree, the nearer the more",
    accepts=frozenset({Kind.SCRIBBLE, Kind.CLICK, Kind.BOX, Kind.MASK, Kind.TAG}),
    reference=Reference(
        "On Regularized Losses for Weakly-supervised CNN Segmentation",
        "Tang, Perazzi, Djelouah, Ben Ayed, Schroers, Boykov",
        2018,
        "https://arxiv.org/abs/1803.09569",
    ),
)
