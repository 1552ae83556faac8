"""Measures how long a piece of work took, and the peak memory of this process."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path

OWN = Path("/proc/self")
"""Folder in which Linux reports the memory of a process. Other systems lack it; there no memory is reported."""


class Cost:
    """Measures from its creation on. The memory of processes that load images or make labels is not included."""

    def __init__(self) -> None:
        self.began = time.perf_counter()
        with suppress(OSError):  # if that is not allowed, the peak is that since the start of the process
            (OWN / "clear_refs").write_text("5", encoding="ascii")  # sets the peak back to the present size

    def figures(self) -> dict[str, float]:
        """``seconds``, and ``peak_mb`` (MiB of resident memory) on Linux."""
        found = {"seconds": round(time.perf_counter() - self.began, 1)}
        with suppress(OSError):
            for line in (OWN / "status").read_text(encoding="ascii").splitlines():
                if line.startswith("VmHWM:"):
                    found["peak_mb"] = round(int(line.split()[1]) / 1024)
        return found
