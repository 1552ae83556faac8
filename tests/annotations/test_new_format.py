"""An annotation format is a folder and a line: one that is added is recognised, read, written and learned from."""

from __future__ import annotations

import ast
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from PIL import Image

import underpaint.annotations
from underpaint.annotations import registry
from underpaint.annotations.format import ByImage, Format, Reading, Writing
from underpaint.annotations.parsing.sniff import first_line
from underpaint.datasets import convert
from underpaint.datasets.hints import read_any_hints
from underpaint.datasets.open import open_dataset
from underpaint.hints.parts import Part
from underpaint.hints.types import Click, Hints

ROOM = Path(underpaint.annotations.__file__).parent
SHARED = {"parsing"}


def read(path: Path, reading: Reading) -> ByImage:
    rows = [line.split() for line in path.read_text().splitlines()[1:]]
    return {image: Hints(image, shapes=(Click(name, float(x), float(y)),)) for image, name, x, y in rows}


def write(path: Path, hints: Sequence[Hints], writing: Writing) -> None:
    rows = [f"{one.image} {click.name} {click.x} {click.y}" for one in hints for click in one.clicks]
    path.write_text("\n".join(["toy clicks", *rows]))


TOY = Format(
    name="toy",
    title="toy clicks",
    layout="one .toy file",
    sniff=lambda path: path.is_file() and first_line(path) == "toy clicks",
    read=read,
    writer=write,
    holds=frozenset({Part.CLICKS}),
)


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> Format:
    """The registry with a line more."""
    every = (*registry.FORMATS, TOY)
    held = [module for module in sys.modules.values() if getattr(module, "FORMATS", None) is registry.FORMATS]
    for module in held:
        monkeypatch.setattr(module, "FORMATS", every)
    monkeypatch.setattr(registry, "WRITABLE", (*registry.WRITABLE, TOY))
    return TOY


def test_a_format_that_is_added_is_known_everywhere(toy: Format, tmp_path: Path) -> None:
    (tmp_path / "data/images").mkdir(parents=True)
    Image.new("RGB", (30, 20)).save(tmp_path / "data/images/a.png")
    file = tmp_path / "data/clicks.toy"
    file.write_text("toy clicks\na cat 3.5 4.5")
    data = open_dataset(tmp_path / "data")
    assert (data.annotations, data.classes.names) == ((file,), ("background", "cat"))
    hints, report = read_any_hints(data.annotations, data)
    assert hints["a"].clicks == (Click("cat", 3.5, 4.5),)
    assert report.sources == [(file, "toy clicks")]
    convert.plan_conversion(tmp_path / "data", to="coco").write(tmp_path / "out.json")
    convert.plan_conversion(tmp_path / "out.json", to="toy").write(tmp_path / "again.toy")
    assert (tmp_path / "again.toy").read_text() == "toy clicks\na.png cat 3.5 4.5"  # as COCO names the image


def test_every_folder_is_in_the_registry() -> None:
    folders = {path.parent.name for path in ROOM.glob("*/__init__.py")} - SHARED
    assert folders == set(registry.FOLDERS)


@pytest.mark.parametrize("folder", registry.FOLDERS)
def test_no_format_knows_another(folder: str) -> None:
    """So that a format can be added, changed and removed by itself."""
    imported = {
        node.module.split(".")[2]
        for file in (ROOM / folder).glob("*.py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("underpaint.annotations.")
        if node.module is not None
    }
    assert imported <= {folder, "parsing", "format"}
