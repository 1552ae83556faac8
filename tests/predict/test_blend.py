"""Overlapping tiles averaged into one answer: every pixel once, no seam where they agree, a straight line where not."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from underpaint.core.errors import ConfigError
from underpaint.models.network import Network
from underpaint.predict import PredictConfig, Predictor
from underpaint.predict.blend import blended
from underpaint.predict.tiles import Tile

SIDES = st.integers(1, 300)


@settings(max_examples=40, deadline=None)
@given(height=SIDES, width=SIDES, cells=st.integers(1, 6), data=st.data())
def test_tiles_that_agree_give_the_whole(height: int, width: int, cells: int, data: st.DataObject) -> None:
    overlap = 32 * data.draw(st.integers(0, (cells - 1) // 2))
    whole = torch.arange(height * width, dtype=torch.float64).reshape(1, height, width)
    times = np.zeros((height, width), int)
    made = torch.full_like(whole, -1)

    def answer(tile: Tile) -> Tensor:
        top, bottom, left, right = tile.seen
        return whole[:, top:bottom, left:right].clone()

    for (top, bottom, left, right), part in blended((height, width), answer, tile=32 * cells, overlap=overlap):
        assert part.shape == (1, bottom - top, right - left)
        assert top % 16 == left % 16 == 0
        times[top:bottom, left:right] += 1
        made[:, top:bottom, left:right] = part
    assert (times == 1).all()
    torch.testing.assert_close(made, whole, rtol=1e-9, atol=1e-6)


def test_where_two_tiles_differ_the_answer_goes_from_one_to_the_other_along_a_line() -> None:
    # 320 columns in tiles of 256 with overlap 64: they meet at 96 and 192, and are averaged from 32 before to 32 after.
    numbers = iter([0.0, 64.0, 128.0])
    parts = blended(
        (8, 320),
        lambda tile: torch.full((1, 8, tile.seen[3] - tile.seen[2]), next(numbers), dtype=torch.float64),
        tile=256,
        overlap=64,
    )
    row = torch.cat([part[0, 0] for _, part in parts]).tolist()
    expected = [min(max(x + 0.5 - 64, 0), 64) + min(max(x + 0.5 - 160, 0), 64) for x in range(320)]
    assert row == pytest.approx(expected)


def test_a_network_that_feels_its_tile_leaves_no_seam(local: Network) -> None:
    """Labels change across the lines where tiles meet no more often than elsewhere, though each tile is tinted."""
    tints = iter(np.random.default_rng(0).normal(0, 3, (100, 5)))
    predictor = Predictor(
        local,
        PredictConfig(engine="torch", tile=256, overlap=64),
        forward=lambda rgb: (
            torch.tensor(next(tints), dtype=torch.float32).view(1, 5, 1, 1).expand(1, 5, *rgb.shape[2:])
            + torch.rand(1, 5, *rgb.shape[2:], generator=torch.Generator().manual_seed(1))
        ),
    )
    probabilities = predictor.probabilities(np.zeros((500, 700, 3), np.uint8))
    np.testing.assert_allclose(probabilities.sum(axis=0), 1, atol=1e-5)
    jumps = np.abs(np.diff(probabilities.mean(axis=1), axis=1)).max(axis=0)
    assert jumps.max() < 0.06, "a jump of one tile's tint is nearly 1"


@pytest.mark.parametrize(
    ("field", "expected"), [(None, 1024), (160, 256), (214, 288), (342, 416), (427, 512), (512, 576), (5000, 1024)]
)
def test_a_tile_is_what_training_saw_and_the_overlap(field: int | None, expected: int) -> None:
    assert PredictConfig().side_of(field) == expected
    assert PredictConfig(tile=320).side_of(field) == 320


def test_a_tile_that_fits_no_network_is_refused() -> None:
    with pytest.raises(ConfigError, match="tile"):
        PredictConfig.parse({"tile": 100}, "predict options")
    with pytest.raises(ConfigError, match="more than a quarter"):
        PredictConfig.parse({"tile": 256, "overlap": 96}, "predict options")
