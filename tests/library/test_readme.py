"""The lines under "In Python" in the README do what they say, as they stand there."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow  # a training with the settings of the README
def test_the_python_lines_of_the_readme(
    scenes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (lines,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.S)
    assert len([line for line in lines.splitlines() if line]) <= 6
    shutil.copytree(scenes, tmp_path / "scenes")
    monkeypatch.chdir(tmp_path)
    found: dict[str, Any] = {}
    exec(lines, found)
    assert (found["mask"].shape, found["mask"].dtype) == ((64, 80), np.uint8)
    np.testing.assert_allclose(found["probabilities"].sum(axis=0), 1, atol=1e-5)
    assert 0 < float(capsys.readouterr().out.splitlines()[-1]) <= 100
