"""From files of each kind and hints on them to masks, as the recipes on the page say."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
import rasterio
import tifffile
from PIL import Image
from rasterio.transform import from_origin
from scipy import ndimage
from shapely.geometry import shape

import underpaint
from underpaint.hints.types import Click, Hints

Scene = tuple[np.ndarray, np.ndarray]


def blobs(seed: int, size: tuple[int, int], radius: float = 12) -> Scene:
    """(H, W) brightness in [0, 1] and the mask of round objects on a textured ground."""
    rng = np.random.default_rng(seed)
    marks = np.ones(size, bool)
    marks[rng.integers(0, size[0], 14), rng.integers(0, size[1], 14)] = False
    inside = ndimage.distance_transform_edt(marks) < radius
    texture = ndimage.gaussian_filter(rng.random(size), 2)
    return np.clip(0.25 + 0.5 * ndimage.gaussian_filter(inside.astype(float), 1) + (texture - 0.5) * 0.6, 0, 1), inside


def clicks(inside: np.ndarray, seed: int, count: int = 12) -> tuple[Click, ...]:
    """Clicks well within both classes."""
    rng = np.random.default_rng(seed)
    found = []
    for name, where in (("object", inside), ("background", ~inside)):
        places = np.argwhere(ndimage.binary_erosion(where, iterations=4))
        found += [Click(name, float(x) + 0.5, float(y) + 0.5) for y, x in places[rng.choice(len(places), count)]]
    return tuple(found)


def folder(tmp_path: Path) -> Path:
    (tmp_path / "data" / "images").mkdir(parents=True)
    (tmp_path / "data" / "classes.txt").write_text("background\nobject\n")
    return tmp_path / "data"


def trained(data: Path, out: Path, hints: Any, quickly: list[str], *, steps: int = 25) -> Any:
    settings = [*quickly, "train.epochs=1", f"train.least_steps={steps}"]
    return underpaint.train(data, out, hints=hints, method="partial", settings=settings)


@pytest.mark.slow
def test_slices_of_ct(tmp_path: Path, quickly: list[str]) -> None:
    data = folder(tmp_path)
    scenes = [blobs(seed, (96, 112)) for seed in range(3)]
    volume = np.stack([(grey * 900 - 500).T for grey, _ in scenes], axis=2).astype(np.int16)
    make: Any = nibabel.Nifti1Image
    nibabel.save(make(volume, np.diag([0.8, 0.7, 3, 1])), data / "images" / "ct.nii.gz")
    hints = {f"ct/{z:04d}": Hints(f"ct/{z:04d}", shapes=clicks(scenes[z][1], z)) for z in range(2)}
    run = trained(data, tmp_path / "run", hints, quickly)
    (low, high), *_ = run.config.images.rule.windows
    assert -500 <= low < -300 < 100 < high <= 400
    found = underpaint.predict(run.root, data, tmp_path / "masks", measures=True)
    assert (found.written, dict(found.skipped)) == (3, {})
    assert np.asarray(Image.open(tmp_path / "masks" / "ct" / "0002.png")).shape == (96, 112)
    row = next(
        line for line in (tmp_path / "masks" / "measures.csv").read_text().splitlines() if "ct/0002,object" in line
    )
    pixels, area, unit = (row.split(",")[i] for i in (2, 5, 6))
    assert unit == "mm"
    assert float(area) == pytest.approx(int(pixels) * 0.56, rel=1e-4)


@pytest.mark.slow
def test_four_bands_of_a_map_to_polygons(tmp_path: Path, quickly: list[str]) -> None:
    data = folder(tmp_path)
    grey, inside = blobs(5, (128, 160))
    values = np.stack([grey * 3000, (1 - grey) * 2000, grey * 1000 + 500, inside * 4000 + 800]).astype(np.uint16)
    profile: dict[str, Any] = {"crs": "EPSG:32632", "transform": from_origin(500_000, 5_300_000, 10, 10)}
    with rasterio.open(data / "images" / "s2.tif", "w", "GTiff", 160, 128, 4, dtype="uint16", **profile) as file:
        file.write(values)
        for number, name in enumerate(("red", "green", "blue", "nir"), start=1):
            file.set_band_description(number, name)
    features = [
        {"type": "Feature", "properties": {"class": c.name}, "geometry": {"type": "Point", "coordinates": [
            500_000 + 10 * c.x, 5_300_000 - 10 * c.y]}}
        for c in clicks(inside, 1)
    ]  # fmt: skip
    crs = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::32632"}}
    strokes = tmp_path / "strokes.geojson"
    strokes.write_text(json.dumps({"type": "FeatureCollection", "crs": crs, "features": features}))
    run = trained(data, tmp_path / "run", strokes, quickly)
    assert run.config.images.bands == ("red", "green", "blue", "nir")
    underpaint.predict(run.root, data, tmp_path / "masks", polygons="geojson", least=4)
    with rasterio.open(tmp_path / "masks" / "s2.tif") as mask:
        labels = mask.read(1)
        assert mask.crs.to_epsg() == 32632
    assert (labels.astype(bool) == inside).mean() > 0.75
    content = json.loads((tmp_path / "masks" / "polygons" / "s2.geojson").read_text())
    x, y = content["features"][0]["geometry"]["coordinates"][0][0]
    assert 500_000 <= x <= 501_600
    assert 5_298_720 <= y <= 5_300_000


@pytest.mark.slow
def test_a_slide_with_annotations_of_qupath(tmp_path: Path, quickly: list[str]) -> None:
    data = folder(tmp_path)
    grey, inside = blobs(7, (320, 400), 20)
    rgb = (np.stack([grey, grey * 0.6 + 0.2, 1 - grey * 0.5], axis=2) * 255).astype(np.uint8)
    with tifffile.TiffWriter(data / "images" / "slide.svs") as file:
        file.write(
            rgb, tile=(128, 128), photometric="rgb", compression="jpeg", compressionargs={"level": 95}, subifds=1
        )
        file.write(rgb[::2, ::2], tile=(128, 128), photometric="rgb", compression="jpeg", subfiletype=1)
    features = [
        {"type": "Feature", "properties": {"objectType": "annotation", "classification": {"name": c.name}},
         "geometry": {"type": "Point", "coordinates": [c.x, c.y]}}
        for c in clicks(inside, 2)
    ]  # fmt: skip
    (tmp_path / "slide.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    run = trained(data, tmp_path / "run", tmp_path / "slide.geojson", quickly, steps=80)
    found = underpaint.predict(run.root, data, tmp_path / "masks", overlay=True)
    assert (found.written, dict(found.skipped)) == (1, {})
    labels = np.asarray(Image.open(tmp_path / "masks" / "slide.png")).astype(bool)
    assert labels[inside].mean() > labels[~inside].mean() + 0.3


@pytest.mark.slow
def test_a_photograph_of_a_phone_held_upright(tmp_path: Path, quickly: list[str]) -> None:
    """24 megapixels, stored lying with an EXIF rotation; boxes drawn on the upright photograph; the command.

    The boxes are as large as the crops, which the network sees with 256 pixels a side: a part of the crops must show
    background alone.
    """
    data, size, rng = folder(tmp_path), (6000, 4000), np.random.default_rng(1)
    inside = np.zeros(size, bool)
    for _ in range(6):
        height, width = (int(side) for side in rng.integers(700, 1300, 2))
        top, left = int(rng.integers(0, size[0] - height)), int(rng.integers(0, size[1] - width))
        inside[top : top + height, left : left + width] = True
    grain = rng.integers(0, 40, (*size, 1), dtype=np.uint8)
    upright = np.where(inside[..., None], np.array([140, 70, 30], np.uint8), np.array([90, 110, 130], np.uint8)) + grain
    exif = Image.Exif()
    exif[0x0112] = 6  # the stored picture is turned a quarter clockwise to be seen
    stored = Image.fromarray(upright).transpose(Image.Transpose.ROTATE_90)
    stored.save(data / "images" / "IMG_0001.jpg", quality=85, exif=exif)
    found = ndimage.find_objects(ndimage.label(inside)[0])
    coco = {
        "images": [{"id": 1, "file_name": "IMG_0001.jpg", "width": 4000, "height": 6000}],
        "categories": [{"id": 1, "name": "object"}],
        "annotations": [
            {"id": number, "image_id": 1, "category_id": 1,
             "bbox": [across.start, down.start, across.stop - across.start, down.stop - down.start]}
            for number, (down, across) in enumerate(found)
        ],
    }  # fmt: skip
    boxes, run, out = tmp_path / "boxes.json", tmp_path / "run", tmp_path / "masks"
    boxes.write_text(json.dumps(coco))

    def said(*words: str | Path) -> str:
        command = [sys.executable, "-m", "underpaint", *map(str, words)]
        done = subprocess.run(command, text=True, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    assert "EXIF rotation" in said("doctor", data, "--hints", boxes)
    chosen = [*quickly, "views.crop=[1024,1024]", "model.scale=0.25", "train.epochs=1", "train.least_steps=60"]
    settings = [word for setting in chosen for word in ("--set", setting)]
    said("train", data, "--hints", boxes, "--rest", "background", "-o", run, *settings)
    said("predict", run, data, "-o", out, "--overlay", "--polygons", "geojson", "--least", "2000")
    labels = np.asarray(Image.open(out / "IMG_0001.png"))
    assert labels.shape == size
    assert (labels.astype(bool) == inside).mean() > 0.9
    with Image.open(out / "overlays" / "IMG_0001.png") as overlay:
        assert overlay.height > overlay.width
    polygons = json.loads((out / "polygons" / "IMG_0001.geojson").read_text())["features"]
    lowest = max(shape(one["geometry"]).bounds[3] for one in polygons)
    assert lowest > 4000, "y runs along the long side of the upright photograph"
