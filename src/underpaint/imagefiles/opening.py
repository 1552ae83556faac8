"""Opens an image file with the reader for its format: Pillow's formats, TIFF, slides, volumes, Zarr and HEIC."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import numpy as np
from PIL.TiffImagePlugin import TiffImageFile

from underpaint.core.errors import DataError
from underpaint.core.regular import open_regular
from underpaint.imagefiles.decode import MAX_PIXELS, opened
from underpaint.imagefiles.photograph import photograph_about, photograph_bands
from underpaint.imagefiles.readers.base import About, OpenImage, Whole, installed
from underpaint.imagefiles.readers.geo import open_geo
from underpaint.imagefiles.readers.heic import open_heic
from underpaint.imagefiles.readers.medical import dicom_frames, nifti_slices, open_dicom, open_nifti
from underpaint.imagefiles.readers.slide import open_slide
from underpaint.imagefiles.readers.tiff import count_slices, open_tiff
from underpaint.imagefiles.readers.zarr_array import open_zarr, zarr_slices
from underpaint.imagefiles.refusals import BANDS, BITS, PHOTOMETRIC, PLANES, tiff_tags
from underpaint.imagefiles.slices import ending_of, file_and_slice

TIFF = (".tif", ".tiff")

ENDINGS = {
    ".nii": "nifti",
    ".nii.gz": "nifti",
    ".dcm": "dicom",
    ".dicom": "dicom",
    ".zarr": "zarr",
    ".heic": "heic",
    ".heif": "heic",
    ".svs": "slide",
    ".ndpi": "slide",
    ".scn": "slide",
    ".bif": "slide",
}
"""Kinds of files by their ending, by which their libraries recognise them as well."""

GEO_TAGS = (33550, 33922, 34264, 34735)
"""Tags of a TIFF file with a place on a map: pixel scale, tie points, transformation, keys (GeoTIFF 1.1)."""

ANY_BYTES = 1 << 62
"""No limit, because the memory does not depend on the size of a file that is read by regions."""

NO_LIMIT = 1 << 62

SLICES: dict[str, Callable[[Path], int]] = {"nifti": nifti_slices, "dicom": dicom_frames, "zarr": zarr_slices}


def kind_of(file: Path) -> str:
    """``nifti``, ``dicom``, ``zarr``, ``heic``, ``slide``; ``geo`` or ``tiff`` for TIFF beyond Pillow; else ``""``."""
    ending = ending_of(file.name)
    if ending not in TIFF:
        return ENDINGS.get(ending, "")
    return _tiff_kind(file) if _beyond_pillow(file) else ""


def is_geo(file: Path) -> bool:
    """Whether a file is a TIFF with a place on a map, and rasterio is there to read it."""
    if file.suffix.lower() not in TIFF or not installed("rasterio"):
        return False
    tags = _tags(file)
    return tags is not None and any(tag in tags for tag in GEO_TAGS)


def _tiff_kind(file: Path) -> str:
    return "geo" if is_geo(file) else "tiff"


def _tags(file: Path) -> dict[int, object] | None:
    """The tags of the first page; None if they cannot be read."""
    try:
        with open_regular(file, max_bytes=ANY_BYTES) as stream, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tags = tiff_tags(stream)
            return {**dict(tags), 0: tags.next} if 256 in tags else None
    except Exception:  # a damaged directory raises anything
        return None


def _beyond_pillow(file: Path) -> bool:
    """Whether a TIFF file is valid, but Pillow cannot read it as a photograph."""
    try:
        with opened(file, ("TIFF",), max_pixels=NO_LIMIT) as image:
            assert isinstance(image, TiffImageFile)  # the only format asked for
            tags = image.tag_v2
            bands, apart = int(tags.get(BANDS, 1)), tags.get(PLANES, 1) == 2
            unmarked = bands > 2 and tags.get(PHOTOMETRIC) in (0, 1)
            deep = max(tags.get(BITS, (1,))) > 8
            return bool(
                getattr(image, "is_animated", False)
                or image.mode in ("F", "I")
                or image.size[0] * image.size[1] > MAX_PIXELS
                or unmarked
                or (apart and deep and bands > 1)
            )
    except DataError:
        return _tags(file) is not None


@contextmanager
def open_image(path: Path, *, header: bool = False, max_pixels: int = MAX_PIXELS) -> Iterator[OpenImage]:
    """Open an image file with the library of its kind.

    Args:
        path: The file, or a slice of it (`underpaint.imagefiles.slices`).
        header: Read only the metadata and no values.
        max_pixels: The limit of an image that is read as a whole.

    Raises:
        DataError: The file is missing, damaged or too large, or its library is not installed; the message then names
            the extra that installs it.
    """
    file, number = file_and_slice(path)
    kind = kind_of(file) or ("tiff" if number is not None else "")
    if not kind and file.suffix.lower() in TIFF and not header and installed("tifffile"):
        kind = _tiff_kind(file) if _tags(file) is not None else ""  # with the bands that Pillow ignores
    if not kind and is_geo(file):
        kind = "geo"
    if kind:
        with _reader(kind, file, number, header=header) as image:
            yield image
        return
    if header:
        about = photograph_about(file, max_pixels=max_pixels)
        yield Whole(about, np.empty((0, 0, len(about.bands)), about.dtype))
    else:
        yield Whole(*photograph_bands(file, max_pixels=max_pixels))


def _reader(kind: str, file: Path, number: int | None, *, header: bool) -> AbstractContextManager[OpenImage]:
    if kind == "nifti":
        return open_nifti(file, number)
    if kind == "dicom":
        return open_dicom(file, number)
    if kind == "zarr":
        return open_zarr(file, number)
    if kind == "heic":
        return open_heic(file, header=header)
    if kind == "slide":
        return open_slide(file)
    return open_geo(file) if kind == "geo" else open_tiff(file, number)


def about_of(path: Path) -> About:
    """The metadata of an image file from its header. Raises `DataError` as `open_image`."""
    with open_image(path, header=True, max_pixels=NO_LIMIT) as image:
        return image.about


def slices_in(file: Path) -> int:
    """The number of images in a file; 1 for a file that cannot be opened, which is reported when it is read."""
    kind = ENDINGS.get(ending_of(file.name), "")
    try:
        if kind in SLICES:
            return SLICES[kind](file)
        if file.suffix.lower() in TIFF and (_tags(file) or {}).get(0) and installed("tifffile") and not is_geo(file):
            return count_slices(file)
    except DataError:
        return 1
    return 1
