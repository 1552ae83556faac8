"""The hooks of the site: links, the pages of the reference, and what a finished site must have."""

from __future__ import annotations

import json
import zlib
from pathlib import Path

import pytest
import yaml
from website import pages

import underpaint

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("page", "target", "found", "on_site"),
    [
        ("README.md", "docs/start.md", "docs/start.md", "start.md"),
        ("docs/methods/cam.md", "../results.md", "docs/results.md", "results.md"),
        ("docs/gap.md", "../README.md", "README.md", "index.md"),
        (
            "docs/contract.md",
            "../examples/underpaint-entropy",
            "examples/underpaint-entropy/README.md",
            "examples/underpaint-entropy/README.md",
        ),
        ("docs/kernels.md", "../benchmarks/tiles.py", "benchmarks/tiles.py", "benchmarks/tiles.py"),
    ],
)
def test_links_between_repository_and_site(page: str, target: str, found: str, on_site: str) -> None:
    assert pages.resolved(page, target) == found
    assert pages.site_path(found) == on_site


def test_every_module_is_on_the_page_of_its_room() -> None:
    rooms = pages.rooms()
    sources = {path for path in (ROOT / "src/underpaint").rglob("*.py") if path.name != "__main__.py"}
    assert sum(map(len, rooms.values())) == len(sources)
    assert "underpaint.core.errors" in rooms["core"]
    assert "::: underpaint.core.errors" in pages.reference("core", rooms["core"])


def test_the_library_is_shown_name_by_name() -> None:
    assert {*pages.library(), "__version__"} == set(underpaint.__all__)
    assert "### underpaint.predict\n\n::: underpaint.workflows.predict.predict" in pages.reference(
        "underpaint", ["underpaint"]
    )


def test_names_are_read_from_the_inventory_of_a_site(tmp_path: Path) -> None:
    inventory = tmp_path / "objects.inv"
    lines = b"underpaint.core.errors.DataError py:class 1 reference/core/#$ -\nother py:function 1 x/#$ -\n"
    inventory.write_bytes(b"# Sphinx inventory version 2\n# Project: x\n# Version: 0\n# zlib\n" + zlib.compress(lines))
    assert pages.documented(inventory) == {"underpaint.core.errors.DataError", "other"}
    assert "underpaint.core.errors.DataError" in pages.public_names()


@pytest.mark.parametrize(
    ("html", "fetching"),
    [
        ('<script src="https://cdn.example/x.js"></script>', True),
        ('<link rel="stylesheet" href="https://fonts.example/css">', True),
        ('<img src="http://badge.example/x.svg">', True),
        ("<style>@import url(https://fonts.example/css)</style>", True),
        ('<a href="https://arxiv.org/abs/1512.04150">paper</a><script src="assets/x.js"></script>', False),
    ],
)
def test_pages_that_fetch_from_another_host(tmp_path: Path, html: str, fetching: bool) -> None:
    page = tmp_path / "page.html"
    page.write_text(html)
    assert pages.fetches(page) is fetching


def test_tutorials_are_in_the_navigation_and_were_executed() -> None:
    written = {f"tutorials/{path.name}" for path in (ROOT / "docs/tutorials").glob("*.ipynb")}
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    nav = yaml.safe_load(text)["nav"]
    assert written == set(next(part["Tutorials"] for part in nav if "Tutorials" in part))
    for name in written:
        cells = json.loads((ROOT / "docs" / name).read_text(encoding="utf-8"))["cells"]
        assert all(cell["execution_count"] for cell in cells if cell["cell_type"] == "code"), name
