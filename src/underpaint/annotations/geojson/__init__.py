"""GeoJSON in pixels."""

from __future__ import annotations

from underpaint.annotations.format import Format
from underpaint.annotations.geojson.read import is_geojson, read_geojson
from underpaint.annotations.geojson.write import write_geojson
from underpaint.hints.parts import Part

__all__ = ["FORMAT", "is_geojson", "read_geojson", "write_geojson"]

FORMAT = Format(
    name="geojson",
    title="GeoJSON in pixels",
    layout="a .geojson file per image",
    sniff=is_geojson,
    read=lambda path, reading: read_geojson(path, left_out=reading.left_out, images=reading.images),
    holds=frozenset({Part.POLYGONS, Part.HOLES, Part.CLICKS, Part.SCRIBBLES, Part.IGNORED}),
    as_pixels=frozenset({Part.BITMAPS}),
    writer=lambda path, hints, writing: write_geojson(path, hints, file=writing.file),
)
