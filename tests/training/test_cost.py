"""Seconds and peak memory of a piece of work."""

from __future__ import annotations

import sys
import time

import numpy as np
import pytest

from underpaint.training.cost import Cost


def test_the_seconds_are_those_since_it_began() -> None:
    cost = Cost()
    time.sleep(0.2)
    assert 0.2 <= cost.figures()["seconds"] < 10


@pytest.mark.skipif(sys.platform != "linux", reason="peak memory is read from /proc")
def test_the_peak_is_that_of_the_work_and_not_of_what_was_before() -> None:
    np.ones(400 << 17).sum()  # 400 MiB
    before = Cost().figures()["peak_mb"]
    cost = Cost()
    held = np.ones(200 << 17)
    del held
    assert 190 < cost.figures()["peak_mb"] - before < 250
