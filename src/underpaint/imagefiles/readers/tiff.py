"""TIFF files that Pillow does not read: many bands, floating point, stacks, pyramids, files larger than the memory."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from underpaint.core.errors import DataError
from underpaint.imagefiles.decode import MAX_PIXELS
from underpaint.imagefiles.readers.base import (
    About,
    Box,
    OpenImage,
    Values,
    checked_about,
    explained,
    library,
    require_file,
    unique,
)

logging.getLogger("tifffile").setLevel(logging.CRITICAL)  # for a damaged file this package raises its own error

WHAT = "the TIFF file"

BANDS = "CS"
"""Axes of tifffile that are bands: channels, and samples of a pixel. All axes except these, Y and X count slices."""

MICRONS = {"µm": 1.0, "μm": 1.0, "um": 1.0, "micron": 1.0, "microns": 1.0, "nm": 1e-3, "mm": 1e3, "cm": 1e4, "m": 1e6}


class TiffImage:
    """A page or slice of a TIFF file, read tile by tile or strip by strip."""

    def __init__(self, about: About, array: Any, axes: str, index: tuple[int, ...]) -> None:
        self.about, self._array, self._axes, self._index = about, array, axes, index

    def read(self, box: Box) -> Values:
        """(h, w, B) values of a region."""
        top, bottom, left, right = box
        cut = {"Y": slice(top, bottom), "X": slice(left, right)}
        number = iter(self._index)
        chosen = tuple(cut[a] if a in cut else slice(None) if a in BANDS else next(number) for a in self._axes)
        kept = [a for a in self._axes if a in cut or a in BANDS]
        values = np.asarray(self._array[chosen])
        order = [kept.index("Y"), kept.index("X"), *(i for i, a in enumerate(kept) if a in BANDS)]
        return values.transpose(order).reshape(bottom - top, right - left, -1)


@contextmanager
def open_tiff(path: Path, number: int | None) -> Iterator[OpenImage]:
    """Open an image of a TIFF file, of which only the requested regions are decoded.

    Args:
        path: The file.
        number: The slice; None for the only one.

    Raises:
        DataError: The file is damaged, it is a stack and ``number`` is None, or the extra ``tiff`` is not installed.
    """
    require_file(path)
    tifffile = library("tifffile", "tiff", path, "this TIFF file")
    zarr = library("zarr", "tiff", path, "this TIFF file")
    with explained(path, WHAT), tifffile.TiffFile(path) as file:
        series = _checked_series(file, path)
        about, rest = _about(file, series, path), _slices(series)
        if number is None and math.prod(rest) > 1:
            raise DataError(
                f"the TIFF file is a stack of {math.prod(rest)} images",
                where=path,
                fix="give the folder of the file, or one of its images as FILE/0000",
            )
        if number is not None and number >= math.prod(rest):
            last = math.prod(rest) - 1
            raise DataError(f"the stack has {math.prod(rest)} images", where=path, accepted=f"0 to {last}")
        index = np.unravel_index(number or 0, rest) if rest else ()
        array = zarr.open(series.aszarr(level=0), mode="r")
        yield TiffImage(about, array, series.axes, tuple(int(i) for i in index))


def count_slices(path: Path) -> int:
    """The number of images in a TIFF file. Raises `DataError` as `open_tiff`."""
    require_file(path)
    tifffile = library("tifffile", "tiff", path, "a TIFF file of several pages")
    with explained(path, WHAT), tifffile.TiffFile(path) as file:
        return math.prod(_slices(_checked_series(file, path)))


def _checked_series(file: Any, path: Path) -> Any:
    series = file.series[0]
    if not {"X", "Y"} <= set(series.axes) or series.dtype is None:
        raise DataError(f"{WHAT} has no image (axes {series.axes})", where=path, fix="replace or remove the file")
    page = series.keyframe
    if page is None or math.prod(page.chunks) > MAX_PIXELS * 4:
        raise DataError(f"{WHAT} has tiles that are too large to decode", where=path, fix="save it with smaller tiles")
    return series


def _slices(series: Any) -> tuple[int, ...]:
    """The length of each axis that counts slices, in order."""
    return tuple(int(n) for a, n in zip(series.axes, series.shape, strict=True) if a not in "YX" + BANDS)


def _about(file: Any, series: Any, path: Path) -> About:
    sides = dict(zip(series.axes, (int(n) for n in series.shape), strict=True))
    count = math.prod(n for a, n in sides.items() if a in BANDS)
    page = series.keyframe
    names, spacing = _described(file)
    colour = page.photometric.name in ("RGB", "YCBCR", "PALETTE") and count in (1, 3, 4)
    kind = "OME-TIFF" if file.is_ome else "ImageJ TIFF" if file.is_imagej else "TIFF"
    if len(series.levels) > 1:
        kind += f" pyramid of {len(series.levels)} levels"
    if colour and count >= 3:
        names = [*("red", "green", "blue", "alpha")[:count]]
    about = About(
        kind=kind,
        size=(sides["Y"], sides["X"]),
        bands=unique(names, count),
        dtype=np.dtype(series.dtype),
        colour=colour or count == 1,
        spacing=spacing,
        unit="um" if spacing else "",
        by_regions=True,
    )
    return checked_about(about, path)


def _described(file: Any) -> tuple[list[str | None], tuple[float, float] | None]:
    """The names of the channels and (height, width) of a pixel in micrometres, from the metadata of OME or ImageJ."""
    if file.is_ome and file.ome_metadata:
        return _ome(file.ome_metadata)
    if file.is_imagej:
        metadata, tags = file.imagej_metadata or {}, file.pages[0].tags
        scale = MICRONS.get(str(metadata.get("unit", "")).replace("\\u00B5", "µ"))
        if scale is not None and "XResolution" in tags and "YResolution" in tags:
            per = [tags[name].value for name in ("YResolution", "XResolution")]
            height, width = (scale * low / high if high else 0.0 for high, low in per)
            return [], (height, width) if height > 0 and width > 0 else None
    return [], None


def _ome(text: str) -> tuple[list[str | None], tuple[float, float] | None]:
    from defusedxml.ElementTree import fromstring

    pixels = next((e for e in fromstring(text).iter() if e.tag.rpartition("}")[2] == "Pixels"), None)
    if pixels is None:
        return [], None
    names = [e.get("Name") for e in pixels.iter() if e.tag.rpartition("}")[2] == "Channel"]
    sides = []
    for axis in "YX":
        scale, value = MICRONS.get(pixels.get(f"PhysicalSize{axis}Unit", "µm")), pixels.get(f"PhysicalSize{axis}")
        sides.append(scale * float(value) if scale is not None and value is not None else 0.0)
    return names, (sides[0], sides[1]) if all(0 < s < math.inf for s in sides) else None
