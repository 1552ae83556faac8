"""The photograph that was read last is not read again, unless it is another one."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from underpaint.core.errors import DataError
from underpaint.imagefiles.rule import COLOUR, read_image
from underpaint.serve.last_photograph import LastPhotograph


def write(path: Path, level: int) -> None:
    Image.fromarray(np.full((20, 30, 3), level, np.uint8)).save(path)
    os.utime(path, ns=(level, level))


def test_a_photograph_is_read_once_until_it_changes(tmp_path: Path) -> None:
    path, other = tmp_path / "a.png", tmp_path / "b.png"
    write(path, 10)
    write(other, 30)
    last = LastPhotograph()
    first = last.read(path, COLOUR)
    np.testing.assert_array_equal(first, read_image(path, COLOUR))
    assert last.read(path, COLOUR) is first
    write(path, 20)
    assert last.read(path, COLOUR)[0, 0, 0] == 20
    assert last.read(other, COLOUR)[0, 0, 0] == 30
    assert last.read(path, COLOUR)[0, 0, 0] == 20
    path.unlink()
    with pytest.raises(DataError):
        last.read(path, COLOUR)
    write(path, 20)
    assert last.read(path, COLOUR)[0, 0, 0] == 20
