"""Description of the method box-uncertainty, without torch; `method.py` contains the class."""

from underpaint.hints.types import Kind
from underpaint.methods.about import About, Reference

ABOUT = About(
    name="box-uncertainty",
    summary="boxes and a few masks: learns where the label of a box is unreliable",
    accepts=frozenset(Kind),
    reference=Reference(
        "Weakly-Supervised Semantic Segmentation by Learning Label Uncertainty",
        "Neven, Neven, De Brabandere, Proesmans, Goedemé",
        2021,
        "https://arxiv.org/abs/2110.05926",
    ),
)
