"""Kernels leave torch's thread count alone: a changed count changes last bits, and exact resume would be lost."""

from __future__ import annotations

import subprocess
import sys

SCRIPT = """
import torch
from underpaint.kernels.windowed import GaussianKernel, windowed_energy
before = torch.get_num_threads()
values = torch.rand(1, 3, 8, 8)
windowed_energy(values, values, kernels=[GaussianKernel(1.0, 6.0, 0.1)], radius=2)
print(before, torch.get_num_threads())
"""


def test_the_first_kernel_call_keeps_torchs_threads() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], env={"OMP_NUM_THREADS": "1"}, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["1", "1"]
