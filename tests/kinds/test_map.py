"""Masks of images with a place on a map, and what people make of masks, read back with the libraries that they use."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyogrio
import pytest
import rasterio
import rasterio.features
import rasterio.warp
import shapely
import torch
from PIL import Image
from rasterio.transform import from_origin
from scipy import ndimage

from underpaint import read_hints
from underpaint.annotations.geojson.read import read_geojson
from underpaint.core.classes import ClassTable
from underpaint.core.errors import DataError
from underpaint.hints.regions import regions
from underpaint.hints.types import Polygon
from underpaint.imagefiles.opening import about_of
from underpaint.models.config import ModelConfig
from underpaint.models.network import Network
from underpaint.predict import PredictConfig, Predictor, Wanted, predict_folder
from underpaint.predict.measures import features

CLASSES = ClassTable.of(["background", "field", "water"])


@pytest.fixture
def charts(tmp_path: Path) -> Path:
    """A GeoTIFF of three bands in metres, and a photograph."""
    (tmp_path / "images").mkdir()
    rng = np.random.default_rng(4)
    smooth = ndimage.zoom(rng.random((3, 9, 11)), (1, 10, 10), order=1)
    values = (smooth * 255).astype(np.uint8)
    words: dict[str, Any] = {"crs": "EPSG:32632", "transform": from_origin(500_000, 5_300_000, 2, 2)}
    path = tmp_path / "images" / "map.tif"
    with rasterio.open(path, "w", "GTiff", 110, 90, 3, dtype="uint8", photometric="RGB", **words) as file:
        file.write(values)
    Image.fromarray(np.moveaxis(values, 0, -1)).save(tmp_path / "images" / "photo.png")
    return tmp_path / "images"


def predicted(charts: Path, out: Path, **wanted: Any) -> np.ndarray:
    torch.manual_seed(1)
    network = Network(ModelConfig(architecture="fpn", width=32, weights="none"), 3)
    made = Predictor(network, PredictConfig())
    summary = predict_folder(made, charts, out, CLASSES, probabilities=True, wanted=Wanted(**wanted))
    assert (summary.written, dict(summary.skipped)) == (2, {})
    return np.asarray(Image.open(out / "photo.png"))


def test_masks_of_maps_keep_their_place(charts: Path, tmp_path: Path) -> None:
    labels = predicted(charts, tmp_path / "masks")
    with rasterio.open(tmp_path / "masks" / "map.tif") as mask:
        assert mask.crs.to_epsg() == 32632
        assert tuple(mask.transform)[:6] == (2, 0, 500_000, 0, -2, 5_300_000)
        np.testing.assert_array_equal(mask.read(1), labels)
        assert [mask.colormap(1)[i][:3] for i in range(3)] == list(CLASSES.colours[:3])
    with rasterio.open(tmp_path / "masks" / "probabilities" / "map.tif") as planes:
        assert planes.descriptions == CLASSES.names
        assert (planes.height, planes.width, planes.res) == (23, 28, (8, 8))
        np.testing.assert_allclose(planes.read().sum(0), 1, atol=5e-3)


@pytest.mark.parametrize("form", ["geojson", "gpkg"])
def test_polygons_have_the_areas_of_the_map(charts: Path, tmp_path: Path, form: str) -> None:
    labels = predicted(charts, tmp_path / "masks", polygons=form, measures=True, overlay=True)
    if form == "gpkg":
        crs, shapes, names, areas = _layer(tmp_path / "masks" / "polygons.gpkg", "map")
    else:
        crs, shapes, names, areas = _layer(tmp_path / "masks" / "polygons" / "map.geojson", None)
    assert crs == "EPSG:32632"
    np.testing.assert_allclose([shape.area for shape in shapes], areas)
    for index, name in enumerate(CLASSES.names[1:], start=1):
        mine = [shape for shape, said in zip(shapes, names, strict=True) if said == name]
        assert sum(shape.area for shape in mine) == pytest.approx((labels == index).sum() * 4.0)
        if mine:
            burnt = rasterio.features.rasterize(mine, (90, 110), transform=from_origin(500_000, 5_300_000, 2, 2))
            np.testing.assert_array_equal(burnt == 1, labels == index)
    with (tmp_path / "masks" / "measures.csv").open(newline="") as file:
        rows = {(row["image"], row["class"]): row for row in csv.DictReader(file)}
    water = rows[("map", "water")]
    assert (int(water["pixels"]), water["unit"]) == (int((labels == 2).sum()), "metre")
    assert float(water["area"]) == pytest.approx((labels == 2).sum() * 4.0)
    assert int(water["regions"]) == ndimage.label(labels == 2, np.ones((3, 3)))[1]
    assert rows[("photo", "water")]["area"] == ""
    with Image.open(tmp_path / "masks" / "overlays" / "map.png") as drawn:
        assert drawn.size == (110, 90)
    assert (tmp_path / "masks" / "overlays.png").is_file()


def _layer(path: Path, layer: str | None) -> tuple[str, list[Any], list[str], list[float]]:
    meta, _, geometry, columns = pyogrio.raw.read(path, layer=layer)
    held = dict(zip(meta["fields"], columns, strict=True))
    return meta["crs"], [shapely.from_wkb(g) for g in geometry], list(held["class"]), list(held["area"])


def test_polygons_of_photographs_are_pixels_as_qupath_reads_them(charts: Path, tmp_path: Path) -> None:
    predicted(charts, tmp_path / "masks", polygons="geojson")
    content = json.loads((tmp_path / "masks" / "polygons" / "photo.geojson").read_text())
    assert content["pixelCoordinates"] is True
    assert {f["properties"]["classification"]["name"] for f in content["features"]} <= {"field", "water"}


def test_small_regions_go_and_small_holes_are_filled(tmp_path: Path) -> None:
    labels = np.zeros((20, 20), np.uint8)
    labels[2:12, 2:12] = 1
    labels[4, 4] = labels[7:10, 7:10] = 0  # holes of 1 and 9 pixels
    labels[15, 15] = 1
    Image.new("RGB", (20, 20)).save(tmp_path / "a.png")
    about = about_of(tmp_path / "a.png")
    (only,) = features(regions([labels], [1], outlined=[1], least=2, fill=4), about, CLASSES)
    assert shapely.from_geojson(json.dumps(only[0])).area == 91


@pytest.mark.parametrize("form", ["GeoJSON", "GPKG"])
def test_strokes_in_map_coordinates_reach_the_pixels_of_every_image(charts: Path, tmp_path: Path, form: str) -> None:
    # In degrees, while the images are in metres: two lines and an area that leaves the image.
    def degrees(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
        xs, ys = zip(*((500_000 + 2 * x, 5_300_000 - 2 * y) for x, y in points), strict=True)
        return list(zip(*rasterio.warp.transform("EPSG:32632", "EPSG:4326", xs, ys), strict=True))

    shapes = [
        shapely.LineString(degrees([(10, 10), (60, 20)])),
        shapely.Polygon(degrees([(80, 60), (140, 60), (140, 80), (80, 80)])),
        shapely.Point(degrees([(400, 400)])[0]),
    ]
    names = np.array(["field", "water", "field"], dtype=object)
    path = tmp_path / ("strokes.geojson" if form == "GeoJSON" else "strokes.gpkg")
    pyogrio.raw.write(
        path, shapely.to_wkb(shapes), [names], ["class"], driver=form, geometry_type="Unknown", crs="EPSG:4326"
    )
    (charts.parent / "classes.txt").write_text("background\nfield\nwater\n")
    found = read_hints(path, charts.parent)
    assert set(found) == {"map"}
    (line,) = found["map"].scribbles
    np.testing.assert_allclose(line.points, [(10, 10), (60, 20)], atol=0.01)
    (area,) = found["map"].regions
    assert isinstance(area, Polygon)
    assert shapely.Polygon(area.ring).area == pytest.approx(30 * 20, rel=1e-3)  # cut at the border of 110 pixels
    assert not found["map"].clicks


def test_shapes_of_a_map_without_images_on_it_are_refused(tmp_path: Path) -> None:
    shapes = shapely.to_wkb([shapely.Point(1, 1)])
    pyogrio.raw.write(
        tmp_path / "a.gpkg",
        shapes,
        [np.array(["x"], dtype=object)],
        ["class"],
        driver="GPKG",
        geometry_type="Point",
        crs="EPSG:4326",
    )
    with pytest.raises(DataError, match="no image has a place on a map"):
        read_geojson(tmp_path / "a.gpkg", images={})
