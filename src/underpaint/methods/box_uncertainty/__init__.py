"""The method box-uncertainty: here its card in the list of methods, without torch; `method.py` has its class."""

from underpaint.hints.types import Kind
from underpaint.methods.about import About, Reference

ABOUT = About(
    name="box-uncertainty",
    summary="boxes and a few masks: learns where a box's label is not to be trusted",
    accepts=frozenset(Kind),
    reference=Reference(
        "Weakly-Supervised Semantic Segmentation by Learning Label Uncertainty",
        "Neven, Neven, De Brabandere, Proesmans, Goedemé",
        2021,
        "https://arxiv.org/abs/2110.05926",
    ),
)
