"""What people take from masks: areas and counts in physical units, polygons in pixels or on the map."""

from __future__ import annotations

import csv
import io
import json
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from underpaint.annotations.geojson.write import feature
from underpaint.core.classes import ClassTable
from underpaint.hints.outline import outline
from underpaint.hints.rasterise import bitmap_of
from underpaint.imagefiles.readers.base import About, library
from underpaint.predict.summary import inert

Mask = npt.NDArray[np.uint8]

Region = tuple[dict[str, Any], dict[str, Any]]
"""A GeoJSON geometry and its properties."""

CORNERS = np.ones((3, 3), int)
"""Pixels that touch at a side or at a corner belong to one region."""

COUNTED = 100_000_000
"""Pixels of an image above which its regions are not found, since they are found in the whole of it."""


@dataclass(frozen=True)
class Instance:
    """A connected region of one class.

    Args:
        label: Index of the class.
        pixels: How many it has.
        y, x: The corner of its rectangle.
        inside: (h, w) bool, its pixels in this rectangle.
    """

    label: int
    pixels: int
    y: int
    x: int
    inside: npt.NDArray[np.bool_]


def instances(labels: Mask, classes: Iterable[int], *, least: int = 1, fill: int = 0) -> Iterator[Instance]:
    """The connected regions of a mask (H, W), class by class, from top to bottom.

    Args:
        labels: Class indices.
        classes: The classes whose regions are wanted.
        least: Regions of fewer pixels are left out.
        fill: Holes of at most so many pixels are filled.
    """
    for label in classes:
        numbers, _ = ndimage.label(labels == label, CORNERS)
        for number, place in enumerate(ndimage.find_objects(numbers), start=1):
            if place is None:
                continue
            inside = numbers[place] == number
            pixels = int(inside.sum())
            if pixels < least:
                continue
            whole = _filled(inside, fill) if fill else inside
            yield Instance(label, int(whole.sum()), place[0].start, place[1].start, whole)


def _filled(inside: npt.NDArray[np.bool_], most: int) -> npt.NDArray[np.bool_]:
    """The region without its holes of at most ``most`` pixels. Pixels of a hole touch at their sides."""
    holes, _ = ndimage.label(ndimage.binary_fill_holes(inside) & ~inside)
    small = np.bincount(holes.ravel()) <= most
    small[0] = False
    return np.asarray(inside | small[holes])


@dataclass(frozen=True)
class Measure:
    """What an image holds of a class. ``area`` is in ``unit`` squared, or None where the image says no size."""

    image: str
    name: str
    pixels: int
    share: float
    regions: int | None
    area: float | None
    unit: str


def measured(name: str, labels: Mask, about: About, classes: ClassTable, *, least: int = 1) -> list[Measure]:
    """A line for each class of an image; regions of fewer than ``least`` pixels are not counted."""
    counts = np.zeros(256, np.int64)
    for top in range(0, labels.shape[0], 1024):  # a large mask is mapped from a file
        counts += np.bincount(labels[top : top + 1024].ravel(), minlength=256)
    area = pixel_area(about)
    found = []
    for index, word in enumerate(classes.names):
        regions = None
        if labels.size <= COUNTED:
            regions = sum(1 for _ in instances(labels, [index], least=least))
        pixels = int(counts[index])
        size = None if area is None else pixels * area
        found.append(Measure(name, word, pixels, pixels / labels.size, regions, size, about.unit if area else ""))
    return found


def pixel_area(about: About) -> float | None:
    """Of a pixel, in the squared unit of the image; None where it says none, or degrees."""
    if about.place is not None:
        return None if about.unit in ("", "degree") else about.place.pixel_area
    return None if about.spacing is None or not about.unit else about.spacing[0] * about.spacing[1]


def measures_csv(measures: Iterable[Measure]) -> bytes:
    """A table with a line for each image and class, as UTF-8; names that a spreadsheet would run are made inert."""
    text = io.StringIO(newline="")
    table = csv.writer(text)
    table.writerow(["image", "class", "pixels", "share", "regions", "area", "unit"])
    for one in measures:
        cells = ["" if value is None else value for value in (one.regions, one.area and f"{one.area:.10g}")]
        table.writerow([inert(one.image), inert(one.name), one.pixels, f"{one.share:.6f}", *cells, one.unit])
    return text.getvalue().encode("utf-8", "backslashreplace")


