"""The sample pictures of a run: labels survive when a large image is made smaller."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from underpaint.hints.rasterise import UNKNOWN
from underpaint.workflows.pictures import _reduced

SEEDS = arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9)), elements=st.sampled_from([0, 1, 3, UNKNOWN]))


@given(SEEDS, st.integers(1, 4))
def test_every_block_with_a_label_keeps_one_of_its_labels(seeds: np.ndarray, step: int) -> None:
    small = _reduced(seeds, step)
    for (row, column), label in np.ndenumerate(small):
        block = seeds[row * step : (row + 1) * step, column * step : (column + 1) * step]
        known = block[block != UNKNOWN]
        assert label in known if len(known) else label == UNKNOWN
    assert small.shape == tuple(-(-side // step) for side in seeds.shape)
