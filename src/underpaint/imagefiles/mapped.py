"""Arrays in files that are larger than the memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt


class Mapped:
    """An array in a file, of which only the requested part is in memory.

    The file is mapped anew for every part, because an open mapping would keep all pages that were read in memory.

    Args:
        path: The file, which contains only the numbers.
        dtype: The type of the numbers.
        shape: The shape of the array in the file.
        axes: The order of the axes, as for `numpy.transpose`.
    """

    def __init__(
        self, path: Path, dtype: npt.DTypeLike, shape: tuple[int, ...], axes: tuple[int, ...] | None = None
    ) -> None:
        self._path, self._shape, self._axes = path, shape, axes or tuple(range(len(shape)))
        self.dtype = np.dtype(dtype)
        self.shape = tuple(shape[axis] for axis in self._axes)

    def planes(self) -> Mapped:
        """The same array with an additional first axis of length 1."""
        return Mapped(self._path, self.dtype, (1, *self._shape), (0, *(axis + 1 for axis in self._axes)))

    @property
    def size(self) -> int:
        """The number of values."""
        return int(np.prod(self.shape))

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, part: Any) -> npt.NDArray[Any]:
        """A copy of a part, which is selected like a part of an array."""
        return np.array(np.memmap(self._path, self.dtype, "r", shape=self._shape).transpose(self._axes)[part])