def polygons(
    labels: Mask, about: About, classes: ClassTable, *, least: int = 1, fill: int = 0, simplify: float = 0.0
) -> list[Region]:
    """A GeoJSON geometry and its properties for each region of the classes that are not background.

    Without a place on a map coordinates are pixels; with one they are those of the map. Rings follow the edges of the
    pixels, so that they cover the same pixels; with ``simplify`` they lie at most so many pixels away from them
    (Douglas and Peucker, 1973) and may touch each other.

    Args:
        labels: (H, W) class indices.
        about: What the image says of itself.
        classes: The class table.
        least: As in `instances`.
        fill: As in `instances`.
        simplify: In pixels.

    Raises:
        DataError: simplified polygons without the extra ``geo``.
    """
    found = []
    area = pixel_area(about)
    for one in instances(labels, classes.foreground, least=least, fill=fill):
        bitmap = bitmap_of(classes.names[one.label], one.inside, x=one.x, y=one.y)
        assert bitmap is not None  # a region has pixels
        rings = [[_closed(p.ring), *map(_closed, p.holes)] for p in outline(bitmap)]
        geometry = {"type": "Polygon", "coordinates": rings[0]}
        if len(rings) > 1:
            geometry = {"type": "MultiPolygon", "coordinates": rings}
        if simplify:
            geometry = _simplified(geometry, simplify)
        if about.place is not None:
            geometry = {**geometry, "coordinates": _on_map(geometry["coordinates"], about.place.transform)}
        said: dict[str, Any] = {"class": classes.names[one.label], "pixels": one.pixels}
        if area is not None:
            said |= {"area": one.pixels * area, "unit": f"{about.unit}2"}
        found.append((geometry, said))
    return found


def _closed(ring: Iterable[tuple[float, float]]) -> list[list[float]]:
    points = [list(point) for point in ring]
    return [*points, points[0]]


def _simplified(geometry: dict[str, Any], tolerance: float) -> dict[str, Any]:
    shapely = library("shapely", "geo", Path("polygons"), "a simplified polygon")
    simple = shapely.from_geojson(json.dumps(geometry)).simplify(tolerance)
    made: dict[str, Any] = json.loads(shapely.to_geojson(simple))
    return made


def _on_map(coordinates: Any, transform: tuple[float, ...]) -> Any:
    if coordinates and isinstance(coordinates[0], int | float):
        (x, y), (a, b, c, d, e, f) = coordinates[:2], transform
        return [a * x + b * y + c, d * x + e * y + f]
    return [_on_map(part, transform) for part in coordinates]


def polygons_geojson(found: Iterable[Region], about: About) -> bytes:
    """A FeatureCollection: in pixels as QuPath imports it, or in map coordinates with the name of their system."""
    features = []
    for geometry, said in found:
        made = feature(said["class"], geometry["type"], geometry["coordinates"])
        features.append({**made, "properties": {**made["properties"], **said}})
    head: dict[str, Any] = {"type": "FeatureCollection"}
    if about.place is None:
        head["pixelCoordinates"] = True
    elif (code := _authority(about.place.crs)) is not None:
        head["crs"] = {"type": "name", "properties": {"name": code}}
    return (json.dumps({**head, "features": features}, ensure_ascii=False, allow_nan=False) + "\n").encode()


def _authority(crs: str) -> str | None:
    """The name of a coordinate system as GeoJSON of 2008 and QGIS write it."""
    rasterio = library("rasterio", "geo", Path("polygons"), "polygons on a map")
    found = rasterio.crs.CRS.from_wkt(crs).to_authority() if crs else None
    return None if found is None else f"urn:ogc:def:crs:{found[0]}::{found[1]}"


def write_geopackage(path: Path, layers: Iterable[tuple[str, Sequence[Region], About]]) -> None:
    """Write polygons of all images as one GeoPackage with a layer for each image.

    Raises:
        DataError: the extra ``geo`` is not installed.
    """
    pyogrio = library("pyogrio", "geo", path, "a GeoPackage")
    shapely = library("shapely", "geo", path, "a GeoPackage")
    for name, found, about in layers:
        shapes = np.array([shapely.to_wkb(shapely.from_geojson(json.dumps(g))) for g, _ in found], dtype=object)
        columns = ["class", "pixels", "area"]
        data = [
            np.array([said["class"] for _, said in found], dtype=object),
            np.array([said["pixels"] for _, said in found], dtype=np.int64),
            np.array([said.get("area", np.nan) for _, said in found], dtype=np.float64),
        ]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # images without a place on a map have no coordinate system
            pyogrio.raw.write(
                path,
                shapes,
                data,
                columns,
                layer=name,
                driver="GPKG",
                geometry_type="Unknown",
                crs=about.place.crs if about.place is not None and about.place.crs else None,
                append=path.exists(),
            )
