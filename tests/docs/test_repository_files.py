"""Files about the repository agree with the package."""

from __future__ import annotations

import re
import runpy
import tomllib
from pathlib import Path

import yaml

from underpaint import __version__

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def test_the_oldest_pins_are_the_floors() -> None:
    pins = (ROOT / ".ci" / "oldest.txt").read_text(encoding="utf-8")
    assert pins == runpy.run_path(str(ROOT / ".ci" / "oldest.py"))["pins"](), "run: python .ci/oldest.py"
    pinned = dict(line.split("==") for line in pins.split())
    for requirement in PROJECT["dependencies"]:
        name, _, floor = requirement.partition(">=")
        assert pinned[name] == floor


def test_every_file_names_one_version() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    changes = re.findall(
        r"^## (\S+)(?: \((\S+)\))?$", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert PROJECT["version"] == __version__ == str(citation["version"]) == changes[0][0]
    assert str(citation["date-released"]) == changes[0][1]
    assert citation["license"] == PROJECT["license"]


def test_the_workflow_runs_everything_on_oldest_and_newest() -> None:
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8"))
    check = workflow["jobs"]["check"]
    assert [step["run"] for step in check["steps"] if "run" in step] == [".ci/run"]
    constraints = {row["dependencies"]: row["constraint"] for row in check["strategy"]["matrix"]["include"]}
    assert constraints == {"oldest": ".ci/oldest.txt", "newest": ""}


def test_the_readme_is_one_page() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 90
