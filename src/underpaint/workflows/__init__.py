"""Floor 6: the public verbs as Python. The command is a thin layer over these.

A verb's module is imported when the verb is first asked for. Training and predicting import torch, which takes seconds;
the other verbs work without it.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from underpaint.workflows.convert import convert
    from underpaint.workflows.demo import demo
    from underpaint.workflows.doctor import doctor
    from underpaint.workflows.evaluate import evaluate
    from underpaint.workflows.gap import gap
    from underpaint.workflows.next import next_hints
    from underpaint.workflows.predict import doubts, predict, responses
    from underpaint.workflows.quick import quick
    from underpaint.workflows.simulate import simulate
    from underpaint.workflows.train import Plan, plan, train

__all__ = [
    "Plan",
    "convert",
    "demo",
    "doctor",
    "doubts",
    "evaluate",
    "gap",
    "next_hints",
    "plan",
    "predict",
    "quick",
    "responses",
    "simulate",
    "train",
]

_ELSEWHERE = {"Plan": "train", "plan": "train", "next_hints": "next", "doubts": "predict", "responses": "predict"}
"""Names whose module has another name."""


class _Verbs(ModuleType):
    """This package, in which the name of a verb always means the function.

    Most verbs have the name of their module. When Python imports such a module it stores the module in the package
    under this name; the function is stored instead.
    """

    def __getattr__(self, name: str) -> Any:
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(importlib.import_module(f"{__name__}.{_ELSEWHERE.get(name, name)}"), name)

    def __setattr__(self, name: str, value: object) -> None:
        named = isinstance(value, ModuleType) and name in __all__
        super().__setattr__(name, getattr(value, name) if named else value)


sys.modules[__name__].__class__ = _Verbs
