"""Images in tar archives, as in WebDataset. They are read inside the archive, without unpacking it."""

from __future__ import annotations

import os
import tarfile
from pathlib import PurePosixPath

from underpaint.core.errors import DataError
from underpaint.imagefiles.images import SUFFIXES
from underpaint.imagefiles.slices import ending_of, stem_of
from underpaint.shards.addresses import is_remote, opened
from underpaint.shards.items import Entries, Item, LeftOut, checked


def members(archive: str) -> Entries:
    """The images of an archive without compression. Only its headers are read, and other files are ignored.

    A damaged archive gives the images before the damage, and one entry for the rest.
    """
    at = archive if is_remote(archive) else os.path.abspath(archive)  # noqa: PTH100
    before = 0
    try:
        with opened(archive) as file, tarfile.open(fileobj=file, mode="r:") as tar:
            while (member := tar.next()) is not None:
                tar.members.clear()  # type: ignore[attr-defined]  # otherwise memory grows with the archive
                ending = ending_of(member.name)
                if member.isreg() and ending in SUFFIXES:
                    before += 1
                    name = f"{stem_of(PurePosixPath(archive).name)}/{_stem(member.name)}"
                    item = Item(name, at, member.offset_data, member.size, ending)
                    yield checked(item, f"{archive}: {member.name}")
    except (DataError, tarfile.TarError, OSError, EOFError) as error:
        said = error.what if isinstance(error, DataError) else str(error)
        yield LeftOut(
            archive,
            f"the archive cannot be read after its first {before} images: {said}; "
            "it must be a tar file without compression",
        )


def _stem(member: str) -> str:
    folder, slash, file = member.removeprefix("./").rpartition("/")
    return folder + slash + stem_of(file)
