"""The message to whoever waits for the compiler, the thread count, and the refusal after a fork."""

from __future__ import annotations

import importlib.util
import logging
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from underpaint.core.errors import RunError
from underpaint.kernels import jit

SOURCE = """
from numba import njit

@njit(cache=True)
def double(x):
    return 2 * x
"""


def load(path: Path) -> Callable[[int], int]:
    """A fresh import, as a new process would make it."""
    spec = importlib.util.spec_from_file_location("kernel_of_a_test", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    function: Callable[[int], int] = module.double
    return function


@pytest.fixture
def announced(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    known: set[str] = set()
    monkeypatch.setattr(jit, "_announced", known)
    return known


def test_says_that_it_compiles_once_per_install(
    tmp_path: Path, announced: set[str], caplog: pytest.LogCaptureFixture
) -> None:
    source = tmp_path / "kernel.py"
    source.write_text(SOURCE)
    os.utime(source, times=(time.time() - 60,) * 2)
    with caplog.at_level(logging.INFO, logger="underpaint"):
        for _ in range(2):
            jit.prepare(load(source), purpose="doubling", seconds=7)
        assert [record.getMessage() for record in caplog.records] == [
            "compiling the CPU kernel for doubling, once after the install, about 7 s"
        ]
        assert load(source)(4) == 8  # compiles and fills the cache
        caplog.clear()
        announced.clear()
        jit.prepare(load(source), purpose="doubling", seconds=7)
        assert not caplog.records
        source.touch()  # a newer source is compiled again
        announced.clear()
        jit.prepare(load(source), purpose="doubling", seconds=7)
        assert len(caplog.records) == 1


def test_threads_follow_torch(tmp_path: Path, announced: set[str]) -> None:
    source = tmp_path / "kernel.py"
    source.write_text(SOURCE)
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        assert jit.prepare(load(source), purpose="doubling", seconds=7) == 1
    finally:
        torch.set_num_threads(threads)


def test_a_forked_process_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, announced: set[str]) -> None:
    source = tmp_path / "kernel.py"
    source.write_text(SOURCE)
    monkeypatch.setattr(jit, "_launched_in", {os.getpid() + 1})
    with pytest.raises(RunError, match="forked"):
        jit.prepare(load(source), purpose="doubling", seconds=7)
