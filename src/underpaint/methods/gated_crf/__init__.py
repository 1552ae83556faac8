"""Description of the method gated-crf, without torch; `method.py` contains the class."""

from underpaint.hints.types import Kind
from underpaint.methods.about import About, Reference

ABOUT = About(
    name="gated-crf",
    summary="close pixels of similar colour should agree, within a window",
    accepts=frozenset({Kind.SCRIBBLE, Kind.CLICK, Kind.BOX, Kind.MASK, Kind.TAG}),
    reference=Reference(
        "Gated CRF Loss for Weakly Supervised Semantic Image Segmentation",
        "Obukhov, Georgoulis, Dai, Van Gool",
        2019,
        "https://arxiv.org/abs/1906.04651",
    ),
)
