"""Writes masks as tiled TIFF, for GeoTIFF images and for images that are larger than the memory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from underpaint.core.classes import VOID, ClassTable
from underpaint.imagefiles.decode import Pixels
from underpaint.imagefiles.mapped import Mapped
from underpaint.imagefiles.opening import is_geo
from underpaint.imagefiles.readers.base import About, Place, Values, library
from underpaint.imagefiles.readers.geo import open_geo
from underpaint.imagefiles.readers.tiff import open_tiff

TILE = 512
"""Side of a tile of a mask in pixels."""

CHUNK = 1024
"""Side of a chunk of probabilities in cells."""

LARGE = 1 << 31
"""Uncompressed size in bytes above which the file is a BigTIFF."""


def write_mask_tiff(path: Path, labels: Pixels | Mapped, classes: ClassTable, place: Place | None) -> None:
    """Write a mask as a tiled, compressed TIFF with the colours of the classes, tile by tile.

    Args:
        path: The file, to which the caller gives a temporary name.
        labels: (H, W) uint8 class indices, 255 for void.
        classes: The class table.
        place: The position of the image on a map, for a GeoTIFF; None for other images.

    Raises:
        DataError: The extra ``geo`` is not installed, or ``tiff`` for an image without a place.
    """
    if place is not None:
        planes = labels[None] if isinstance(labels, np.ndarray) else labels.planes()
        _write_geo(path, planes, place, void=VOID, colours=_colours(classes))
        return
    tifffile = library("tifffile", "tiff", path, "a mask of a large image")
    palette = (np.array(classes.flat_palette(), np.uint16).reshape(256, 3).T * 257).astype(np.uint16)
    tifffile.imwrite(
        path,
        data=_tiles(labels),
        shape=labels.shape,
        dtype=np.uint8,
        tile=(TILE, TILE),
        compression="zlib",
        photometric="palette",
        colormap=palette,
        bigtiff=labels.size > LARGE,
    )


def mask_rows(path: Path) -> Iterator[Pixels]:
    """(at most 512, W) uint8 class indices, rows after rows, of a file of `write_mask_tiff`. Raises `DataError`."""
    with open_geo(path) if is_geo(path) else open_tiff(path, None) as image:
        height, width = image.about.size
        for top in range(0, height, TILE):
            yield image.read((top, min(height, top + TILE), 0, width))[..., 0]


def write_planes_tiff(path: Path, planes: Values | Mapped, names: tuple[str, ...], place: Place) -> None:
    """Write (C, h, w) numbers as a GeoTIFF of float32 with a named band for each."""
    _write_geo(path, planes, place, void=None, colours=None, names=names, dtype="float32")


def write_planes_zarr(path: Path, planes: Values | Mapped, names: tuple[str, ...], about: About, *, cell: int) -> None:
    """Write (C, h, w) numbers as OME-Zarr 0.4 of float32, as napari and Fiji read it.

    Args:
        path: The folder.
        planes: The numbers.
        names: The name of each plane.
        about: The metadata of the image.
        cell: Side of a cell of the planes in pixels of the image.

    Raises:
        DataError: The extra ``zarr`` is not installed.
    """
    zarr = library("zarr", "zarr", path, "a file of probabilities of a large image")
    unit = {"um": "micrometer", "mm": "millimeter"}.get(about.unit)
    height, width = about.spacing if about.spacing is not None and unit else (1.0, 1.0)
    axis = {"type": "space"} | ({"unit": unit} if about.spacing is not None and unit else {})
    scale = [1.0, cell * height, cell * width]
    group = zarr.open_group(path, mode="w", zarr_format=2)
    group.attrs["multiscales"] = [
        {
            "version": "0.4",
            "axes": [{"name": "c", "type": "channel"}, {"name": "y", **axis}, {"name": "x", **axis}],
            "datasets": [{"path": "0", "coordinateTransformations": [{"type": "scale", "scale": scale}]}],
        }
    ]
    group.attrs["omero"] = {
        "channels": [
            {"label": name, "color": "FFFFFF", "window": {"start": 0, "end": 1, "min": 0, "max": 1}} for name in names
        ]
    }
    words = {"chunks": (1, CHUNK, CHUNK), "dtype": "float32", "chunk_key_encoding": {"name": "v2", "separator": "/"}}
    array = group.create_array("0", shape=planes.shape, **words)
    for number in range(len(planes)):
        for top in range(0, planes.shape[1], CHUNK):
            array[number, top : top + CHUNK] = planes[number, top : top + CHUNK].astype(np.float32)


def _write_geo(
    path: Path,
    planes: Values | Mapped,
    place: Place,
    *,
    void: int | None,
    colours: dict[int, tuple[int, int, int, int]] | None,
    names: tuple[str, ...] = (),
    dtype: str = "uint8",
) -> None:
    rasterio = library("rasterio", "geo", path, "a mask with a place on a map")
    count, height, width = planes.shape
    profile: dict[str, Any] = {
        "driver": "GTiff",
        "height": height,
        "width": width,
        "count": count,
        "dtype": dtype,
        "crs": place.crs or None,
        "transform": rasterio.Affine(*place.transform),
        "nodata": void,
        "compress": "deflate",
        "tiled": True,
        "blockxsize": TILE,
        "blockysize": TILE,
        "BIGTIFF": "YES" if planes.size * np.dtype(dtype).itemsize > LARGE else "NO",
    }
    with rasterio.open(path, "w", **profile) as file:
        for top in range(0, height, TILE):
            part = np.ascontiguousarray(planes[:, top : top + TILE], dtype=dtype)
            file.write(part, window=((top, top + part.shape[1]), (0, width)))
        if colours is not None:
            file.write_colormap(1, colours)
        for number, name in enumerate(names, start=1):
            file.set_band_description(number, name)


def _colours(classes: ClassTable) -> dict[int, tuple[int, int, int, int]]:
    flat = classes.flat_palette()
    return {i: (flat[3 * i], flat[3 * i + 1], flat[3 * i + 2], 255) for i in range(len(flat) // 3)}


def _tiles(labels: Pixels | Mapped) -> Iterator[Pixels]:
    for top in range(0, labels.shape[0], TILE):
        for left in range(0, labels.shape[1], TILE):
            part = labels[top : top + TILE, left : left + TILE]
            yield np.pad(part, ((0, TILE - part.shape[0]), (0, TILE - part.shape[1])), constant_values=VOID)
