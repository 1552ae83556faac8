"""Files of coarse class probabilities, for images of any size and with or without a place on a map."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np

from underpaint.core.atomic import scratch_folder
from underpaint.core.classes import ClassTable
from underpaint.core.outputs import Output
from underpaint.imagefiles.mapped import Mapped
from underpaint.imagefiles.mask_tiff import write_planes_tiff, write_planes_zarr
from underpaint.imagefiles.opening import about_of, is_geo
from underpaint.imagefiles.readers.base import About, Place
from underpaint.predict.predictor import STRIDE, Coarse

PROBABILITIES = "probabilities"
"""Folder of the probabilities within the output folder."""


def probability_files(root: Path, name: str, source: Path) -> tuple[Path, ...]:
    """The files of the probabilities of an image that is read as a whole: an NPZ, and a GeoTIFF if it lies on a map.

    Args:
        root: The output folder.
        name: Name of the image.
        source: Path of the image.
    """
    base = root / PROBABILITIES
    endings = ("npz", "tif") if is_geo(source) and about_of(source).place is not None else ("npz",)
    return tuple(base / f"{name}.{ending}" for ending in endings)


def write_probabilities(
    output: Output,
    name: str,
    source: Path,
    coarse: Coarse,
    size: tuple[int, ...],
    classes: ClassTable,
    *,
    made_from: str,
) -> None:
    """Write the files of `probability_files`.

    The GeoTIFF has a band of float32 for each class.

    Args:
        output: The output folder.
        name: Name of the image.
        source: Path of the image.
        coarse: (C, ceil(H/4), ceil(W/4)) float16, from 0 to 1.
        size: (H, W) of the image.
        classes: The classes.
        made_from: As in `Output.write`.

    Raises:
        DataError: As in `Output.write`.
    """
    archive, *maps = probability_files(output.root, name, source)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, probabilities=coarse, size=np.array(size), classes=np.array(classes.names))
    output.write(archive, buffer.getvalue(), made_from=made_from)
    place = about_of(source).place if maps else None
    if place is not None:
        _write_map(output, name, place, coarse, classes, made_from)


def _write_map(
    output: Output, name: str, place: Place, coarse: Coarse | Mapped, classes: ClassTable, made_from: str
) -> None:
    a, b, c, d, e, f = place.transform
    cells = replace(place, transform=(a * STRIDE, b * STRIDE, c, d * STRIDE, e * STRIDE, f))
    path = output.root / PROBABILITIES / f"{name}.tif"
    with scratch_folder(path) as folder:
        write_planes_tiff(folder / path.name, coarse, classes.names, cells)
        output.take(path, folder / path.name, made_from=made_from)


def large_probabilities(root: Path, name: str, about: About) -> Path:
    """The probabilities of an image that is not read as a whole: a GeoTIFF if it lies on a map, else an OME-Zarr.

    Args:
        root: The output folder.
        name: Name of the image.
        about: What the image says of itself.
    """
    return root / PROBABILITIES / f"{name}.{'zarr' if about.place is None else 'tif'}"


def write_large_probabilities(
    output: Output, name: str, about: About, coarse: Mapped, classes: ClassTable, *, made_from: str
) -> None:
    """Write the file or folder of `large_probabilities`.

    Args:
        output: The output folder.
        name: Name of the image.
        about: What the image says of itself.
        coarse: (C, ceil(H/4), ceil(W/4)) float16, read from a file as needed.
        classes: The classes.
        made_from: As in `Output.write`.

    Raises:
        DataError: As in `Output.write`.
    """
    if about.place is not None:
        _write_map(output, name, about.place, coarse, classes, made_from)
        return
    path = large_probabilities(output.root, name, about)
    with scratch_folder(path) as folder:
        made = folder / path.name
        write_planes_zarr(made, coarse, classes.names, about, cell=STRIDE)
        for file in sorted(one for one in made.rglob("*") if one.is_file()):
            target = path / file.relative_to(made)
            target.parent.mkdir(parents=True, exist_ok=True)
            output.take(target, file, made_from=made_from)
