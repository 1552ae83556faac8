"""The rows that a model is fitted on: bounded, each kept with the same probability, the same for the same images."""

from __future__ import annotations

import numpy as np
import pytest

from underpaint.features import rows as rows_module
from underpaint.features.linear import fit_linear
from underpaint.features.rows import Rows, _RowSample, _taken, fit_rows


def test_taken_rows_are_those_of_the_parts_stacked() -> None:
    rng = np.random.default_rng(0)
    parts = [rng.random((count, 3)).astype(np.float16) for count in (4, 0, 7, 1)]
    for chosen in ([0, 3, 4, 10, 11], [11], [], list(range(12))):
        at = np.array(chosen, np.intp)
        assert np.array_equal(_taken(parts, at), np.concatenate(parts)[at])


def test_at_most_so_many_rows_are_kept_in_order_and_each_is_as_likely(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows_module, "MOST_ROWS", 50)
    seen = np.zeros(200)
    for seed in range(200):
        kept = _RowSample(2, np.random.default_rng(seed))
        for start in range(0, 200, 20):  # ten images of 20 rows, whose only feature is their number
            numbers = np.arange(start, start + 20, dtype=np.float16)[:, None]
            kept.add(numbers, np.tile([True, False], (20, 1)))
            assert len(kept.columns) <= 50
        kept.thin()
        found = kept.columns[:, 0].astype(int)
        assert len(found) == len(kept.sets) == 50
        assert (np.diff(found) > 0).all()
        seen[found] += 1
    assert seen.mean() == 50
    assert abs(seen[:100].mean() - seen[100:].mean()) < 3  # a standard deviation is 0.6


def test_fewer_rows_are_all_kept() -> None:
    kept = _RowSample(2, np.random.default_rng(0))
    kept.add(np.ones((3, 4), np.float16), np.ones((3, 2), bool))
    kept.thin()
    assert kept.columns.shape == (3, 4)


def test_the_numbers_of_clicks_are_not_taken_for_areas() -> None:
    rng = np.random.default_rng(0)
    columns = rng.normal(size=(60, 3)).astype(np.float16)
    sets, chosen = np.eye(2, dtype=bool), np.repeat([0, 1], [50, 10])
    clicks, strokes = (fit_rows(Rows(columns, sets, chosen, areas), None, share=0.5) for areas in (False, True))
    plain = fit_linear(columns, sets, chosen)
    np.testing.assert_array_equal(clicks.bias, plain.bias)
    np.testing.assert_array_equal(strokes.weight, plain.weight)
    np.testing.assert_allclose(strokes.bias - plain.bias, [0, 0.5 * np.log(10 / 50)], atol=1e-5)
