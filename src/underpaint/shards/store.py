"""The files of shards. A shard is one folder, which a single rename moves to its place when it is complete.

``OUT/shards/000123/masks.tar`` has a mask for each image, ``index.jsonl`` a line for each image, and ``done.json`` the
number of images and the digests of both files. ``OUT/plan`` is the plan, and ``OUT/claims`` records which process works
on which shard.
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any

from underpaint.core.atomic import first_folder
from underpaint.core.errors import DataError

MASKS, INDEX, DONE = "masks.tar", "index.jsonl", "done.json"

DAMAGED = "remove the folder of this shard, and give the command again"


@dataclass(frozen=True)
class Done:
    """A finished shard.

    Args:
        shard: Number of the shard.
        images: Number of its images.
        failed: Number of its images without a mask; the index has the reasons.
        digests: Digests of ``masks.tar`` and ``index.jsonl``.
    """

    shard: int
    images: int
    failed: int
    digests: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Store:
    """The folder of a prediction of many images."""

    root: Path

    @property
    def plan(self) -> Path:
        """The folder of the plan."""
        return self.root / "plan"

    @property
    def shards(self) -> Path:
        """The folder of the shards."""
        return self.root / "shards"

    def shard(self, number: int) -> Path:
        """The folder of a shard."""
        return self.shards / f"{number:06d}"

    def claim(self, number: int) -> Path:
        """The claim file of the process that works on a shard."""
        return self.root / "claims" / f"{number:06d}"

    def done(self, number: int) -> Done | None:
        """Read the record of a finished shard. None if the shard does not exist.

        Raises:
            DataError: The shard is damaged.
        """
        path = self.shard(number) / DONE
        try:
            return Done(**json.loads(path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            if not path.parent.is_dir():
                return None
            raise DataError("the shard has no done.json", where=path.parent, fix=DAMAGED) from None
        except (OSError, ValueError, TypeError) as error:
            raise DataError(f"the shard cannot be read: {error}", where=path, fix=DAMAGED) from None

    @contextmanager
    def writing(self, number: int) -> Iterator[ShardWriter]:
        """Write a shard.

        It appears only at the end of the block. If two processes write it, the first result is kept.
        """
        with first_folder(self.shard(number), root=self.root) as folder:
            with (
                (folder / INDEX).open("w", encoding="utf-8") as index,
                tarfile.open(folder / MASKS, "w", format=tarfile.PAX_FORMAT) as masks,
            ):
                writer = ShardWriter(number, masks, index)
                yield writer
            digests = {name: _digest(folder / name) for name in (MASKS, INDEX)}
            said = asdict(Done(number, writer.images, writer.failed, digests))
            (folder / DONE).write_text(json.dumps(said) + "\n", encoding="utf-8")


class ShardWriter:
    """Writes the results of a shard one by one, without keeping them in memory."""

    def __init__(self, number: int, masks: tarfile.TarFile, index: IO[str]) -> None:
        self.number, self.images, self.failed = number, 0, 0
        self._masks, self._index = masks, index

    def add(self, name: str, file: str, content: bytes, said: dict[str, Any]) -> None:
        """Add a mask: the name of the image, the name and bytes of the file, and further fields for the index."""
        self.images += 1
        member = tarfile.TarInfo(file)
        member.size, member.mode = len(content), 0o644
        self._masks.addfile(member, io.BytesIO(content))
        self._masks.members.clear()  # type: ignore[attr-defined]  # otherwise memory grows with the shard
        self._line({"image": name, "mask": file, **said})

    def fail(self, name: str, reason: str) -> None:
        """Add an image without a mask, with the reason."""
        self.images += 1
        self.failed += 1
        self._line({"image": name, "reason": reason})

    def _line(self, said: dict[str, Any]) -> None:
        self._index.write(json.dumps(said) + "\n")


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
