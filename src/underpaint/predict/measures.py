"""What people take from masks: areas and counts in physical units, polygons in pixels or on the map."""

from __future__ import annotations

import csv
import io
import json
import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from underpaint.annotations.geojson.write import feature
from underpaint.core.classes import ClassTable
from underpaint.hints.regions import Region
from underpaint.imagefiles.readers.base import About, library
from underpaint.predict.summary import inert

Feature = tuple[dict[str, Any], dict[str, Any]]
"""A GeoJSON geometry and its properties."""


@dataclass(frozen=True)
class Measure:
    """What an image holds of a class. ``area`` is in ``unit`` squared, or None where the image says no size."""

    image: str
    name: str
    pixels: int
    share: float
    regions: int
    area: float | None
    unit: str


def measured(
    name: str, counts: npt.NDArray[np.int64], found: Mapping[int, int], about: About, classes: ClassTable
) -> list[Measure]:
    """A line for each class of an image.

    Args:
        name: The image.
        counts: (C,) pixels of each class.
        found: How many regions each class has.
        about: What the image says of itself.
        classes: The class table.
    """
    area, total = pixel_area(about), about.pixels
    lines = []
    for index, word in enumerate(classes.names):
        pixels = int(counts[index])
        size = None if area is None else pixels * area
        unit = "" if area is None else about.unit
        lines.append(Measure(name, word, pixels, pixels / total, found.get(index, 0), size, unit))
    return lines


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
        area = "" if one.area is None else f"{one.area:.10g}"
        table.writerow([inert(one.image), inert(one.name), one.pixels, f"{one.share:.6f}", one.regions, area, one.unit])
    return text.getvalue().encode("utf-8", "backslashreplace")


def features(found: Iterable[Region], about: About, classes: ClassTable) -> Iterator[Feature]:
    """A GeoJSON geometry and its properties for each region, with its class, pixels and area.

    Without a place on a map coordinates are pixels; with one they are those of the map. Parts of a region that touch
    only at corners are polygons of one geometry.
    """
    area = pixel_area(about)
    for one in found:
        rings: Any = [[_closed(ring.tolist()) for ring in part] for part in one.parts]
        if about.place is not None:
            rings = _on_map(rings, about.place.transform)
        many = len(rings) > 1
        geometry = {"type": "MultiPolygon" if many else "Polygon", "coordinates": rings if many else rings[0]}
        said: dict[str, Any] = {"class": classes.names[one.label], "pixels": one.pixels}
        if area is not None:
            said |= {"area": one.pixels * area, "unit": f"{about.unit}2"}
        yield geometry, said


def _closed(ring: list[list[float]]) -> list[list[float]]:
    return [*ring, ring[0]]


def _on_map(coordinates: Any, transform: tuple[float, ...]) -> Any:
    if coordinates and isinstance(coordinates[0], int | float):
        (x, y), (a, b, c, d, e, f) = coordinates[:2], transform
        return [a * x + b * y + c, d * x + e * y + f]
    return [_on_map(part, transform) for part in coordinates]


def write_geojson(path: Path, found: Iterable[Feature], about: About) -> None:
    """Write a FeatureCollection, feature by feature: in pixels as QuPath imports it, or in map coordinates.

    Map coordinates have the name of their system.
    """
    head: dict[str, Any] = {"type": "FeatureCollection"}
    if about.place is None:
        head["pixelCoordinates"] = True
    elif (code := _authority(about.place.crs)) is not None:
        head["crs"] = {"type": "name", "properties": {"name": code}}
    with path.open("w", encoding="utf-8") as file:
        file.write(json.dumps(head)[:-1] + ', "features": [')
        for number, (geometry, said) in enumerate(found):
            made = feature(said["class"], geometry["type"], geometry["coordinates"])
            text = {**made, "properties": {**made["properties"], **said}}
            file.write((",\n" if number else "\n") + json.dumps(text, ensure_ascii=False, allow_nan=False))
        file.write("]}\n")


def _authority(crs: str) -> str | None:
    """The name of a coordinate system as GeoJSON of 2008 and QGIS write it."""
    rasterio = library("rasterio", "geo", Path("polygons"), "polygons on a map")
    found = rasterio.crs.CRS.from_wkt(crs).to_authority() if crs else None
    return None if found is None else f"urn:ogc:def:crs:{found[0]}::{found[1]}"


@dataclass(frozen=True)
class Layer:
    """The polygons of an image in a GeoPackage. ``shapes`` are in the binary form (WKB), a sixth of the memory."""

    name: str
    about: About
    shapes: list[bytes]
    said: list[dict[str, Any]]


def layer(name: str, found: Iterable[Feature], about: About) -> Layer:
    """The layer of an image. Raises `DataError` without the extra ``geo``."""
    shapely = library("shapely", "geo", Path("polygons"), "a GeoPackage")
    made = Layer(name, about, [], [])
    for geometry, said in found:
        made.shapes.append(shapely.to_wkb(shapely.from_geojson(json.dumps(geometry))))
        made.said.append(said)
    return made


def write_geopackage(path: Path, layers: Iterable[Layer]) -> None:
    """Write polygons of all images as one GeoPackage with a layer for each image.

    Raises:
        DataError: the extra ``geo`` is not installed.
    """
    pyogrio = library("pyogrio", "geo", path, "a GeoPackage")
    for one in layers:
        data = [
            np.array([said["class"] for said in one.said], dtype=object),
            np.array([said["pixels"] for said in one.said], dtype=np.int64),
            np.array([said.get("area", np.nan) for said in one.said], dtype=np.float64),
        ]
        place = one.about.place
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # images without a place on a map have no coordinate system
            pyogrio.raw.write(
                path,
                np.array(one.shapes, dtype=object),
                data,
                ["class", "pixels", "area"],
                layer=one.name,
                driver="GPKG",
                geometry_type="Unknown",
                crs=place.crs if place is not None and place.crs else None,
                append=path.exists(),
            )
