"""Hints in map coordinates (GeoJSON that names its coordinate system, and GeoPackage), converted to image pixels.

One layer may cover many images: each image gets the shapes that overlap it, cut at its border.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from underpaint.core.errors import DataError, FormatError
from underpaint.imagefiles.opening import about_of, is_geo
from underpaint.imagefiles.readers.base import About, explained, library, require_file

GEOPACKAGE = ".gpkg"

CLASS_FIELDS = ("class", "label", "classification", "name")
"""Columns of a layer that may contain the class, in the order in which they are tried."""

MAX_BYTES = 256 << 20
"""Largest size of a GeoPackage, as for annotation files of many images."""

Feature = dict[str, Any]


@dataclass(frozen=True)
class Layer:
    """Shapes in one coordinate system.

    Args:
        crs: The coordinate system in a form that rasterio accepts.
        features: GeoJSON features.
    """

    crs: str
    features: list[Feature]


def is_geopackage(path: Path) -> bool:
    """Whether a file is a GeoPackage, which is a database of SQLite."""
    if path.suffix.lower() != GEOPACKAGE or not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(16) == b"SQLite format 3\0"


def named_crs(content: Any) -> str | None:
    """The coordinate system that a GeoJSON text names, as QGIS and GDAL write it; None where it names none."""
    crs = content.get("crs") if isinstance(content, dict) else None
    name = crs.get("properties", {}).get("name") if isinstance(crs, dict) else None
    return name if isinstance(name, str) else None


def geopackage_layers(path: Path) -> list[Layer]:
    """The layers of a GeoPackage.

    Raises:
        FormatError: a layer without a coordinate system or without a column for the class.
        DataError: damaged, too large, or without the extra ``geo``.
    """
    require_file(path)
    pyogrio = library("pyogrio", "geo", path, "a GeoPackage")
    shapely = library("shapely", "geo", path, "a GeoPackage")
    if path.stat().st_size > MAX_BYTES:
        raise DataError("the GeoPackage is too large", where=path, accepted=f"at most {MAX_BYTES} bytes")
    with explained(path, "the GeoPackage"):
        found = []
        for name, _ in pyogrio.list_layers(path):
            meta, _, shapes, columns = pyogrio.raw.read(path, layer=name)
            if shapes is None:  # a table without shapes
                continue
            if not meta["crs"]:
                raise FormatError(f"the layer {name!r} names no coordinate system", where=path, fix="set it in QGIS")
            fields = {str(field).lower(): column for field, column in zip(meta["fields"], columns, strict=True)}
            word = next((field for field in CLASS_FIELDS if field in fields), None)
            if word is None:
                accepted = f"a column named {', '.join(CLASS_FIELDS)}"
                raise FormatError(f"the layer {name!r} has no column for the class", where=path, accepted=accepted)
            features = [
                {"properties": {"class": name}, "geometry": json.loads(shapely.to_geojson(shapely.from_wkb(shape)))}
                for shape, name in zip(shapes, fields[word], strict=True)
                if shape is not None
            ]
            found.append(Layer(str(meta["crs"]), features))
        return found


def placed(images: Mapping[str, Path], path: Path) -> dict[str, About]:
    """The images with a place on a map.

    Raises:
        DataError: There is none, so that the positions of the shapes are unknown.
    """
    found = {name: about_of(file) for name, file in images.items() if is_geo(file)}
    known = {name: about for name, about in found.items() if about.place is not None and about.place.crs}
    if not known:
        raise DataError(
            "the shapes are in map coordinates, and no image has a place on a map",
            where=path,
            accepted="a data set with GeoTIFF images, and the extra geo",
            fix="give the file as --hints of such a data set; pip install 'underpaint[geo]'",
        )
    return known


def on_image(layer: Layer, about: About, path: Path) -> Iterator[Feature]:
    """The features that overlap an image, in its pixels and cut at its border.

    Raises:
        DataError: The coordinate system is unknown, or a shape is not a valid geometry.
    """
    rasterio = library("rasterio", "geo", path, "a file in map coordinates")
    warp = library("rasterio.warp", "geo", path, "a file in map coordinates")
    shapely = library("shapely", "geo", path, "a file in map coordinates")
    affinity = library("shapely.affinity", "geo", path, "a file in map coordinates")
    assert about.place is not None  # `placed` returns only such images
    a, b, c, d, e, f = tuple(~rasterio.Affine(*about.place.transform))[:6]
    frame = shapely.box(0, 0, about.size[1], about.size[0])
    with explained(path, "a shape in map coordinates"):
        for feature in layer.features:
            geometry = feature.get("geometry") if isinstance(feature, dict) else None
            if not geometry:
                continue
            moved = warp.transform_geom(layer.crs, about.place.crs, geometry)
            shape = affinity.affine_transform(shapely.from_geojson(json.dumps(moved)), [a, b, d, e, c, f])
            shape = shapely.intersection(shapely.make_valid(shape), frame)
            if not shape.is_empty:
                yield {**feature, "geometry": json.loads(shapely.to_geojson(shape))}
