"""The plan of a prediction of many images: the images of each shard. It never changes for a folder of results.

The plan is a folder with ``items.jsonl`` (a line for each image), ``left_out.jsonl`` and ``plan.json``. While it is
made, it needs 8 bytes of memory for each image, to find names that occur twice; later 8 bytes for each shard.
"""

from __future__ import annotations

import hashlib
import json
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Self

import numpy as np

from underpaint.core.atomic import first_folder
from underpaint.core.errors import DataError, RunError
from underpaint.shards.items import Entry, Item, LeftOut
from underpaint.shards.manifest import ACCEPTED

ITEMS, LEFT, ABOUT = "items.jsonl", "left_out.jsonl", "plan.json"

Stamp = dict[str, Any]
"""Everything except the images that affects the results: JSON values by names for messages."""


@dataclass(frozen=True)
class Plan:
    """A finished plan.

    Args:
        folder: Folder of the plan.
        stamp: Everything except the images that affects the results.
        images: Number of images.
        left_out: Number of lines, files and names that are not images.
        size: Number of images per shard; the last shard may have fewer.
        digest: Digest of the names and addresses of all images.
        starts: Position in ``items.jsonl`` at which each shard begins, in bytes.
    """

    folder: Path
    stamp: Stamp
    images: int
    left_out: int
    size: int
    digest: str
    starts: tuple[int, ...]

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read a plan. Raises `RunError` if it is damaged."""
        try:
            said = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
            return cls(folder, **{**said, "starts": tuple(said["starts"])})
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise RunError(
                f"the plan of the shards cannot be read: {error}", where=folder, fix="choose another folder"
            ) from None

    def items(self, shard: int) -> list[Item]:
        """The images of a shard, in order."""
        with (self.folder / ITEMS).open("rb") as file:
            file.seek(self.starts[shard])
            return [Item.of_line(line.decode()) for line in islice(file, self.size)]

    def reasons(self) -> Iterator[LeftOut]:
        """Yield the parts of the manifest that were left out."""
        with (self.folder / LEFT).open(encoding="utf-8") as file:
            yield from (LeftOut(**json.loads(line)) for line in file)


def make_plan(folder: Path, entries: Iterable[Entry], *, size: int, stamp: Stamp, source: str) -> Plan:
    """Make the plan in a folder, or check that an existing plan is the same.

    Of several images with the same name, the first one is planned and the others are left out.

    Args:
        folder: Folder of the plan. A new plan is moved there in one step.
        entries: The images and other parts of the manifest.
        size: Number of images per shard.
        stamp: Everything except the images that affects the results.
        source: The manifest, for messages.

    Raises:
        DataError: The manifest has no image; or the existing plan has other images, another size or another stamp.
    """
    if folder.is_dir():
        _check_stamp(Plan.read(folder), stamp, size)
    with first_folder(folder) as temporary:
        made = _written(temporary, entries, size, stamp)
        if not made.images:
            raise DataError(_nothing(made), where=source, accepted=ACCEPTED)
    plan = Plan.read(folder)
    _check_stamp(plan, stamp, size)
    if plan.digest != made.digest:
        raise DataError(
            f"the manifest has {made.images:,} images and differs from the one with {plan.images:,} images for which "
            "the shards in the output folder were planned",
            where=source,
            fix="choose another folder with -o; for added images, make a manifest with only these",
        )
    return plan


def _nothing(made: Plan) -> str:
    first = next(made.reasons(), None)
    more = "" if first is None else f"; {made.left_out} left out, the first: {first.where}: {first.reason}"
    return f"the manifest contains no image{more}"


def _check_stamp(plan: Plan, stamp: Stamp, size: int) -> None:
    """Refuse results of another network or of other settings."""
    before, now = {**plan.stamp, "images of a shard": plan.size}, {**stamp, "images of a shard": size}
    other = sorted(key for key in before.keys() | now.keys() if before.get(key) != now.get(key))
    if other:
        said = "; ".join(f"{key}: {before.get(key)} there, {now.get(key)} now" for key in other)
        raise DataError(
            f"the shards in the output folder were made with another {' and another '.join(other)}",
            where=plan.folder.parent,
            accepted=f"the same as before ({said})"[:600],
            fix="choose another folder with -o, or give the settings of the first call",
        )


def _written(folder: Path, entries: Iterable[Entry], size: int, stamp: Stamp) -> Plan:
    hashes = array("Q")
    left = 0
    with (folder / LEFT).open("wb") as others:
        with (folder / "every.jsonl").open("wb") as items:
            for entry in entries:
                if isinstance(entry, Item):
                    hashes.append(_hash(entry.name))
                    items.write(entry.line().encode())
                else:
                    left += 1
                    others.write(entry.line().encode())
        left += _without_doubles(folder, _repeated(hashes), others)
    (folder / "every.jsonl").unlink()
    images, starts, digest = _starts(folder / ITEMS, size)
    plan = Plan(folder, stamp, images, left, size, digest, starts)
    said = {key: value for key, value in asdict(plan).items() if key != "folder"}
    (folder / ABOUT).write_text(json.dumps(said, indent=1) + "\n", encoding="utf-8")
    return plan


def _hash(name: str) -> int:
    return int.from_bytes(hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big")


def _repeated(hashes: array[int]) -> set[int]:
    """The hashes that occur more than once. The array is sorted in place."""
    every = np.frombuffer(hashes, np.uint64) if hashes else np.empty(0, np.uint64)
    every.sort()
    return set(every[1:][every[1:] == every[:-1]].tolist())


def _without_doubles(folder: Path, repeated: set[int], others: Any) -> int:
    """Write the items without those whose name an earlier item has, and return the number of the latter."""
    every, kept = folder / "every.jsonl", folder / ITEMS
    if not repeated:
        kept.hardlink_to(every)
        return 0
    seen: set[str] = set()
    left = 0
    with every.open("rb") as lines, kept.open("wb") as file:
        for line in lines:
            item = Item.of_line(line.decode())
            if _hash(item.name) in repeated and item.name in seen:
                left += 1
                others.write(LeftOut(item.at, f"an earlier image has the name {item.name!r}").line().encode())
                continue
            if _hash(item.name) in repeated:
                seen.add(item.name)
            file.write(line)
    return left


def _starts(items: Path, size: int) -> tuple[int, tuple[int, ...], str]:
    """The number of items, the position at which each shard begins, and the digest of all items."""
    digest = hashlib.blake2b(digest_size=16)
    count, place = 0, 0
    starts = []
    with items.open("rb") as file:
        for line in file:
            if count % size == 0:
                starts.append(place)
            digest.update(line)
            count, place = count + 1, place + len(line)
    return count, tuple(starts), digest.hexdigest()
