"""What a piece of work took: seconds, and the peak memory of this process."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path

OWN = Path("/proc/self")
"""Where Linux keeps what a process uses; elsewhere there is no such folder, and no memory is given."""


class Cost:
    """Counts from when it is made. Processes that load images or make labels have memory of their own, not counted."""

    def __init__(self) -> None:
        self.began = time.perf_counter()
        with suppress(OSError):  # where that is not allowed, the peak is that of the process since it began
            (OWN / "clear_refs").write_text("5", encoding="ascii")  # sets the peak back to the present size

    def figures(self) -> dict[str, float]:
        """``seconds``, and ``peak_mb`` (MiB of resident memory) on Linux."""
        found = {"seconds": round(time.perf_counter() - self.began, 1)}
        with suppress(OSError):
            for line in (OWN / "status").read_text(encoding="ascii").splitlines():
                if line.startswith("VmHWM:"):
                    found["peak_mb"] = round(int(line.split()[1]) / 1024)
        return found
