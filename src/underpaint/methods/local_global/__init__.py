"""Description of the method local-global, without torch; `method.py` contains the class."""

from underpaint.hints.types import Kind
from underpaint.methods.about import About, Reference

ABOUT = About(
    name="local-global",
    summary="a model of all images and one of each image label them together; a network learns these labels",
    accepts=frozenset(Kind),
    reference=Reference(
        "Weakly Supervised Semantic Segmentation: combining local and global models",
        "Mayer, Timofte, Paul",
        2018,
        "https://arxiv.org/abs/1808.01625",
    ),
)
