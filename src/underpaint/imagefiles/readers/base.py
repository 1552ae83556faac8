"""The interface of the readers of image files: metadata of the file, and the values of a region."""

from __future__ import annotations

import importlib
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from underpaint.core.errors import DataError, UnderpaintError
from underpaint.imagefiles.decode import MAX_PIXELS, MAX_SIDE
from underpaint.imagefiles.refusals import COPY_AGAIN, DAMAGED

Values = npt.NDArray[Any]

MAX_BANDS = 16
"""Largest number of bands. A file with more is a spectrum or a stack, for which the networks were not tested."""

Affine = tuple[float, float, float, float, float, float]
"""a, b, c, d, e, f with ``x = a column + b row + c`` and ``y = d column + e row + f``, of the corner of a pixel."""


@dataclass(frozen=True)
class Place:
    """The position of an image on a map.

    Args:
        crs: The coordinate reference system as WKT; empty if the file does not name one.
        transform: The transformation from pixels to map coordinates.
        unit: The unit of the coordinates, such as "metre" or "degree".
    """

    crs: str
    transform: Affine
    unit: str

    @property
    def pixel_area(self) -> float:
        """Area of a pixel in squared units of the map."""
        a, b, _, d, e, _ = self.transform
        return abs(a * e - b * d)


@dataclass(frozen=True)
class About:
    """The metadata of an image file, from its header.

    Args:
        kind: The kind of file in words, such as "OME-TIFF".
        size: (H, W) in pixels.
        bands: The name of each band; "1", "2" and so on if the file does not name them.
        dtype: The type of the stored values.
        colour: Whether the image is a colour image (RGB or RGBA) or a grey image.
        spacing: Height and width of a pixel in ``unit``; None if the file does not state them.
        unit: The unit of ``spacing``, such as "um", "mm" or "metre".
        place: The position on a map; None for other images.
        void: The value of pixels without data, or None.
        by_regions: Whether a region can be read without the rest of the image.
    """

    kind: str
    size: tuple[int, int]
    bands: tuple[str, ...]
    dtype: np.dtype[Any]
    colour: bool = False
    spacing: tuple[float, float] | None = None
    unit: str = ""
    place: Place | None = None
    void: float | None = None
    by_regions: bool = False

    @property
    def pixels(self) -> int:
        """H times W."""
        return self.size[0] * self.size[1]


Box = tuple[int, int, int, int]
"""Top, bottom, left and right of a region in pixels, inside the image."""


class OpenImage(Protocol):
    """An opened image."""

    @property
    def about(self) -> About:
        """The metadata of the file."""

    def read(self, box: Box) -> Values:
        """(h, w, B) stored values of a region, of ``about.dtype``."""


@dataclass(frozen=True)
class Whole:
    """An image that its library can only read as a whole."""

    about: About
    values: Values

    def read(self, box: Box) -> Values:
        """(h, w, B) values of a region."""
        top, bottom, left, right = box
        return self.values[top:bottom, left:right]


def library(module: str, extra: str, path: Path | str, what: str) -> ModuleType:
    """Import a library of an extra of this package, when a file needs it.

    Args:
        module: The import name of the library.
        extra: The extra that installs it.
        path: The file that needs it.
        what: The kind of file in words.

    Raises:
        DataError: The library is not installed; the message names the extra.
    """
    try:
        return importlib.import_module(module)
    except ImportError:
        raise DataError(
            f"{what} needs the library {module.partition('.')[0]}, which is not installed",
            where=path,
            fix=f"pip install 'underpaint[{extra}]'",
        ) from None


def installed(module: str) -> bool:
    """Whether a library can be imported, without importing it."""
    try:
        return find_spec(module) is not None
    except ValueError:  # the module was disabled
        return False


@contextmanager
def explained(path: Path, what: str) -> Iterator[None]:
    """Turn any exception of a library for a damaged file into a `DataError` that names the file."""
    try:
        yield
    except (UnderpaintError, MemoryError):
        raise
    except Exception as error:  # for damaged files libraries raise any kind of exception
        raise DataError(f"{what} {DAMAGED}", where=path, fix=COPY_AGAIN) from error


def require_file(path: Path, *, folder: bool = False) -> None:
    """Refuse pipes, devices and sockets before a library opens them; ``folder`` allows a folder."""
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        missing = isinstance(error, FileNotFoundError | NotADirectoryError)
        what = "the image file is missing" if missing else f"the image file cannot be opened: {reason}"
        raise DataError(what, where=path, fix="replace or remove the file") from None
    if not (stat.S_ISREG(mode) or (folder and stat.S_ISDIR(mode))):
        raise DataError("this is not a regular file", where=path, fix="replace or remove the file")


def checked_about(about: About, path: Path) -> About:
    """Return the metadata if a training can use such an image.

    Raises:
        DataError: The image has no pixels, its sides or number of bands are above the limit, its values are not real
            numbers, or it can only be read as a whole and has too many pixels.
    """
    height, width = about.size
    if min(height, width) < 1:
        raise DataError("the image has no pixels", where=path, fix="replace or remove the file")
    if max(height, width) > MAX_SIDE:
        what = f"the image has {width} x {height} pixels"
        raise DataError(what, where=path, accepted=f"at most {MAX_SIDE:,} pixels a side", fix="cut it into tiles")
    if not 1 <= len(about.bands) <= MAX_BANDS:
        raise DataError(
            f"the image has {len(about.bands)} bands",
            where=path,
            accepted=f"1 to {MAX_BANDS}",
            fix="save the bands that you need as a file of their own",
        )
    if about.dtype.kind not in "buif":
        raise DataError(
            f"the values are of type {about.dtype}",
            where=path,
            accepted="whole or floating point numbers",
            fix="save the part that you need, such as the magnitude of complex values, as float32",
        )
    if not about.by_regions and about.pixels > MAX_PIXELS:
        raise DataError(
            f"the image has {width} x {height} pixels (width x height), in a format that is only read as a whole",
            where=path,
            accepted=f"at most {MAX_PIXELS:,} pixels",
            fix="save it as a tiled TIFF, or cut it into tiles",
        )
    return about


def numbered(count: int) -> tuple[str, ...]:
    """The names of bands if the file does not name them."""
    return tuple(str(number) for number in range(1, count + 1))


def unique(names: list[str | None], count: int) -> tuple[str, ...]:
    """Return ``count`` different names: those of the file, or numbers if these are missing or repeated."""
    tidy = [" ".join(name.split()) if isinstance(name, str) else "" for name in names]
    return tuple(tidy) if len(tidy) == count == len({*tidy}) and all(tidy) else numbered(count)
