"""Reads the results of a prediction of many images."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from underpaint.core.errors import DataError
from underpaint.core.paths import AnyPath, as_path, existing
from underpaint.imagefiles.decode import MAX_PIXELS, opened
from underpaint.shards.store import DAMAGED, INDEX, MASKS, Store

FORMATS = ("PNG", "TIFF")


def read_shards(out: AnyPath) -> Iterator[tuple[str, npt.NDArray[np.uint8]]]:
    """Yield the masks of `underpaint.predict_shards` in the order of the manifest.

    Unfinished shards are ignored. Images without a mask are only in the index (`read_index`).

    Args:
        out: Folder of the shards.

    Returns:
        The name of each image and its mask: (H, W) uint8, the index of the class of every pixel.

    Raises:
        DataError: The folder does not exist or contains no shards, or a shard is damaged.

    Example:
        >>> for name, mask in underpaint.read_shards("out"):  # doctest: +SKIP
        ...     print(name, mask.shape)
    """
    for folder in _finished(out):
        rows = {row["mask"]: row["image"] for row in _rows(folder) if "mask" in row}
        try:
            with tarfile.open(folder / MASKS, "r:") as masks:
                while (member := masks.next()) is not None:
                    masks.members.clear()  # type: ignore[attr-defined]  # otherwise memory grows with the shard
                    file = masks.extractfile(member)
                    assert file is not None  # only regular files are written
                    yield rows.pop(member.name), _decoded(folder / MASKS / member.name, file.read())
        except (tarfile.TarError, OSError, KeyError) as error:
            raise DataError(f"the masks of a shard cannot be read: {error}", where=folder, fix=DAMAGED) from None
        if rows:
            raise DataError(f"{len(rows)} masks of a shard are missing", where=folder, fix=DAMAGED)


def read_index(out: AnyPath) -> Iterator[dict[str, Any]]:
    """Yield the lines of the index of all finished shards in the order of the manifest.

    A line has ``image`` (the name), ``mask`` (the file in ``masks.tar``), ``height``, ``width``, ``pixels`` (the number
    for each class), and ``digest`` (of the bytes of the image). An image that could not be read has ``reason`` instead.

    Args:
        out: Folder of the shards.

    Raises:
        DataError: The same as in `read_shards`.
    """
    for folder in _finished(out):
        yield from _rows(folder)


def _finished(out: AnyPath) -> Iterator[Path]:
    store = Store(existing(as_path(out, "out"), "the folder of shards"))
    if not store.plan.is_dir():
        raise DataError("the folder contains no shards", where=store.root, accepted="a folder that predict_shards made")
    if store.shards.is_dir():
        yield from sorted(path for path in store.shards.iterdir() if path.name.isdecimal())


def _rows(folder: Path) -> Iterator[dict[str, Any]]:
    try:
        with (folder / INDEX).open(encoding="utf-8") as file:
            yield from map(json.loads, file)
    except (OSError, ValueError) as error:
        raise DataError(f"the index of a shard cannot be read: {error}", where=folder, fix=DAMAGED) from None


def _decoded(path: Path, content: bytes) -> npt.NDArray[np.uint8]:
    with opened(path, FORMATS, max_pixels=MAX_PIXELS, content=content) as image:
        return np.array(image, np.uint8)
