"""TIFF files with a place on a map, read with rasterio: bands by name, empty pixels, region by region."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from underpaint.imagefiles.readers.base import (
    About,
    Box,
    OpenImage,
    Place,
    Values,
    checked_about,
    explained,
    library,
    require_file,
    unique,
)

WHAT = "the GeoTIFF file"

NO_PLACE = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)


class GeoImage:
    """A raster of one or several bands."""

    def __init__(self, about: About, raster: Any) -> None:
        self.about, self._raster = about, raster

    def read(self, box: Box) -> Values:
        """(h, w, B) values of a region."""
        top, bottom, left, right = box
        values = self._raster.read(window=((top, bottom), (left, right)))
        return np.ascontiguousarray(np.moveaxis(values, 0, -1))


@contextmanager
def open_geo(path: Path) -> Iterator[OpenImage]:
    """Open a GeoTIFF. Raises `DataError` if it is damaged or the extra ``geo`` is not installed."""
    with _raster(path) as raster:
        yield GeoImage(checked_about(_about(raster), path), raster)


def place_of(path: Path) -> Place | None:
    """The position of a GeoTIFF on a map; None if the file does not state it."""
    with _raster(path) as raster:
        return _place(raster)


@contextmanager
def _raster(path: Path) -> Iterator[Any]:
    require_file(path)
    rasterio = library("rasterio", "geo", path, "a GeoTIFF file")
    # GDAL must not search for other files in the folder. Its warnings are not needed, because rasterio raises errors.
    with warnings.catch_warnings(), explained(path, WHAT):
        warnings.simplefilter("ignore")
        environment = rasterio.Env(GDAL_DISABLE_READDIR_ON_OPEN="EMPTY_DIR", GDAL_CACHEMAX=128)
        with environment, rasterio.open(path, driver="GTiff") as raster:
            yield raster


def _about(raster: Any) -> About:
    place = _place(raster)
    interpretation = [colour.name for colour in raster.colorinterp]
    named = [text or (name if name in ("red", "green", "blue", "alpha", "nir") else None)
             for text, name in zip(raster.descriptions, interpretation, strict=True)]  # fmt: skip
    sides = None
    if place is not None:
        a, b, _, d, e, _ = place.transform
        sides = (float(np.hypot(b, e)), float(np.hypot(a, d)))
    return About(
        kind="GeoTIFF",
        size=(raster.height, raster.width),
        bands=unique(named, raster.count),
        dtype=np.result_type(*raster.dtypes),
        colour=(interpretation[:3] == ["red", "green", "blue"] and interpretation[3:] in ([], ["alpha"]))
        or raster.count == 1,
        spacing=sides,
        unit=place.unit if place is not None else "",
        place=place,
        void=raster.nodata,
        by_regions=True,
    )


def _place(raster: Any) -> Place | None:
    transform = tuple(float(number) for number in tuple(raster.transform)[:6])
    if raster.crs is None and transform == NO_PLACE:
        return None
    if raster.crs is None:
        return Place("", transform, "")  # type: ignore[arg-type]  # six numbers
    unit = raster.crs.linear_units if raster.crs.is_projected else "degree"
    return Place(raster.crs.to_wkt(), transform, str(unit))  # type: ignore[arg-type]  # six numbers
