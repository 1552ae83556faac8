"""Predicts one shard of many images and writes it whole. Every executor runs this function, and nothing beside it."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from underpaint.core.claim import claimed
from underpaint.core.classes import ClassTable
from underpaint.core.errors import DataError, UnderpaintError
from underpaint.core.regular import open_regular
from underpaint.imagefiles.decode import MAX_BYTES
from underpaint.imagefiles.images import SUFFIXES
from underpaint.imagefiles.mask_tiff import write_mask_tiff
from underpaint.imagefiles.masks import index_mask_png
from underpaint.imagefiles.opening import ANY_BYTES, about_of, is_geo
from underpaint.imagefiles.rule import ReadingRule, read_image
from underpaint.imagefiles.slices import ending_of, file_and_slice
from underpaint.predict.predictor import Pixels, Predictor
from underpaint.shards.addresses import is_remote, opened
from underpaint.shards.items import Item
from underpaint.shards.plan import Plan
from underpaint.shards.store import Done, ShardWriter, Store

DIGEST = 16
"""Bytes of the digest of an image in the index."""


@dataclass(frozen=True)
class Seeing:
    """What a process needs to predict.

    Args:
        predictor: Network and settings.
        classes: The network's classes.
        rule: How it sees images.
    """

    predictor: Predictor
    classes: ClassTable
    rule: ReadingRule


def predict_shard(root: Path, seeing: Callable[[], Seeing], number: int) -> Done | None:
    """Predict the images of a shard on one thread, and write the shard whole.

    An image that cannot be read costs nothing but its own mask, and is in the index with the reason. The bytes of a
    shard depend on its images, the network and the settings alone, so that it does not matter who writes it.

    Args:
        root: The folder of results, with its plan.
        seeing: Returns what is needed to predict; it is not called for a shard that is there already.
        number: The shard.

    Returns:
        What the shard says of itself; None where another process is at it.

    Raises:
        DataError: the shard cannot be written.
    """
    store = Store(root)
    if (done := store.done(number)) is not None:
        return done
    with claimed(store.claim(number)) as mine:
        if not mine:
            return store.done(number)
        if (done := store.done(number)) is not None:
            return done
        with _one_thread():
            see = seeing()
            with store.writing(number) as writer:
                for item in Plan.read(store.plan).items(number):
                    _add(writer, item, see)
    return store.done(number)


def _add(writer: ShardWriter, item: Item, see: Seeing) -> None:
    """Predict one image into the shard, or say there why not."""
    try:
        with _local(item) as path:
            digest = _digest(path)
            pixels = read_image(path, _settled(path, see.rule))
            labels = see.predictor.index(pixels)
            file, content = _mask(item.name, path, labels, see.classes)
    except UnderpaintError as error:
        writer.fail(item.name, error.brief)
        return
    counts = np.bincount(labels.ravel(), minlength=len(see.classes))
    size = {"height": labels.shape[0], "width": labels.shape[1]}
    writer.add(item.name, file, content, {**size, "pixels": counts.tolist(), "digest": digest})


def _settled(path: Path, rule: ReadingRule) -> ReadingRule:
    """The rule, which must have a window for an image of more than 8 bits: no shard knows the other images."""
    if rule.windows is None and not rule.each and about_of(path).dtype not in (np.uint8, np.bool_):
        raise DataError(
            "the image has more than 8 bits, and the training saw none of such depth",
            fix="predict it in a folder, where the window is taken from all its images",
        )
    return rule


def _mask(name: str, path: Path, labels: Pixels, classes: ClassTable) -> tuple[str, bytes]:
    """File name and bytes of a mask: a PNG; of an image with a place on a map, a GeoTIFF."""
    if not is_geo(path):
        return f"{name}.png", index_mask_png(path, labels, classes)
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder, "mask.tif")
        write_mask_tiff(made, labels, classes, about_of(path).place)
        return f"{name}.tif", made.read_bytes()


@contextmanager
def _local(item: Item) -> Iterator[Path]:
    """The image as a file of this machine: its own, or a temporary copy of an address or of an archive's member."""
    if item.start is None and not is_remote(item.at):
        yield Path(item.at)
        return
    ending = item.ending or ending_of(item.at)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"image{ending if ending in SUFFIXES else ''}")
        path.write_bytes(_fetched(item))
        yield path


def _fetched(item: Item) -> bytes:
    """The bytes of an image at an address or in an archive."""
    limit = MAX_BYTES if item.start is None else min(item.length, MAX_BYTES)
    try:
        with opened(item.at) as file:
            file.seek(item.start or 0)
            content = file.read(limit + (item.start is None))
    except UnderpaintError:
        raise
    except Exception as error:  # the back ends of fsspec raise errors of their own libraries
        raise DataError(f"it cannot be read: {type(error).__name__}: {error}"[:300], where=item.at) from error
    if item.start is not None and len(content) < item.length:
        raise DataError(f"the archive ends within it, or it has more than {MAX_BYTES:,} bytes", where=item.at)
    if len(content) > MAX_BYTES:
        raise DataError(f"it has more than {MAX_BYTES:,} bytes", where=item.at, fix="predict it by itself")
    return content


def _digest(path: Path) -> str:
    """Of the bytes of an image's file; of a folder, as a Zarr array, there is none."""
    file, _ = file_and_slice(path)
    try:
        with open_regular(file, max_bytes=ANY_BYTES) as stream:
            return hashlib.file_digest(stream, lambda: hashlib.blake2b(digest_size=DIGEST)).hexdigest()
    except OSError:
        return ""


@contextmanager
def _one_thread() -> Iterator[None]:
    """On more threads torch may add in another order; several processes are faster than several threads, too."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
