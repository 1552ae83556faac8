"""Decodes one photograph and its label files, and collects what the findings need. Runs in any process."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile

from underpaint.core.classes import VOID, ClassTable
from underpaint.core.errors import DataError
from underpaint.core.regular import open_regular
from underpaint.doctor.signature import SIDE, signature
from underpaint.imagefiles.decode import MAX_BYTES, MAX_PIXELS, opened, orientation_of
from underpaint.imagefiles.depth import is_deep
from underpaint.imagefiles.images import image_size, read_rgb
from underpaint.imagefiles.masks import FORMATS as MASK_FORMATS
from underpaint.imagefiles.masks import LabelFile, mask_size
from underpaint.imagefiles.opening import about_of, kind_of
from underpaint.imagefiles.photograph import FORMATS, read_deep
from underpaint.imagefiles.slices import file_and_slice

NO_LIMIT = 1 << 62
"""A limit in pixels that no image reaches: the size is compared here, to tell an oversized file from a broken one."""

CHUNK = 32
"""Photographs sent to a process at a time: about 20 ms of decoding, against 0.3 ms for sending them."""

DIGEST = 16
"""Bytes of a digest: two of 2**32 different files agree with a chance of 2**-65."""


DEEP = "16 bits"
"""`Seen.stored` of a photograph with 16 bits for each channel."""


class Fault(StrEnum):
    """Why a file cannot be used."""

    UNREADABLE = "unreadable"
    OVERSIZED = "oversized"
    SIZE = "size"
    VALUES = "values"
    AMBIGUOUS = "ambiguous"


@dataclass(frozen=True)
class Job:
    """A photograph to examine, and its label files."""

    name: str
    photograph: Path
    labels: tuple[LabelFile, ...]
    classes: ClassTable


@dataclass(frozen=True)
class LabelsSeen:
    """A label file: what is wrong with it, or its pixels of each class, void last: (C + 1,)."""

    fault: Fault | None = None
    detail: str = ""
    pixels: npt.NDArray[np.int64] | None = None


@dataclass(frozen=True)
class Seen:
    """The result of examining a photograph.

    Args:
        name: Of the photograph.
        labels: Its label files, in the order of the job.
        fault: Why it cannot be used, or None.
        detail: The fault in words.
        fix: What to do about it.
        size: (H, W) upright, where the header could be read.
        turned: Whether its EXIF orientation turns or mirrors it.
        largest: The largest value of a photograph of 16 bits; None for others.
        stored: What the file holds where reading changes it, such as "CMYK"; "" for 8-bit RGB and grey.
        digest: Of the file's bytes.
        signature: Perceptual hash of the upright picture; None where it is flat, or could not be read.
        holds: Kind, bands, type and size of a pixel of an image that another library than Pillow reads.
    """

    name: str
    labels: tuple[LabelsSeen, ...] = ()
    fault: Fault | None = None
    detail: str = ""
    fix: str = ""
    size: tuple[int, int] | None = None
    turned: bool = False
    stored: str = ""
    largest: int | None = None
    digest: bytes = b""
    signature: bytes | None = None
    holds: str = ""


def look(job: Job) -> Seen:
    """Decode the photograph to its last byte, and its label files.

    A JPEG is decoded at a reduced scale, in brightness alone: libjpeg then reads every coefficient, and so meets every
    fault of the file, but skips most of the arithmetic. Other formats have no such way.
    """
    seen = _photograph(job.name, job.photograph)
    labels = tuple(look_at_labels(file, job.classes, seen.size) for file in job.labels)
    return Seen(**{**vars(seen), "labels": labels})


def crashed(job: Job) -> Seen:
    """The result of a job on which a process died."""
    return Seen(job.name, fault=Fault.UNREADABLE, detail="the process that decoded it died")


def _photograph(name: str, path: Path) -> Seen:
    size: tuple[int, int] | None = None
    try:
        file, number = file_and_slice(path)
        if number is not None or kind_of(file):
            return _by_its_library(name, path)
        size = image_size(path, max_pixels=NO_LIMIT)
        if size[0] * size[1] > MAX_PIXELS:
            return Seen(name, fault=Fault.OVERSIZED, detail=f"{size[1]} x {size[0]} pixels", size=size)
        with opened(path, FORMATS, max_pixels=NO_LIMIT) as image:
            orientation, stored = orientation_of(image), _stored(image)
            # Draft mode decodes a JPEG whole, at the smallest scale that still has SIDE pixels each way.
            grey = _small(image) if isinstance(image, JpegImageFile) else None
        largest = None
        if grey is None:
            # The one rule of training, for what it refuses; it is upright already.
            grey, upright = _shrunk(Image.fromarray(read_rgb(path))), 1
            values = read_deep(path) if stored == DEEP else None
            largest = None if values is None else int(values.max())
        else:
            upright = orientation
        with open_regular(path, max_bytes=MAX_BYTES) as stream:
            digest = hashlib.file_digest(stream, lambda: hashlib.blake2b(digest_size=DIGEST)).digest()
    except DataError as error:
        if isinstance(error.__cause__, Image.DecompressionBombError):
            return Seen(name, fault=Fault.OVERSIZED, detail=str(error.__cause__))
        return Seen(name, fault=Fault.UNREADABLE, detail=error.what, fix=error.fix or "", size=size)
    except OSError as error:
        return Seen(name, fault=Fault.UNREADABLE, detail=str(error.strerror or error), size=size)
    square = turned(np.asarray(grey), upright)
    return Seen(
        name,
        size=size,
        turned=orientation != 1,
        stored=stored,
        largest=largest,
        digest=digest,
        signature=signature(square),
    )


def _by_its_library(name: str, path: Path) -> Seen:
    """An image that another library than Pillow reads: decoded as a whole where memory holds it."""
    about = about_of(path)
    grey = None if about.pixels > MAX_PIXELS else np.asarray(_shrunk(Image.fromarray(read_rgb(path))))
    file, number = file_and_slice(path)
    digest = b""
    if file.is_file() and file.stat().st_size <= MAX_BYTES:
        content = hashlib.blake2b(digest_size=DIGEST)
        with open_regular(file, max_bytes=MAX_BYTES) as stream:
            hashlib.file_digest(stream, lambda: content)
        content.update(b"" if number is None else str(number).encode())
        digest = content.digest()
    scale = "" if about.spacing is None else f", {about.spacing[1]:.4g} x {about.spacing[0]:.4g} {about.unit} a pixel"
    holds = f"{about.kind}, {len(about.bands)} band(s) of {about.dtype.name}{scale}"
    hashed = None if grey is None else signature(grey)
    return Seen(name, size=about.size, digest=digest, signature=hashed, holds=holds)


def _small(image: JpegImageFile) -> Image.Image:
    image.draft("L", (SIDE, SIDE))
    image.load()
    return _shrunk(image)


def _shrunk(image: Image.Image) -> Image.Image:
    return image.convert("L").resize((SIDE, SIDE), Image.Resampling.BOX)


def _stored(image: Image.Image) -> str:
    """The property of the file that reading as 8-bit RGB changes."""
    if getattr(image, "is_animated", False):
        return "several pictures in one file"
    if is_deep(image):
        return DEEP
    kinds = {"RGB": "", "L": "", "1": "1 bit", "P": "palette", "LA": "alpha", "RGBA": "alpha", "CMYK": "CMYK"}
    return kinds.get(image.mode, image.mode)


def turned(square: npt.NDArray[np.uint8], orientation: int) -> npt.NDArray[np.uint8]:
    """A square picture turned upright from EXIF orientation 1..8."""
    if orientation in (5, 6, 7, 8):
        square = square.T
    if orientation in (2, 3, 6, 7):
        square = square[:, ::-1]
    if orientation in (3, 4, 7, 8):
        square = square[::-1]
    return square


def look_at_labels(file: LabelFile, classes: ClassTable, size: tuple[int, int] | None) -> LabelsSeen:
    """Decode a label file by the rule of training, and count its pixels; what it refuses is named by its kind."""
    try:
        stored = mask_size(file.path)
        if size is not None and stored != size:
            detail = f"{stored[1]} x {stored[0]} pixels, the photograph {size[1]} x {size[0]} (width x height)"
            return LabelsSeen(Fault.SIZE, f"{detail}, the sides swapped" if stored == size[::-1] else detail)
        index = file.read(classes)
    except DataError as error:
        return LabelsSeen(_why(file, classes), _in_one_line(error))
    counts = np.bincount(index.ravel(), minlength=VOID + 1)
    return LabelsSeen(pixels=counts[[*range(len(classes)), VOID]])


def _why(file: LabelFile, classes: ClassTable) -> Fault:
    """Whether a refused label file is ambiguous, decodes to wrong values, or does not decode."""
    try:
        file.read(classes, stated=True)
        return Fault.AMBIGUOUS
    except DataError:
        pass
    try:
        with opened(file.path, MASK_FORMATS, max_pixels=MAX_PIXELS) as image:
            image.load()
        return Fault.VALUES
    except DataError:
        return Fault.UNREADABLE


def _in_one_line(error: DataError) -> str:
    """What is wrong and the fix, without the place, which the finding names."""
    fix = [line.strip() for line in str(error).splitlines()[1:] if line.startswith("  fix: ")]
    return "; ".join([error.what, *fix])


def pixel_digest(path: Path) -> bytes:
    """Digest of the upright pixels and their shape, which no re-packing of the file changes; b"" where unreadable."""
    try:
        pixels = read_rgb(path)
    except DataError:
        return b""
    return hashlib.blake2b(pixels.tobytes() + str(pixels.shape).encode(), digest_size=DIGEST).digest()
