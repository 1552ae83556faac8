"""The process of the quick model: ``python -m underpaint.serve.quick_process DATA PROJECT``.

It listens to its input from the first moment, so that it also ends with its server while torch is still being imported,
which takes a minute on a busy machine. `underpaint.serve.quick_worker` says what it reads and writes.
"""

from __future__ import annotations

import queue
import sys
from pathlib import Path

from underpaint.serve.lifeline import listen


def main(data: Path, project: Path) -> None:
    """Work until the input ends."""
    lines: queue.Queue[str] = queue.Queue()
    listen(lines.put)
    from underpaint.serve.quick_worker import QuickWorker  # imports torch

    QuickWorker(data, project, lines).run()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
