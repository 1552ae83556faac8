"""Floor 6: the public verbs as Python. The command is a thin layer over these."""

from underpaint.workflows.convert import convert
from underpaint.workflows.demo import demo
from underpaint.workflows.doctor import doctor
from underpaint.workflows.evaluate import evaluate
from underpaint.workflows.gap import gap
from underpaint.workflows.predict import doubts, predict, responses
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
    "plan",
    "predict",
    "responses",
    "simulate",
    "train",
]
