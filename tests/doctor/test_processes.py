"""Work in several processes: order, bounded reading ahead, and processes that die."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from underpaint.doctor.processes import AHEAD, CHUNK, stream


def double(number: int) -> int:
    return 2 * number


def die_on_seven(number: int) -> int:
    if number == 7:
        os._exit(1)
    return number


def fail(number: int) -> int:
    raise ValueError(number)


def sleep(number: int) -> int:
    time.sleep(0.02)
    return number


def lost(number: int) -> int:
    return -number


def test_results_come_in_order_and_items_are_taken_as_needed() -> None:
    taken = 0

    def items(count: int) -> Iterator[int]:
        nonlocal taken
        for taken in range(1, count + 1):
            yield taken - 1

    results = stream(double, items(2000), workers=2, lost=lost)
    assert next(results) == 0
    assert taken <= 2 * AHEAD * CHUNK
    assert list(results) == [2 * i for i in range(1, 2000)]


def test_one_worker_is_this_process() -> None:
    assert list(stream(double, range(5), workers=1, lost=lost)) == [0, 2, 4, 6, 8]


def test_a_process_that_dies_costs_its_own_item_alone() -> None:
    results = list(stream(die_on_seven, range(3 * CHUNK), workers=2, lost=lost))
    assert results == [*range(7), -7, *range(8, 3 * CHUNK)]


def test_an_error_in_the_work_is_the_callers() -> None:
    with pytest.raises(ValueError, match=r"^0$"):
        list(stream(fail, range(3), workers=2, lost=lost))


def test_leaving_early_ends_the_processes() -> None:
    results = stream(sleep, range(10_000), workers=2, lost=lost)
    next(results)
    began = time.perf_counter()
    results.close()
    assert time.perf_counter() - began < 10  # all of it would take 100 s


def test_ctrl_c_is_the_callers_alone() -> None:
    code = """
import signal, time
from underpaint.doctor.processes import stream
signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job inherits that it is ignored
print("begun", flush=True)
list(stream(time.sleep, [0.02] * 5000, workers=2, lost=print))
"""
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"begun\n"
        time.sleep(0.5)  # the processes are starting
        os.killpg(process.pid, signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert said.count(b"Traceback") == 1
    assert said.rstrip().endswith(b"KeyboardInterrupt")
