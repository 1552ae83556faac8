"""Predicts the images of one shard and writes the shard. All executors only run this function."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

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
from underpaint.kernels.threads import torch_threads
from underpaint.predict.predictor import Pixels, Predictor
from underpaint.shards.addresses import is_remote, opened
from underpaint.shards.items import Item
from underpaint.shards.plan import Plan
from underpaint.shards.store import Done, ShardWriter, Store

DIGEST = 16
"""Length in bytes of the digest of an image in the index."""


@dataclass(frozen=True)
class LoadedRun:
    """The objects that a process needs to predict.

    Args:
        predictor: Network and settings.
        classes: Classes of the network.
        rule: Rule for reading images.
    """

    predictor: Predictor
    classes: ClassTable
    rule: ReadingRule


def predict_shard(root: Path, load: Callable[[], LoadedRun], number: int) -> Done | None:
    """Predict the images of a shard on one thread, and write the complete shard.

    An image that cannot be read has no mask, and the index contains the reason. The bytes of a shard depend only on its
    images, the network and the settings, so that any process can write it.

    Args:
        root: Folder of the results, with its plan.
        load: Returns the objects that are needed to predict; it is not called if the shard already exists.
        number: Number of the shard.

    Returns:
        The record of the shard; None if another process works on it.

    Raises:
        DataError: The shard cannot be written.
    """
    store = Store(root)
    if (done := store.done(number)) is not None:
        return done
    with claimed(store.claim(number)) as mine:
        if not mine:
            return store.done(number)
        if (done := store.done(number)) is not None:
            return done
        with torch_threads(1):
            loaded = load()
            with store.writing(number) as writer:
                for item in Plan.read(store.plan).items(number):
                    _add(writer, item, loaded)
    return store.done(number)


def _add(writer: ShardWriter, item: Item, loaded: LoadedRun) -> None:
    """Predict one image and add its mask, or the reason why there is none."""
    try:
        with _local(item) as path:
            digest = _digest(path)
            pixels = read_image(path, _settled(path, loaded.rule))
            labels = loaded.predictor.index(pixels)
            file, content = _mask(item.name, path, labels, loaded.classes)
    except UnderpaintError as error:
        writer.fail(item.name, error.brief)
        return
    counts = np.bincount(labels.ravel(), minlength=len(loaded.classes))
    size = {"height": labels.shape[0], "width": labels.shape[1]}
    writer.add(item.name, file, content, {**size, "pixels": counts.tolist(), "digest": digest})


def _settled(path: Path, rule: ReadingRule) -> ReadingRule:
    """The rule. For an image of more than 8 bits it must have a window, because a shard cannot use the other images."""
    if rule.windows is None and not rule.each and about_of(path).dtype not in (np.uint8, np.bool_):
        raise DataError(
            "the image has more than 8 bits, but no training image had more",
            fix="predict it in a folder, so that the window is computed from all its images",
        )
    return rule


def _mask(name: str, path: Path, labels: Pixels, classes: ClassTable) -> tuple[str, bytes]:
    """File name and bytes of a mask: a PNG, or a GeoTIFF if the image has a place on a map."""
    if not is_geo(path):
        return f"{name}.png", index_mask_png(path, labels, classes)
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder, "mask.tif")
        write_mask_tiff(made, labels, classes, about_of(path).place)
        return f"{name}.tif", made.read_bytes()


@contextmanager
def _local(item: Item) -> Iterator[Path]:
    """The image as a local file: the file itself, or a temporary copy of a remote file or of a member of an archive."""
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
        raise DataError(
            f"the archive ends inside this image, or the image has more than {MAX_BYTES:,} bytes", where=item.at
        )
    if len(content) > MAX_BYTES:
        raise DataError(f"it has more than {MAX_BYTES:,} bytes", where=item.at, fix="predict this image separately")
    return content


def _digest(path: Path) -> str:
    """Digest of the bytes of an image file; empty for a folder such as a Zarr array."""
    file, _ = file_and_slice(path)
    try:
        with open_regular(file, max_bytes=ANY_BYTES) as stream:
            return hashlib.file_digest(stream, lambda: hashlib.blake2b(digest_size=DIGEST)).hexdigest()
    except OSError:
        return ""
