"""Zarr folders, also OME-Zarr: the finest level, read chunk by chunk."""

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

    The axes are those that OME-Zarr or the array names. Without names, two axes are y and x; a last axis of at most 16
    counts bands; otherwise a first one of at most 16 does; and every other axis counts slices.

    Raises:
        DataError: damaged, a stack where one image is asked for, or without the extra ``zarr``.
    """
    with explained(path, WHAT):
        array, axes, names, spacing = _opened(path)
        rest = _rest(array, axes)
        total = math.prod(rest)
        if number is None and total > 1:
            raise DataError(f"{WHAT} holds {total} images", where=path, fix="name one of them, as FOLDER/0000")
        if number is not None and number >= total:
            raise DataError(f"{WHAT} holds {total} images", where=path, accepted="numbers below that")
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
    """How many images a Zarr folder holds."""
    with explained(path, WHAT):
        array, axes, _, _ = _opened(path)
        return math.prod(_rest(array, axes))


def _rest(array: Any, axes: str) -> tuple[int, ...]:
    return tuple(int(n) for a, n in zip(axes, array.shape, strict=True) if a not in "YXC")


def _opened(path: Path) -> tuple[Any, str, list[str | None], tuple[float, float] | None]:
    require_file(path, folder=True)
    zarr = library("zarr", "zarr", path, "a Zarr folder")
    held = zarr.open(str(path), mode="r")
    names: list[str | None] = []
    spacing = None
    if not hasattr(held, "shape"):
        said = dict(held.attrs)
        said = said.get("ome", said)
        scales = said.get("multiscales")
        if not scales:
            raise DataError(f"{WHAT} holds a group without an image", where=path, accepted="an array, or OME-Zarr")
        axes = "".join(_letter(axis["name"] if isinstance(axis, dict) else axis) for axis in scales[0]["axes"])
        names = [channel.get("label") for channel in said.get("omero", {}).get("channels", [])]
        finest = scales[0]["datasets"][0]
        spacing = _spacing(scales[0]["axes"], finest)
        held = held[str(finest["path"])]
    else:
        named = getattr(held.metadata, "dimension_names", None) or held.attrs.get("_ARRAY_DIMENSIONS")
        axes = "".join(map(_letter, named)) if named and all(named) else _guessed(held.shape)
    if len(axes) != len(held.shape) or len(set(axes)) != len(axes) or not {"X", "Y"} <= set(axes):
        raise DataError(f"{WHAT} has the axes {axes!r} and the shape {held.shape}", where=path, accepted="y and x")
    if math.prod(held.chunks) > MAX_PIXELS * 4:
        raise DataError(f"{WHAT} has chunks that are too large to decode", where=path, fix="save it in smaller chunks")
    return held, axes, names, spacing


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
