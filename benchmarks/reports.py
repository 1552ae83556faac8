"""Where a report comes from, and how it is written, for benchmarks that run as ``python -m benchmarks.NAME``."""

from __future__ import annotations

import json
import os
import platform
import shlex
import sys
from pathlib import Path

from underpaint.training.run_folder import commit


def origin() -> dict[str, object]:
    """Command (without the folders of this machine), machine and commit."""
    spec = sys.modules["__main__"].__spec__
    name = f"benchmarks.{Path(sys.argv[0]).stem}" if spec is None else spec.name
    words = [Path(word).name if Path(word).is_absolute() else word for word in sys.argv[1:]]
    return {
        "command": shlex.join(["python", "-m", name, *words]),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, {os.environ.get('OMP_NUM_THREADS', 'all')} used",
        "commit": commit(),
    }


def write(report: dict[str, object], path: Path | None) -> None:
    """Write a report as JSON; nothing where no file is asked for."""
    if path is not None:
        path.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
