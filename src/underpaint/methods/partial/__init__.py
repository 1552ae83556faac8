"""Description of the method partial, without torch; `method.py` contains the class."""

from underpaint.hints.types import Kind
from underpaint.methods.about import About, Reference

ABOUT = About(
    name="partial",
    summary="the floor: cross-entropy on the pixels that have hints",
    accepts=frozenset(Kind),
    reference=Reference(
        "Normalized Cut Loss for Weakly-supervised CNN Segmentation (its baseline)",
        "Tang, Djelouah, Perazzi, Boykov, Schroers",
        2018,
        "https://arxiv.org/abs/1804.01346",
    ),
)
