"""A folder of limited size for features, with one file for each image. The oldest files are removed first."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from underpaint.core.atomic import write_atomic
from underpaint.core.cache import cache_folder
from underpaint.core.errors import UnderpaintError

LIMIT = 4 * 2**30
"""Largest size of a store in bytes: the features of about 10,000 images of 320 x 213 pixels."""

MEASURE_EVERY = 0.02
"""A process measures the folder again after it has written this share of the limit, because others write to it too."""

SHARE_AFTER_REMOVAL = 0.9
"""A removal continues down to this share of the limit, so that not every write has to remove files."""


def usual_store() -> FeatureStore | None:
    """The store in the cache folder of this user, or None if no such folder can be used."""
    folder = cache_folder("features")
    return None if folder is None else FeatureStore(folder)


class FeatureStore:
    """Lists of tensors under two names: that of the network, and that of the content of the image.

    A damaged or incomplete file is treated as missing: the features are computed again and replace it. If the disk
    refuses to store features, they are computed every time, and `failure` states the reason.

    Args:
        folder: The folder; it is made if it does not exist.
        limit: Largest size in bytes. Above it, the least recently read files are removed.
    """

    def __init__(self, folder: Path, *, limit: int = LIMIT) -> None:
        self.folder, self.limit = folder, limit
        self.failure: str | None = None
        self._used, self._since = limit, limit  # so that the first write measures the folder

    def read(self, network: str, image: str) -> list[Tensor] | None:
        """The stored tensors, or None."""
        path = self._path(network, image)
        try:
            stored = load_file(path)
        except (OSError, SafetensorError):
            return None
        with suppress(OSError):
            os.utime(path)
        names = [str(number) for number in range(len(stored))]
        return [stored[name] for name in names] if sorted(stored) == sorted(names) else None

    def write(self, network: str, image: str, tensors: Sequence[Tensor]) -> None:
        """Store tensors. If the store is full, remove the files that were not read for the longest time."""
        if self.failure is not None:
            return
        content = save({str(number): tensor for number, tensor in enumerate(tensors)})
        path = self._path(network, image)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomic(path, content)
        except (UnderpaintError, OSError) as error:
            self.failure = str(error)
            return
        self._used, self._since = self._used + len(content), self._since + len(content)
        if self._since > MEASURE_EVERY * self.limit:
            self._used, self._since = self._measured(), 0
        if self._used > self.limit:
            self._used = self._remove_oldest()

    def _path(self, network: str, image: str) -> Path:
        return self.folder / network / image[:2] / f"{image}.safetensors"

    def _measured(self) -> int:
        return sum(size for _, size, _ in self._files())

    def _remove_oldest(self) -> int:
        """Remove the least recently used files and return the number of bytes that are left."""
        files = sorted(self._files())
        left = sum(size for _, size, _ in files)
        for _, size, path in files:
            if left <= SHARE_AFTER_REMOVAL * self.limit:
                break
            path.unlink(missing_ok=True)
            left -= size
        return left

    def _files(self) -> list[tuple[float, int, Path]]:
        """Time of the last use, size and path of every file. Another process may remove files at the same time."""
        found = []
        for path in self.folder.glob("*/*/*.safetensors"):
            with suppress(OSError):
                stat = path.stat()
                found.append((stat.st_mtime, stat.st_size, path))
        return found
