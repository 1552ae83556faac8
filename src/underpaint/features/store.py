"""Where features are kept: a folder of bounded size, one file an image, the least recently used ones removed first."""

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
"""Bytes that a store holds: the features of some 10,000 photographs of 320 x 213 pixels."""

LOOK_AGAIN = 0.02
"""Share of the limit that a process writes between two looks at what others wrote."""

KEPT = 0.9
"""Share of the limit that is left after a removal, so that not every write removes something."""


def usual_store() -> FeatureStore | None:
    """The store in this user's cache folder; None where there can be none."""
    folder = cache_folder("features")
    return None if folder is None else FeatureStore(folder)


class FeatureStore:
    """Lists of tensors under two names: of the network, and of the image's content.

    A file that is damaged or was cut short is as good as missing: it is computed again and replaced. A disk that
    refuses costs time, never the work: what cannot be kept is computed again, and `failure` says why.

    Args:
        folder: The store; made where it is missing.
        limit: Bytes; the least recently read files are removed above it.
    """

    def __init__(self, folder: Path, *, limit: int = LIMIT) -> None:
        self.folder, self.limit = folder, limit
        self.failure: str | None = None
        self._used, self._since = limit, limit  # a look at the folder before the first write

    def read(self, network: str, image: str) -> list[Tensor] | None:
        """What is kept, or None."""
        path = self._path(network, image)
        try:
            held = load_file(path)
        except (OSError, SafetensorError):
            return None
        with suppress(OSError):
            os.utime(path)
        names = [str(number) for number in range(len(held))]
        return [held[name] for name in names] if sorted(held) == sorted(names) else None

    def write(self, network: str, image: str, tensors: Sequence[Tensor]) -> None:
        """Keep tensors, and remove what was not read for longest where the store is full."""
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
        if self._since > LOOK_AGAIN * self.limit:
            self._used, self._since = self._measured(), 0
        if self._used > self.limit:
            self._used = self._make_room()

    def _path(self, network: str, image: str) -> Path:
        return self.folder / network / image[:2] / f"{image}.safetensors"

    def _measured(self) -> int:
        return sum(size for _, size, _ in self._files())

    def _make_room(self) -> int:
        """Remove the oldest files, and return the bytes that are left."""
        files = sorted(self._files())
        left = sum(size for _, size, _ in files)
        for _, size, path in files:
            if left <= KEPT * self.limit:
                break
            path.unlink(missing_ok=True)
            left -= size
        return left

    def _files(self) -> list[tuple[float, int, Path]]:
        """Time of the last use, size and path of every file; another process may remove some meanwhile."""
        found = []
        for path in self.folder.glob("*/*/*.safetensors"):
            with suppress(OSError):
                stat = path.stat()
                found.append((stat.st_mtime, stat.st_size, path))
        return found
