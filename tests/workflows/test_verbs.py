"""The package `underpaint.workflows` gives functions, whichever of its modules were imported before."""

from __future__ import annotations

import subprocess
import sys

import pytest

from underpaint import workflows

VERBS = ["convert", "demo", "doctor", "doubts", "evaluate", "gap", "plan", "predict", "responses", "simulate", "train"]


def test_every_verb_is_a_function() -> None:
    assert sorted(workflows.__all__) == ["Plan", *VERBS]
    assert [getattr(workflows, verb).__name__ for verb in VERBS] == VERBS


def test_a_module_that_is_imported_by_itself_does_not_hide_its_function() -> None:
    code = """
import underpaint.workflows.evaluate
import underpaint.workflows as package
from underpaint.workflows import evaluate
assert evaluate is package.evaluate is underpaint.workflows.evaluate
assert callable(evaluate)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'paint'"):
        getattr(workflows, "paint")  # noqa: B009  # mypy knows that it is not there
