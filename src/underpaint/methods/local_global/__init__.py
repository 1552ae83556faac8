"""The method local-global: here its card in the list of methods, without torch; `method.py` has its class."""

from underpaint.hints.types import Kind
from underpaint.methods.about import About, Reference

ABOUT = About(
    name="local-global",
    summary="network and per-image model annotate the images together; a fresh network learns that",
    accepts=frozenset(Kind),
    reference=Reference(
        "Weakly Supervised Semantic Segmentation: combining local and global models",
        "Mayer, Timofte, Paul",
        2018,
        "https://arxiv.org/abs/1808.01625",
    ),
)
