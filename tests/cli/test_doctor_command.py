"""The command: exit codes, JSON, names from files as text, no torch."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from underpaint.cli import app
from underpaint.core.classes import ClassTable
from underpaint.imagefiles.masks import write_index_mask


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Six photographs, the first of a name that would steer a terminal."""
    (tmp_path / "images").mkdir()
    (tmp_path / "classes.txt").write_text("background\n[red]cat\n")
    table = ClassTable.of(["background", "[red]cat"])
    for i, name in enumerate(["a\x1b[2J[bold]", "b", "c", "d", "e", "f"]):
        noise = np.random.default_rng(i).integers(0, 256, (40, 50, 3), np.uint8)
        Image.fromarray(noise).save(tmp_path / "images" / f"{name}.png")
        write_index_mask(tmp_path / "masks" / f"{name}.png", (noise[:, :, 0] > 200).astype(np.uint8), table)
    return tmp_path


def test_a_sound_data_set_exits_with_0(data: Path) -> None:
    result = CliRunner().invoke(app, ["doctor", str(data)])
    assert result.exit_code == 0
    assert "6 with masks" in result.stdout
    assert "a training can start" in result.stdout


def test_what_blocks_exits_with_1_and_names_are_text(data: Path) -> None:
    (data / "masks" / "a\x1b[2J[bold].png").unlink()
    result = CliRunner().invoke(app, ["doctor", str(data)])
    assert result.exit_code == 1
    assert "\x1b" not in result.stdout
    assert "a\\x1b[2J[bold]" in result.stdout
    assert "[red]cat" in result.stdout


def test_json_is_one_object_and_a_missing_folder_is_in_it(data: Path) -> None:
    result = CliRunner().invoke(app, ["doctor", str(data / "nowhere"), "--json"])
    assert result.exit_code == 1
    content = json.loads(result.stdout)
    assert content["blocks"] is True
    assert content["findings"][0]["key"] == "data-set"


def test_it_starts_without_torch(data: Path) -> None:
    code = f"""
import sys
from underpaint.cli import app
app(["doctor", {str(data)!r}], standalone_mode=False)
sys.exit("torch" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
