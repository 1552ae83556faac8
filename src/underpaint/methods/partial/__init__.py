"""The method partial: here its card in the list of methods, without torch; `method.py` has its class."""

from underpaint.hints.types import Kind
from underpaint.methods.about import About, Reference

ABOUT = About(
    name="partial",
    summary="the floor: cross-entropy on the pixels that the hints speak of",
    accepts=frozenset(Kind),
    reference=Reference(
        "Normalized Cut Loss for Weakly-supervised CNN Segmentation (its baseline)",
        "Tang, Djelouah, Perazzi, Boykov, Schroers",
        2018,
        "https://arxiv.org/abs/1804.01346",
    ),
)
