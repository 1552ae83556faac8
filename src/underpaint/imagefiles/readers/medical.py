"""Slices of medical volumes: NIfTI with nibabel, DICOM with pydicom."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from underpaint.core.errors import DataError
from underpaint.imagefiles.readers.base import (
    About,
    Box,
    OpenImage,
    Values,
    Whole,
    checked_about,
    explained,
    library,
    numbered,
    require_file,
)

NIFTI, DICOM = "the NIfTI file", "the DICOM file"

MAX_SLICE_BYTES = 4 << 30
"""Largest size of the values of one slice with all its bands."""


class NiftiSlice:
    """A slice of a volume. The axes of the volume are x, y, the slices and, if there is a fourth, the bands."""

    def __init__(self, about: About, volume: Any, number: int) -> None:
        self.about, self._volume, self._number = about, volume, number

    def read(self, box: Box) -> Values:
        """(h, w, B) values of a region, after the file's scale and offset."""
        top, bottom, left, right = box
        values = np.asarray(self._volume.dataobj[(slice(left, right), slice(top, bottom), *self._rest())])
        return np.ascontiguousarray(values.swapaxes(0, 1).reshape(bottom - top, right - left, -1))

    def _rest(self) -> tuple[Any, ...]:
        depth = len(self._volume.shape)
        return (self._number, slice(None))[: depth - 2]


@contextmanager
def open_nifti(path: Path, number: int | None) -> Iterator[OpenImage]:
    """Open a slice of a NIfTI volume.

    Args:
        path: The file, ``.nii`` or ``.nii.gz``.
        number: The slice along the third axis; None for the only one.

    Raises:
        DataError: The file is damaged or has another number of axes, or the extra ``medical`` is not installed.
    """
    with explained(path, NIFTI):
        volume = _volume(path)
        depth = _depth(volume)
        if number is None and depth > 1:
            raise DataError(f"{NIFTI} has {depth} slices", where=path, fix="name one of them, as FILE/0000")
        if number is not None and number >= depth:
            raise DataError(f"{NIFTI} has {depth} slices", where=path, accepted=f"0 to {depth - 1}")
        width, height = volume.shape[:2]
        bands = int(volume.shape[3]) if len(volume.shape) > 3 else 1
        scaled = tuple(volume.dataobj.slope_inter if hasattr(volume.dataobj, "slope_inter") else (1, 0)) != (1, 0)
        zooms = [float(side) for side in volume.header.get_zooms()[:2]]
        unit = volume.header.get_xyzt_units()[0] if hasattr(volume.header, "get_xyzt_units") else "unknown"
        names = {"mm": "mm", "micron": "um", "meter": "metre"}
        about = About(
            kind="NIfTI",
            size=(int(height), int(width)),
            bands=numbered(bands),
            dtype=np.dtype(np.float64) if scaled else volume.get_data_dtype().newbyteorder("="),
            colour=bands == 1,
            spacing=(zooms[1], zooms[0]) if min(zooms) > 0 else None,
            unit=names.get(unit, "mm"),
        )
        yield NiftiSlice(checked_about(about, path), volume, number or 0)


def nifti_slices(path: Path) -> int:
    """The number of slices of a NIfTI volume."""
    with explained(path, NIFTI):
        return _depth(_volume(path))


def _volume(path: Path) -> Any:
    require_file(path)
    volume = library("nibabel", "medical", path, "a NIfTI file").load(path)
    shape = volume.shape
    if not 2 <= len(shape) <= 4 or min(shape) < 1:
        raise DataError(
            f"{NIFTI} has the shape {shape}", where=path, accepted="(x, y), (x, y, slices) or one more axis"
        )
    if volume.get_data_dtype().itemsize * int(shape[0]) * int(shape[1]) > MAX_SLICE_BYTES:
        raise DataError(f"{NIFTI} has slices of {shape[0]} x {shape[1]} pixels", where=path, fix="cut it")
    return volume


def _depth(volume: Any) -> int:
    return int(volume.shape[2]) if len(volume.shape) > 2 else 1


@contextmanager
def open_dicom(path: Path, number: int | None) -> Iterator[OpenImage]:
    """Open an image of a DICOM file, which is one slice of a series or has several frames.

    The rescaling of the file is applied (Hounsfield units of CT). MONOCHROME1 is inverted, so that low values are dark.

    Raises:
        DataError: The file is damaged, has no pixels or a compression without a decoder, or the extra ``medical`` is
            not installed.
    """
    with explained(path, DICOM):
        data = _dicom(path)
        frames = int(data.get("NumberOfFrames", 1) or 1)
        if number is None and frames > 1:
            raise DataError(f"{DICOM} has {frames} frames", where=path, fix="name one of them, as FILE/0000")
        if number is not None and number >= frames:
            raise DataError(f"{DICOM} has {frames} frames", where=path, accepted=f"0 to {frames - 1}")
        samples = int(data.get("SamplesPerPixel", 1))
        height, width = int(data.Rows), int(data.Columns)
        checked_about(About("DICOM", (height, width), numbered(samples), np.dtype(np.float32)), path)
        pixels = library("pydicom.pixels", "medical", path, "a DICOM file")
        values = pixels.pixel_array(path, index=number or 0)
        if samples == 1:
            values = pixels.apply_rescale(values, data)[..., None]
            if data.get("PhotometricInterpretation") == "MONOCHROME1":
                values = values.max() + values.min() - values
        sides = data.get("PixelSpacing")
        about = About(
            kind="DICOM",
            size=(height, width),
            bands=("red", "green", "blue") if samples == 3 else numbered(samples),
            dtype=values.dtype,
            colour=samples in (1, 3),
            spacing=(float(sides[0]), float(sides[1])) if sides and len(sides) == 2 else None,
            unit="mm" if sides else "",
        )
        yield Whole(checked_about(about, path), values)


def dicom_frames(path: Path) -> int:
    """The number of frames of a DICOM file."""
    with explained(path, DICOM):
        return int(_dicom(path).get("NumberOfFrames", 1) or 1)


def _dicom(path: Path) -> Any:
    require_file(path)
    pydicom = library("pydicom", "medical", path, "a DICOM file")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        data = pydicom.dcmread(path, stop_before_pixels=True)
    if "Rows" not in data or "Columns" not in data:
        raise DataError(f"{DICOM} has no image", where=path, fix="remove it")
    return data
