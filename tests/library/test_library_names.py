"""`import underpaint` is instant, and its names are the functions whatever was imported before."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys

import pytest

import underpaint

NAMES = {
    "Bitmap", "Box", "Click", "Hints", "Method", "Plan", "Polygon", "Prediction", "Run", "Scribble", "Stage", "Tags",
    "check_method", "convert", "demo", "doctor", "evaluate", "gap", "list_methods", "load_run", "next_hints",
    "open_dataset",
    "paint", "plan", "predict", "predict_shards", "quick", "read_hints", "read_shards", "simulate", "train",
}  # fmt: skip


VERBS = ["doctor", "evaluate", "predict", "simulate"]


def printed(code: str) -> str:
    """What a new Python prints."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_import_loads_nothing_but_itself() -> None:
    listing = "print(json.dumps(sorted(set(sys.modules) - before)))"
    loaded = json.loads(printed(f"import json, sys; before = set(sys.modules); import underpaint; {listing}"))
    own = [name for name in loaded if name.partition(".")[0] == "underpaint"]
    assert own == ["underpaint", "underpaint.core", "underpaint.core.version"]
    assert {name.partition(".")[0] for name in loaded} <= {"underpaint", *sys.stdlib_module_names}


def test_every_name_is_there_documented_and_listed() -> None:
    assert set(underpaint.__all__) == {*NAMES, "__version__"}
    assert set(dir(underpaint)) >= NAMES
    for name in NAMES:
        found = getattr(underpaint, name)
        assert callable(found), name
        assert found.__name__ == name
        assert inspect.getdoc(found), name


FUNCTIONS = sorted(name for name in NAMES if inspect.isfunction(getattr(underpaint, name)))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_say_arguments_results_and_give_an_example(name: str) -> None:
    function = getattr(underpaint, name)
    text = inspect.getdoc(function) or ""
    if name != "plan":  # whose arguments are those of train
        for argument in inspect.signature(function).parameters:
            assert f"    {argument}: " in text, argument
    for section in ("Returns:", "Example:") if name != "check_method" else ("Raises:",):
        assert section in text, section


def test_plan_takes_what_train_takes() -> None:
    plan, train = (inspect.signature(getattr(underpaint, name)).parameters for name in ("plan", "train"))
    assert set(train) - set(plan) == {"out", "resume", "store", "reporter"}
    assert {name: train[name] for name in plan} == dict(plan)


def test_a_sub_package_of_the_same_name_does_not_hide_the_function() -> None:
    code = """
import importlib
for name in ("predict", "simulate", "doctor", "workflows.evaluate"):
    importlib.import_module(f"underpaint.{name}")
import underpaint
from underpaint import doctor, evaluate, predict, simulate
from underpaint.predict.config import PredictConfig
from underpaint.simulate.effort import Effort
from underpaint.doctor import examine
assert (doctor, evaluate) == (underpaint.doctor, underpaint.evaluate)
assert (predict, simulate) == (underpaint.predict, underpaint.simulate)
print(*(function.__module__ for function in (doctor, evaluate, predict, simulate)))
"""
    assert printed(code) == " ".join(f"underpaint.workflows.{verb}" for verb in VERBS) + "\n"


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'colour'"):
        getattr(underpaint, "colour")  # noqa: B009  # mypy knows that it is not there
