"""Writes .ci/oldest.txt, the oldest supported version of each dependency, from the floors in pyproject.toml."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PINS = ROOT / ".ci" / "oldest.txt"


def pins() -> str:
    """One pin for each requirement of the package, its encoders and its export; tools of developers are the newest."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    stated = [*project["dependencies"], *extras["encoders"], *extras["export"]]
    floors = (re.fullmatch(r"([\w.-]+)(?:\[[\w,]+\])?>=([\w.]+)", one) for one in stated)
    return "".join(sorted(f"{floor[1]}=={floor[2]}\n" for floor in floors if floor))


if __name__ == "__main__":
    PINS.write_text(pins(), encoding="utf-8")
