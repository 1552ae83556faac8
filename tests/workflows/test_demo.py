"""The demo, with fewer and shorter trainings than a person's."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from underpaint import demo


def test_the_demo_ends_with_a_report_and_goes_on_where_it_stopped(
    tmp_path: Path, small: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.import_module("underpaint.workflows.demo"), "SETTINGS", (*small, "train.epochs=1"))
    report = demo(tmp_path / "demo", train_scenes=4, test_scenes=2)
    page = report.read_text()
    assert "gated-crf" in page
    assert "Bearman" in page
    weights = sorted((tmp_path / "demo").glob("runs/*/weights.safetensors"))
    assert len(weights) == 4  # floor, ceiling, quick and method
    times = [path.stat().st_mtime_ns for path in weights]
    demo(tmp_path / "demo", train_scenes=4, test_scenes=2)
    assert [path.stat().st_mtime_ns for path in weights] == times
