import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from underpaint.core.errors import ConfigError
from underpaint.predict.tiles import Tile, tiles

SIDES = st.integers(1, 400)


@st.composite
def _cutting(draw: st.DrawFn) -> tuple[int, int]:
    tile = 32 * draw(st.integers(1, 8))
    return tile, 32 * draw(st.integers(0, (tile // 32 - 1) // 2))


@settings(max_examples=80, deadline=None)
@given(height=SIDES, width=SIDES, cutting=_cutting())
def test_every_pixel_is_kept_once_and_seen_with_its_surroundings(
    height: int, width: int, cutting: tuple[int, int]
) -> None:
    tile, overlap = cutting
    times = np.zeros((height, width), int)
    for part in tiles((height, width), tile=tile, overlap=overlap):
        top, bottom, left, right = part.kept
        times[top:bottom, left:right] += 1
        row0, row1, column0, column1 = part.seen
        assert row1 - row0 <= tile
        assert column1 - column0 <= tile
        assert row0 % 32 == column0 % 32 == 0
        assert row0 == max(0, top - overlap)
        assert row1 == min(height, bottom + overlap)
        assert column0 == max(0, left - overlap)
        assert column1 == min(width, right + overlap)
    assert (times == 1).all()


def test_an_image_that_fits_is_one_tile() -> None:
    assert list(tiles((100, 256), tile=256, overlap=64)) == [Tile((0, 100, 0, 256), (0, 100, 0, 256))]


def test_a_long_side_is_cut_evenly() -> None:
    # 300 columns, of which a tile keeps 256 - 2 * 64 = 128: three parts of 10 cells of 32 pixels, the last cut short.
    parts = list(tiles((100, 300), tile=256, overlap=64))
    assert [part.kept[2:] for part in parts] == [(0, 96), (96, 192), (192, 300)]
    assert [part.seen[2:] for part in parts] == [(0, 160), (32, 256), (128, 300)]


@pytest.mark.parametrize(("tile", "overlap"), [(100, 32), (128, 20), (128, 64), (0, 0), (128, -32)])
def test_tiles_that_keep_nothing_are_refused(tile: int, overlap: int) -> None:
    with pytest.raises(ConfigError, match=f"tile {tile} with overlap {overlap}"):
        list(tiles((300, 300), tile=tile, overlap=overlap))
