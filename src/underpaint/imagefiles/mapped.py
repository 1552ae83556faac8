"""Arrays in files that no memory holds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt


class Mapped:
    """An array in a file, of which memory holds only the part that was asked for.

    A mapping that stays open would keep every page that was read, until the system needs the memory.

    Args:
        path: The file, which holds the numbers alone.
        dtype: Of the numbers.
        shape: Of the array in the file.
        axes: The order in which the axes of the file are shown, as for `numpy.transpose`.
    """

    def __init__(
        self, path: Path, dtype: npt.DTypeLike, shape: tuple[int, ...], axes: tuple[int, ...] | None = None
    ) -> None:
        self._path, self._shape, self._axes = path, shape, axes or tuple(range(len(shape)))
        self.dtype = np.dtype(dtype)
        self.shape = tuple(shape[axis] for axis in self._axes)

    def planes(self) -> Mapped:
        """The same with a first axis of length 1."""
        return Mapped(self._path, self.dtype, (1, *self._shape), (0, *(axis + 1 for axis in self._axes)))

    @property
    def size(self) -> int:
        """How many numbers there are."""
        return int(np.prod(self.shape))

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, part: Any) -> npt.NDArray[Any]:
        """A copy of a part, by slices and numbers as of an array."""
        return np.array(np.memmap(self._path, self.dtype, "r", shape=self._shape).transpose(self._axes)[part])
