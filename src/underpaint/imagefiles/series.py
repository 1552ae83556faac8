"""DICOM files that are slices of volumes: which files belong together, their order, and missing slices."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from underpaint.imagefiles.readers.base import installed

ENDINGS = (".dcm", ".dicom")

TAGS = [
    "SeriesInstanceUID",
    "SeriesNumber",
    "SeriesDescription",
    "Modality",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "InstanceNumber",
    "Rows",
    "Columns",
    "NumberOfFrames",
]

WIDE = 1.5
"""If two slices are farther apart than this multiple of the usual distance, slices between them are missing."""

SHOWN = 5
"""Number of gaps that are named."""


_Key = tuple[int, str, tuple[float, ...], tuple[int, int]]
"""Number and UID of a series, its orientation, and its size."""


@dataclass(frozen=True)
class Series:
    """Images of one volume.

    Args:
        title: Modality, number and description, if the files state them.
        names: The images from the first slice to the last.
        step: The usual distance of two slices in mm; None if the files do not state positions.
        missing: The missing slices in words, such as "2 between a/03 and a/04".
    """

    title: str
    names: tuple[str, ...]
    step: float | None
    missing: tuple[str, ...]


@dataclass(frozen=True)
class _Slice:
    """The header of a file: its series, and its position in the series."""

    name: str
    series: _Key
    title: str
    along: float | None
    number: int | None


def series_in(images: Mapping[str, Path]) -> list[Series]:
    """The DICOM series among images, folder by folder, from the headers.

    Slices belong to one series if they have the same ``SeriesInstanceUID``, orientation and size, so that a scout image
    is separated from the volume. They are ordered by ``ImagePositionPatient`` along the normal of the slices (DICOM
    PS3.3, C.7.6.2); if this is missing or equal, by ``InstanceNumber``, and then by name.

    Args:
        images: The images by name. Files of several frames, and files that cannot be read, are not in a series.
    """
    if not installed("pydicom"):
        return []
    found: dict[tuple[str, _Key], list[_Slice]] = {}
    for name, path in images.items():
        if path.name.lower().endswith(ENDINGS) and (one := _slice(name, path)) is not None:
            found.setdefault((name.rpartition("/")[0], one.series), []).append(one)
    return [_series(found[key]) for key in sorted(found)]


def in_series_order(images: dict[str, Path]) -> dict[str, Path]:
    """Return the same images, in which the slices of each DICOM series are in the order of the volume."""
    ordered = [name for one in series_in(images) for name in one.names]
    if not ordered:
        return images
    folders: dict[str, list[str]] = {}
    for name in ordered:
        folders.setdefault(name.rpartition("/")[0], []).append(name)
    among = frozenset(ordered)
    queues = {folder: iter(names) for folder, names in folders.items()}
    every = [next(queues[name.rpartition("/")[0]]) if name in among else name for name in images]
    return {name: images[name] for name in every}


def _slice(name: str, path: Path) -> _Slice | None:
    import pydicom

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            data = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=list(TAGS))
            if not data.get("SeriesInstanceUID") or int(data.get("NumberOfFrames", 1) or 1) > 1:
                return None
            turned = _numbers(data.get("ImageOrientationPatient"), 6)
            place = _numbers(data.get("ImagePositionPatient"), 3)
            along = None
            if turned is not None and place is not None:
                along = float(np.dot(np.cross(turned[:3], turned[3:]), place))
            axes = () if turned is None else tuple(round(float(value), 2) + 0.0 for value in turned)
            series = int(data.get("SeriesNumber") or 0)
            words = [str(data.get("Modality") or ""), str(series or ""), str(data.get("SeriesDescription") or "")]
            key = (series, str(data.SeriesInstanceUID), axes, (int(data.get("Rows", 0)), int(data.get("Columns", 0))))
            number = data.get("InstanceNumber")
            title = " ".join(word for word in words if word)
            return _Slice(name, key, title or "series", along, None if number is None else int(number))
    except Exception:  # damaged headers raise any kind of exception; the reader of the image reports them
        return None


def _numbers(values: Any, count: int) -> np.ndarray | None:
    """Convert ``count`` finite numbers, or return None."""
    if values is None or len(values) != count:
        return None
    numbers = np.array([float(value) for value in values])
    return numbers if np.isfinite(numbers).all() else None


def _series(slices: list[_Slice]) -> Series:
    placed = all(one.along is not None for one in slices)

    def place(one: _Slice) -> tuple[float, float, str]:
        along = round(one.along, 3) if placed and one.along is not None else 0.0
        return along, float("inf") if one.number is None else one.number, one.name

    ordered = sorted(slices, key=place)
    names = tuple(one.name for one in ordered)
    if placed:
        steps = [float(other.along or 0) - float(one.along or 0) for one, other in pairwise(ordered)]
        real = [step for step in steps if step > 1e-3]
        usual = median(real) if real else None
        gaps = [0 if usual is None or step < WIDE * usual else round(step / usual) - 1 for step in steps]
        return Series(ordered[0].title, names, usual, _gaps(names, gaps))
    numbers = [one.number for one in ordered if one.number is not None]
    whole = len(numbers) == len(ordered)
    gaps = [max(0, other - one - 1) for one, other in pairwise(numbers)] if whole else []
    return Series(ordered[0].title, names, None, _gaps(names, gaps))


def _gaps(names: tuple[str, ...], counts: Iterable[int]) -> tuple[str, ...]:
    """The positions of missing slices, in words."""
    found = [
        f"{count} between {one} and {other}"
        for one, other, count in zip(names, names[1:], counts, strict=False)
        if count
    ]
    return (*found[:SHOWN], f"and {len(found) - SHOWN} more gaps") if len(found) > SHOWN else tuple(found)
