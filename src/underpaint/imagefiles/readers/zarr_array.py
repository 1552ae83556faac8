"""Zarr folders including OME-Zarr: the finest level, read chunk by chunk."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from underpaint.core.errors import DataError
from underpaint.imagefiles.decode import MAX_PIXELS
from underpaint.imagefiles.readers.base import (
    MAX_BANDS,
    About,
    OpenImage,
    checked_about,
    explained,
    library,
    require_file,
    unique,
)
from underpaint.imagefiles.readers.tiff import MICRONS, TiffImage

WHAT = "the Zarr folder"

UNITS = {"micrometer": "um", "nanometer": "nm", "millimeter": "mm", "meter": "m"}


@contextmanager
def open_zarr(path: Path, number: int | None) -> Iterator[OpenImage]:
    """Open an image of a Zarr folder.

    The axes are those named by OME-Zarr or the array. Without names, two axes are y and x. Of three axes, the last one
    counts bands if its length is at most 16, or else the first one; if both are longer, the first one counts slices.
    More axes are time, z, bands, y and x.

    Raises:
        DataError: The folder is damaged, it is a stack and ``number`` is None, or the extra ``zarr`` is not installed.
    """
    with explained(path, WHAT):
        array, axes, names, spacing = _opened(path)
        rest = _rest(array, axes)
        total = math.prod(rest)
        if number is None and total > 1:
            raise DataError(f"{WHAT} has {total} images", where=path, fix="name one of them, as FOLDER/0000")
        if number is not None and number >= total:
            raise DataError(f"{WHAT} has {total} images", where=path, accepted=f"0 to {total - 1}")
        sides = dict(zip(axes, (int(n) for n in array.shape), strict=True))
        count = sides.get("C", 1)
        about = About(
            kind="Zarr",
            size=(sides["Y"], sides["X"]),
            bands=unique(names, count),
            dtype=np.dtype(array.dtype),
            colour=count == 1 or (axes[-1] == "C" and count in (3, 4) and array.dtype == np.uint8),
            spacing=spacing,
            unit="um" if spacing else "",
            by_regions=True,
        )
        index = tuple(int(i) for i in np.unravel_index(number or 0, rest)) if rest else ()
        yield TiffImage(checked_about(about, path), array, axes, index)


def zarr_slices(path: Path) -> int:
    """The number of images in a Zarr folder."""
    with explained(path, WHAT):
        array, axes, _, _ = _opened(path)
        return math.prod(_rest(array, axes))


def _rest(array: Any, axes: str) -> tuple[int, ...]:
    return tuple(int(n) for a, n in zip(axes, array.shape, strict=True) if a not in "YXC")


def _opened(path: Path) -> tuple[Any, str, list[str | None], tuple[float, float] | None]:
    require_file(path, folder=True)
    zarr = library("zarr", "zarr", path, "a Zarr folder")
    node = zarr.open(str(path), mode="r")
    names: list[str | None] = []
    spacing = None
    if not hasattr(node, "shape"):
        attributes = dict(node.attrs)
        attributes = attributes.get("ome", attributes)
        scales = attributes.get("multiscales")
        if not scales:
            raise DataError(f"{WHAT} is a group without an image", where=path, accepted="an array, or OME-Zarr")
        axes = "".join(_letter(axis["name"] if isinstance(axis, dict) else axis) for axis in scales[0]["axes"])
        names = [channel.get("label") for channel in attributes.get("omero", {}).get("channels", [])]
        finest = scales[0]["datasets"][0]
        spacing = _spacing(scales[0]["axes"], finest)
        node = node[str(finest["path"])]
    else:
        named = getattr(node.metadata, "dimension_names", None) or node.attrs.get("_ARRAY_DIMENSIONS")
        axes = "".join(map(_letter, named)) if named and all(named) else _guessed(node.shape)
    if len(axes) != len(node.shape) or len(set(axes)) != len(axes) or not {"X", "Y"} <= set(axes):
        raise DataError(f"{WHAT} has the axes {axes!r} and the shape {node.shape}", where=path, accepted="y and x")
    if math.prod(node.chunks) > MAX_PIXELS * 4:
        raise DataError(f"{WHAT} has chunks that are too large to decode", where=path, fix="save it in smaller chunks")
    return node, axes, names, spacing


def _letter(name: str) -> str:
    word = str(name).lower()
    return {"channel": "C", "channels": "C", "band": "C", "bands": "C"}.get(word, word[:1].upper())


def _guessed(shape: tuple[int, ...]) -> str:
    if len(shape) == 2:
        return "YX"
    if len(shape) == 3:
        return "YXC" if shape[2] <= MAX_BANDS else "CYX" if shape[0] <= MAX_BANDS else "ZYX"
    return "TZCYX"[-len(shape) :]


def _spacing(axes: Any, finest: Any) -> tuple[float, float] | None:
    """(height, width) of a pixel in micrometres."""
    scale = next((t["scale"] for t in finest.get("coordinateTransformations", []) if t.get("type") == "scale"), None)
    found = {}
    for axis, length in zip(axes, scale or [], strict=False):
        unit = MICRONS.get(UNITS.get(str(axis.get("unit")), "")) if isinstance(axis, dict) else None
        if unit is not None and float(length) > 0:
            found[str(axis["name"]).upper()] = unit * float(length)
    return (found["Y"], found["X"]) if {"X", "Y"} <= found.keys() else None
