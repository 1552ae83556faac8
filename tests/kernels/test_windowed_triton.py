"""The Triton kernel in Triton's interpreter, compiled for a GPU that need not be there, and its fallback."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import torch

from underpaint.kernels import windowed, windowed_torch
from underpaint.kernels.gaussian import GaussianKernel, HalfWindow

INTERPRETED = """
import torch
from underpaint.kernels import windowed_torch, windowed_triton
from underpaint.kernels.gaussian import GaussianKernel, HalfWindow

kernels = [GaussianKernel(1.0, 3.0, 0.2), GaussianKernel(0.4, 1.5, None), GaussianKernel(-0.2, 2.0, 0.5)]
draw = torch.Generator().manual_seed(0)
for (count, classes, height, width), radius in (((2, 3, 5, 6), 2), ((1, 21, 9, 13), 2), ((2, 1, 4, 3), 9)):
    values = torch.rand(count, classes, height, width, generator=draw)
    rgb = torch.rand(count, 3, height, width, generator=draw)
    window = HalfWindow.of(kernels, radius=radius, height=height, width=width)
    send, receive = (torch.rand(count, height, width, generator=draw) > 0.4 for _ in range(2))
    for gates in ((None, None), (send, None), (None, receive), (send, receive)):
        found = windowed_triton.filter_pairs(values, rgb, window, *gates)
        expected = windowed_torch.filter_pairs(values, rgb, window, *gates)
        for a, b in zip(found, expected, strict=True):
            torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-5)
print("equal")
"""


def test_equals_torch_in_the_interpreter() -> None:
    pytest.importorskip("triton")
    environment = {**os.environ, "TRITON_INTERPRET": "1"}
    done = subprocess.run([sys.executable, "-c", INTERPRETED], env=environment, capture_output=True, text=True)
    assert done.stdout.strip() == "equal", done.stderr


def test_compiles_for_an_h100() -> None:
    """The interpreter accepts what the compiler refuses, such as names from outside the kernel."""
    compiler = pytest.importorskip("triton.compiler")
    target = pytest.importorskip("triton.backends.compiler").GPUTarget("cuda", 90, 32)
    from underpaint.kernels.windowed_triton import _gather

    pointers = (
        "values",
        "rgb",
        "source",
        "destination",
        "offsets",
        "spatial",
        "flat",
        "decay",
        "filtered",
        "disagreement",
    )
    constants = {"has_source": True, "has_destination": False, "kernels": 1, "padded": 32, "block": 64}
    signature = {
        **dict.fromkeys(pointers, "*fp32"),
        "offsets": "*i32",
        **dict.fromkeys(("channels", "height", "width", "pairs"), "i32"),
        **dict.fromkeys(constants, "constexpr"),
    }
    built = compiler.compile(compiler.ASTSource(_gather, signature, constants), target=target)
    assert "cubin" in built.asm


def test_torch_takes_over_where_triton_fails(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """On the CPU Triton has no driver, as on a machine whose compiler is missing."""
    pytest.importorskip("triton")
    monkeypatch.setattr(windowed, "_triton_failures", [])
    values, rgb = torch.rand(1, 2, 5, 6), torch.rand(1, 3, 5, 6)
    window = HalfWindow.of([GaussianKernel(1.0, 3.0, 0.2)], radius=2, height=5, width=6)
    for _ in range(2):
        found = windowed.filter_pairs_on_gpu(values, rgb, window, None, None)
        expected = windowed_torch.filter_pairs(values, rgb, window, None, None)
        assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))
    assert len([record for record in caplog.records if "Triton does not work" in record.getMessage()]) == 1
