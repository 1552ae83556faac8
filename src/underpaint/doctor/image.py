"""Decodes one photograph and its label files, and collects the values that the findings need."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
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
"""A limit in pixels that no image reaches. The size is checked later, to distinguish large files from broken ones."""

CHUNK = 32
"""Number of photographs that are sent to a process at a time: this takes 0.3 ms, and their decoding about 20 ms."""

DIGEST = 16
"""Number of bytes of a digest. Among 2**32 different files, two have the same digest with probability 2**-65."""


DEEP = "16 bits"
"""The value of `ExaminedImage.stored` for a photograph with 16 bits per channel."""


class Fault(StrEnum):
    """The reason why a file cannot be used."""

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
class ExaminedLabels:
    """The result for a label file: its fault, or (C + 1,) the number of pixels of each class, void last."""

    fault: Fault | None = None
    detail: str = ""
    pixels: npt.NDArray[np.int64] | None = None


@dataclass(frozen=True)
class ExaminedImage:
    """The result for a photograph.

    Args:
        name: The name of the photograph.
        labels: The results for its label files, in the order of the job.
        fault: The reason why it cannot be used, or None.
        detail: The fault in words.
        fix: What the user can do.
        size: (H, W) of the upright image, if the header could be read.
        turned: Whether its EXIF orientation rotates or mirrors it.
        largest: The largest value of a photograph of 16 bits; None for others.
        stored: The stored type if it is changed by reading, such as "CMYK"; "" for 8-bit RGB and grey.
        digest: A digest of the bytes of the file.
        signature: The perceptual hash of the upright picture; None if it has one colour, or could not be read.
        holds: Kind, bands, type and pixel size of an image that Pillow does not read.
    """

    name: str
    labels: tuple[ExaminedLabels, ...] = ()
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


def examine_image(job: Job) -> ExaminedImage:
    """Decode a photograph completely, and its label files.

    A JPEG is decoded at a reduced scale and only in brightness. Then libjpeg reads every coefficient, and thus finds
    every fault of the file, but skips most of the computation. This is not possible for other formats.
    """
    examined = _photograph(job.name, job.photograph)
    labels = tuple(examine_labels(file, job.classes, examined.size) for file in job.labels)
    return replace(examined, labels=labels)


def crashed(job: Job) -> ExaminedImage:
    """The result of a job whose process died."""
    return ExaminedImage(job.name, fault=Fault.UNREADABLE, detail="the process that decoded it died")


def _photograph(name: str, path: Path) -> ExaminedImage:
    size: tuple[int, int] | None = None
    try:
        file, number = file_and_slice(path)
        if number is not None or kind_of(file):
            return _by_its_library(name, path)
        size = image_size(path, max_pixels=NO_LIMIT)
        if size[0] * size[1] > MAX_PIXELS:
            return ExaminedImage(name, fault=Fault.OVERSIZED, detail=f"{size[1]} x {size[0]} pixels", size=size)
        with opened(path, FORMATS, max_pixels=NO_LIMIT) as image:
            orientation, stored = orientation_of(image), _stored(image)
            # Draft mode decodes a complete JPEG at the smallest scale with at least SIDE pixels in each direction.
            grey = _small(image) if isinstance(image, JpegImageFile) else None
        largest = None
        if grey is None:
            # The function that a training uses, so that the same files are refused. Its result is upright.
            grey, upright = _shrunk(Image.fromarray(read_rgb(path))), 1
            values = read_deep(path) if stored == DEEP else None
            largest = None if values is None else int(values.max())
        else:
            upright = orientation
        with open_regular(path, max_bytes=MAX_BYTES) as stream:
            digest = hashlib.file_digest(stream, lambda: hashlib.blake2b(digest_size=DIGEST)).digest()
    except DataError as error:
        if isinstance(error.__cause__, Image.DecompressionBombError):
            return ExaminedImage(name, fault=Fault.OVERSIZED, detail=str(error.__cause__))
        return ExaminedImage(name, fault=Fault.UNREADABLE, detail=error.what, fix=error.fix or "", size=size)
    except OSError as error:
        return ExaminedImage(name, fault=Fault.UNREADABLE, detail=str(error.strerror or error), size=size)
    square = turned(np.asarray(grey), upright)
    return ExaminedImage(
        name,
        size=size,
        turned=orientation != 1,
        stored=stored,
        largest=largest,
        digest=digest,
        signature=signature(square),
    )


def _by_its_library(name: str, path: Path) -> ExaminedImage:
    """The result for an image that Pillow does not read. It is decoded unless it is too large."""
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
    return ExaminedImage(name, size=about.size, digest=digest, signature=hashed, holds=holds)


def _small(image: JpegImageFile) -> Image.Image:
    image.draft("L", (SIDE, SIDE))
    image.load()
    return _shrunk(image)


def _shrunk(image: Image.Image) -> Image.Image:
    return image.convert("L").resize((SIDE, SIDE), Image.Resampling.BOX)


def _stored(image: Image.Image) -> str:
    """The property of the file that is lost when it is read as 8-bit RGB."""
    if getattr(image, "is_animated", False):
        return "several pictures in one file"
    if is_deep(image):
        return DEEP
    kinds = {"RGB": "", "L": "", "1": "1 bit", "P": "palette", "LA": "alpha", "RGBA": "alpha", "CMYK": "CMYK"}
    return kinds.get(image.mode, image.mode)


def turned(square: npt.NDArray[np.uint8], orientation: int) -> npt.NDArray[np.uint8]:
    """Rotate a square picture upright from EXIF orientation 1..8."""
    if orientation in (5, 6, 7, 8):
        square = square.T
    if orientation in (2, 3, 6, 7):
        square = square[:, ::-1]
    if orientation in (3, 4, 7, 8):
        square = square[::-1]
    return square


def examine_labels(file: LabelFile, classes: ClassTable, size: tuple[int, int] | None) -> ExaminedLabels:
    """Decode a label file as a training does, and count its pixels, or state the kind of its fault."""
    try:
        stored = mask_size(file.path)
        if size is not None and stored != size:
            detail = f"{stored[1]} x {stored[0]} pixels, the photograph {size[1]} x {size[0]} (width x height)"
            swapped = f"{detail}, the sides are swapped"
            return ExaminedLabels(Fault.SIZE, swapped if stored == size[::-1] else detail)
        index = file.read(classes)
    except DataError as error:
        return ExaminedLabels(_fault(file, classes), _in_one_line(error))
    counts = np.bincount(index.ravel(), minlength=VOID + 1)
    return ExaminedLabels(pixels=counts[[*range(len(classes)), VOID]])


def _fault(file: LabelFile, classes: ClassTable) -> Fault:
    """Whether a refused label file is ambiguous, has wrong values, or cannot be decoded."""
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
    """The problem and the fix, without the place, which is in the finding."""
    fix = [line.strip() for line in str(error).splitlines()[1:] if line.startswith("  fix: ")]
    return "; ".join([error.what, *fix])


def pixel_digest(path: Path) -> bytes:
    """A digest of the upright pixels and their shape, independent of the file format; b"" if it cannot be read."""
    try:
        pixels = read_rgb(path)
    except DataError:
        return b""
    return hashlib.blake2b(pixels.tobytes() + str(pixels.shape).encode(), digest_size=DIGEST).digest()
