"""underpaint: from cheap hints on images to a segmentation network, masks, and the gap to full supervision.

Example:
    >>> import underpaint
    >>> run = underpaint.train("photographs", "run", hints="scribbles.jsonl")  # doctest: +SKIP
    >>> mask, probabilities = run.predict("photograph.jpg")  # doctest: +SKIP

Nothing is imported before it is asked for: ``import underpaint`` is instant, and only what trains or predicts starts
torch, which takes seconds.
"""

import importlib
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

from underpaint.core.version import __version__

if TYPE_CHECKING:
    from underpaint.datasets.open import open_dataset
    from underpaint.hints.types import Bitmap, Box, Click, Hints, Polygon, Scribble, Tags
    from underpaint.methods.base import Method
    from underpaint.methods.stage import Stage
    from underpaint.serve.server import paint
    from underpaint.shards.read import read_shards
    from underpaint.testing import check_method
    from underpaint.workflows.convert import convert
    from underpaint.workflows.demo import demo
    from underpaint.workflows.doctor import doctor
    from underpaint.workflows.evaluate import evaluate
    from underpaint.workflows.gap import gap
    from underpaint.workflows.methods import list_methods
    from underpaint.workflows.next import next_hints
    from underpaint.workflows.planning import Plan
    from underpaint.workflows.predict import predict
    from underpaint.workflows.quick import quick
    from underpaint.workflows.run import Prediction, Run, load_run
    from underpaint.workflows.shards import predict_shards
    from underpaint.workflows.simulate import simulate
    from underpaint.workflows.train import plan, train
    from underpaint.workflows.training_data import read_hints

_HOMES = {
    "Bitmap": "hints.types",
    "Box": "hints.types",
    "Click": "hints.types",
    "Hints": "hints.types",
    "Method": "methods.base",
    "Plan": "workflows.planning",
    "Polygon": "hints.types",
    "Prediction": "workflows.run",
    "Run": "workflows.run",
    "Scribble": "hints.types",
    "Stage": "methods.stage",
    "Tags": "hints.types",
    "check_method": "testing",
    "convert": "workflows.convert",
    "demo": "workflows.demo",
    "doctor": "workflows.doctor",
    "evaluate": "workflows.evaluate",
    "gap": "workflows.gap",
    "list_methods": "workflows.methods",
    "load_run": "workflows.run",
    "next_hints": "workflows.next",
    "open_dataset": "datasets.open",
    "paint": "serve.server",
    "plan": "workflows.train",
    "predict": "workflows.predict",
    "predict_shards": "workflows.shards",
    "quick": "workflows.quick",
    "read_hints": "workflows.training_data",
    "read_shards": "shards.read",
    "simulate": "workflows.simulate",
    "train": "workflows.train",
}
"""The module of each public name."""

__all__ = [
    "Bitmap",
    "Box",
    "Click",
    "Hints",
    "Method",
    "Plan",
    "Polygon",
    "Prediction",
    "Run",
    "Scribble",
    "Stage",
    "Tags",
    "__version__",
    "check_method",
    "convert",
    "demo",
    "doctor",
    "evaluate",
    "gap",
    "list_methods",
    "load_run",
    "next_hints",
    "open_dataset",
    "paint",
    "plan",
    "predict",
    "predict_shards",
    "quick",
    "read_hints",
    "read_shards",
    "simulate",
    "train",
]


class _Library(ModuleType):
    """This package, in which the name of a verb always means the function.

    Some verbs have the name of a sub-package (``predict``, ``simulate``, ``doctor``). When Python imports a sub-package
    it stores it in the package under its name; here the function keeps the name, and ``from underpaint.predict import
    ...`` finds the sub-package as ever.
    """

    def __getattr__(self, name: str) -> Any:
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        found = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
        super().__setattr__(name, found)
        return found

    def __setattr__(self, name: str, value: object) -> None:
        if name not in _HOMES or not isinstance(value, ModuleType):
            super().__setattr__(name, value)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *__all__})


sys.modules[__name__].__class__ = _Library
