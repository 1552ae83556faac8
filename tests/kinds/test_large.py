"""Images that are never whole in memory: crops of them are trained on, and their masks are those of the whole."""

from __future__ import annotations

import json
import shutil
import tracemalloc
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import tifffile
import torch
import zarr

import underpaint
from underpaint.annotations.jsonl import write_hints
from underpaint.core.classes import VOID, ClassTable
from underpaint.core.errors import DataError
from underpaint.core.outputs import RECORD, Output
from underpaint.data import hinted
from underpaint.data.hinted import HintedImages
from underpaint.data.views import ViewConfig
from underpaint.datasets.objects import ObjectRule
from underpaint.datasets.open import open_dataset
from underpaint.doctor import examine
from underpaint.doctor.findings import Level
from underpaint.hints import regions
from underpaint.hints.rasterise import paint_regions
from underpaint.hints.types import Box, Click, Hints, Polygon, Scribble
from underpaint.hints.windows import hints_within
from underpaint.imagefiles import opening
from underpaint.imagefiles.images import read_rgb
from underpaint.imagefiles.mapped import Mapped
from underpaint.imagefiles.mask_tiff import mask_rows, write_mask_tiff
from underpaint.imagefiles.masks import read_index_mask
from underpaint.imagefiles.readers.base import Place
from underpaint.imagefiles.rule import open_input
from underpaint.models.config import ModelConfig
from underpaint.models.network import Network
from underpaint.predict import PredictConfig, Predictor, Wanted, predict_folder
from underpaint.predict import large as large_module
from underpaint.predict.large import Spool, predict_rows
from underpaint.predict.results import Results

CLASSES = ClassTable.of(["background", "cell"])


@pytest.fixture(scope="module")
def slide(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, np.ndarray]:
    """A tiled TIFF of 560 x 700 pixels with blobs, and its pixels."""
    rng = np.random.default_rng(0)
    coarse = torch.from_numpy(rng.random((1, 3, 19, 23))).float()
    pixels = (torch.nn.functional.interpolate(coarse, (560, 700), mode="bicubic")[0] * 255).clamp(0, 255)
    rgb = pixels.byte().permute(1, 2, 0).numpy()
    path = tmp_path_factory.mktemp("slides") / "a.tif"
    tifffile.imwrite(path, rgb, tile=(128, 128), photometric="rgb", compression="deflate")
    return path, rgb


def predictor() -> Predictor:
    torch.manual_seed(0)
    network = Network(ModelConfig(architecture="fpn", width=32, weights="none"), 2)
    return Predictor(network, PredictConfig(tile=256, overlap=32))


def test_rows_of_tiles_give_the_mask_of_the_whole_also_after_an_interruption(
    slide: tuple[Path, np.ndarray], tmp_path: Path
) -> None:
    path, rgb = slide
    made = predictor()
    whole = made.index(rgb)
    assert 0.02 < whole.mean() < 0.98
    spool = Spool(tmp_path / ".rows", (560, 700))
    done: list[int] = []

    def stop(rows: int, total: int) -> None:
        done.append(rows)
        if rows == 2:
            raise KeyboardInterrupt

    with open_input(path) as image:
        with pytest.raises(KeyboardInterrupt):
            predict_rows(made, image, spool, stamp="a", on_rows=stop)
        with spool.path.open("ab") as file:
            file.write(b"\1" * 777)  # a row of pixels that a kill cut short
        again: list[int] = []
        labels = predict_rows(made, image, spool, stamp="a", on_rows=lambda rows, total: again.append(rows))
        np.testing.assert_array_equal(labels, whole)
        assert again == list(range(2, again[-1] + 1))
        other: list[int] = []
        predict_rows(made, image, spool, stamp="b", on_rows=lambda rows, total: other.append(rows))
        assert other[0] == 0, "rows of another network are not taken over"
    spool.remove()
    assert not list(tmp_path.iterdir())


def test_a_folder_with_a_large_image_gets_a_tiled_mask_of_the_same_labels(
    slide: tuple[Path, np.ndarray], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, rgb = slide
    monkeypatch.setattr(large_module, "MAX_PIXELS", 200_000)
    monkeypatch.setattr(opening, "MAX_PIXELS", 200_000)
    made = predictor()
    summary = predict_folder(made, path, tmp_path / "masks", CLASSES)
    assert (summary.written, dict(summary.skipped)) == (1, {})
    with tifffile.TiffFile(tmp_path / "masks" / "a.tif") as file:
        assert file.series[0].keyframe.is_tiled
        np.testing.assert_array_equal(file.asarray(), made.index(rgb))
    np.testing.assert_array_equal(read_index_mask(tmp_path / "masks" / "a.tif", CLASSES), made.index(rgb))
    assert not [p for p in (tmp_path / "masks").iterdir() if "rows" in p.name]
    predict_folder(made, path, tmp_path / "masks", CLASSES)  # its own file is replaced
    assert large_module.is_large(path)


def test_results_of_a_large_image_are_those_of_the_same_image_read_whole(
    slide: tuple[Path, np.ndarray], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, _ = slide
    rule = ObjectRule(least=3, fill=5)

    wanted = Wanted(overlay=True, measures=True, polygons="geojson", rule=rule)

    def results(name: str) -> Path:
        assert predict_folder(predictor(), path, tmp_path / name, CLASSES, probabilities=True, wanted=wanted).written
        return tmp_path / name

    small = results("small")
    monkeypatch.setattr(large_module, "MAX_PIXELS", 200_000)
    monkeypatch.setattr(opening, "MAX_PIXELS", 200_000)
    monkeypatch.setattr(regions, "BAND", 100)
    large = results("large")
    for table in ("measures.csv", "summary.csv"):
        assert (small / table).read_bytes() == (large / table).read_bytes()
    np.testing.assert_array_equal(read_rgb(small / "overlays" / "a.png"), read_rgb(large / "overlays" / "a.png"))
    assert (large / "overlays.png").is_file()
    kept = np.load(small / "probabilities" / "a.npz")["probabilities"]
    group: Any = zarr.open(large / "probabilities" / "a.zarr", mode="r")
    np.testing.assert_array_equal(np.asarray(group["0"]), kept.astype(np.float32))
    said = group.attrs["multiscales"][0]
    assert [axis["name"] for axis in said["axes"]] == ["c", "y", "x"]
    assert said["datasets"][0]["coordinateTransformations"][0]["scale"] == [1, 4, 4]
    assert [channel["label"] for channel in group.attrs["omero"]["channels"]] == list(CLASSES.names)
    found = [json.loads((folder / "polygons" / "a.geojson").read_text())["features"] for folder in (small, large)]
    assert sorted(map(json.dumps, found[0])) == sorted(map(json.dumps, found[1]))
    assert found[0]


def test_the_overlay_of_a_large_image_keeps_none_of_its_bands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    side = 4500
    labels = tmp_path / "rows"
    labels.write_bytes(bytes(side * side))

    class Blank:
        size = (side, side)

        def read(self, box: tuple[int, int, int, int]) -> np.ndarray:
            return np.zeros((box[1] - box[0], box[3] - box[2], 3), np.uint8)

    image: Any = Blank()
    results = Results(Output(tmp_path / "out", "masks", "predict"), CLASSES, Wanted(overlay=True))
    monkeypatch.setattr(results, "_draw", lambda name, small, shown: sizes.append(small.shape))
    sizes: list[tuple[int, ...]] = []
    tracemalloc.start()
    try:
        results.see_large(image, "a", Mapped(labels, np.uint8, (side, side)))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert sizes == [(1500, 1500, 3)]
    assert peak < side * side * 3 / 2, "half of the pixels of the image"


def test_a_finished_mask_of_a_large_image_is_kept(
    slide: tuple[Path, np.ndarray], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "b.tif"
    shutil.copy(slide[0], path)
    monkeypatch.setattr(large_module, "MAX_PIXELS", 200_000)
    monkeypatch.setattr(opening, "MAX_PIXELS", 200_000)
    out = tmp_path / "masks"

    def rows_predicted(**settings: Any) -> int:
        said: list[int] = []
        summary = predict_folder(
            predictor(), path, out, CLASSES, wanted=wanted, on_rows=lambda done, total: said.append(done), **settings
        )
        assert summary.written == 1
        return len(said)

    def files() -> dict[str, bytes]:
        found = (file for file in out.rglob("*") if file.is_file() and file.name != RECORD)
        return {file.relative_to(out).as_posix(): file.read_bytes() for file in found}

    wanted = Wanted(overlay=True, measures=True)
    assert rows_predicted(probabilities=True) > 1
    whole = files()
    assert {"b.tif", "measures.csv", "overlays/b.png"} < whole.keys()
    assert rows_predicted(probabilities=True, resume=True) == 0
    assert files() == whole
    next((out / "probabilities").rglob("0/1/0/0")).unlink()
    assert rows_predicted(probabilities=True, resume=True) > 1
    assert files() == whole
    assert rows_predicted(resume=True) > 1, "a fingerprint is of all settings"
    pixels = tifffile.imread(path)
    tifffile.imwrite(path, 255 - pixels, tile=(128, 128), photometric="rgb")
    assert rows_predicted(resume=True) > 1
    assert files()["b.tif"] != whole["b.tif"]


def test_a_file_and_a_folder_are_whole_if_all_of_it_is_unchanged(tmp_path: Path) -> None:
    output = Output.open(tmp_path / "out", holds="masks", by="a test")
    names = ("probabilities/a.tif", "probabilities/b.zarr/0/0", "probabilities/b.zarr/0/1", "probabilities/b.zarray")
    for name in names:
        output.write(tmp_path / "out" / name, name.encode(), made_from="1")
    file, folder = (tmp_path / "out" / "probabilities" / name for name in ("a.tif", "b.zarr"))
    assert output.made_whole(file, "1")
    assert output.made_whole(folder, "1")
    assert not output.made_whole(file, "2")
    (folder / "0" / "1").unlink()
    assert not output.made_whole(folder, "1")
    assert not output.made_whole(folder.with_name("c.zarr"), "1")


@pytest.fixture
def sparse(tmp_path: Path) -> tuple[Path, dict[str, Hints]]:
    """A data set with a TIFF file of 120 million pixels, of which one tile is stored, and clicks in this tile."""
    (tmp_path / "images").mkdir()
    (tmp_path / "classes.txt").write_text("background\ncell\n")
    rgb = np.random.default_rng(0).integers(0, 255, (256, 256, 3)).astype(np.uint8)
    across, down = -(-10_000 // 256), -(-12_000 // 256)
    tiles = (rgb if number == 0 else None for number in range(across * down))
    words: Any = {"shape": (12_000, 10_000, 3), "dtype": np.uint8, "tile": (256, 256), "photometric": "rgb"}
    tifffile.imwrite(tmp_path / "images" / "a.tif", tiles, compression="zlib", **words)
    shapes = (*(Click("cell", 20.5 + 9 * i, 40.5) for i in range(9)), Click("background", 200.5, 200.5))
    return tmp_path, {"a": Hints("a", shapes=(*shapes, Box("cell", 9000, 11_000, 9100, 11_050)))}


@pytest.mark.parametrize("method", ["quick", "local-global"])
def test_methods_that_work_on_whole_images_refuse_large_ones_by_name(
    sparse: tuple[Path, dict[str, Hints]], method: str
) -> None:
    data, hints = sparse
    with pytest.raises(
        DataError, match=r"1 image\(s\) have more than 100,000,000 pixels, and .*whole images: a\n"
    ) as seen:
        underpaint.plan(data, hints=hints, method=method)
    assert "partial, gated-crf" in str(seen.value)


def test_the_doctor_and_a_training_see_a_large_image(
    sparse: tuple[Path, dict[str, Hints]], tmp_path: Path, quickly: list[str]
) -> None:
    data, hints = sparse
    settings = [*quickly, "train.least_steps=2"]
    run = underpaint.train(data, tmp_path / "run", hints=hints, method="partial", settings=settings)
    assert run.complete
    write_hints(tmp_path / "hints.jsonl", [replace(hints["a"], boxed=frozenset({"cell"}))])
    report = examine(data, hints=[tmp_path / "hints.jsonl"])
    (large,) = [finding for finding in report.findings if finding.key == "image-large"]
    assert "10000 x 12000" in large.cause
    assert not [finding for finding in report.findings if finding.level is Level.BLOCKS]
    with pytest.raises(DataError, match="hints cannot be used for images of 10000 x 12000 pixels"):
        underpaint.predict(run.root, data, tmp_path / "masks", hints=tmp_path / "hints.jsonl")


def test_a_full_disk_is_said_before_the_first_tile(
    slide: tuple[Path, np.ndarray], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=1))
    with open_input(slide[0]) as image, pytest.raises(DataError, match="GB are needed on the way to the mask"):
        predict_rows(predictor(), image, Spool(tmp_path / ".rows", (560, 700)), stamp="a")


def test_a_window_of_hints_labels_the_pixels_that_the_whole_labels() -> None:
    shapes = (
        Click("cell", 60.5, 40.5),
        Click("cell", 5, 5),
        Scribble("cell", ((30, 30), (90, 80)), 3),
        Box("cell", 20, 20, 70, 70),
        Polygon("cell", ((10, 50), (80, 45), (60, 95)), (((50, 60), (60, 60), (55, 70)),)),
    )
    hints = Hints("a", shapes=shapes)
    part = hints_within(hints, 30, 40, (48, 40))
    assert part.clicks == (Click("cell", 20.5, 10.5),)
    assert part.boxes == (Box("cell", 0, 0, 30, 40),)
    whole = paint_regions([(1, r) for r in hints.regions], (120, 120))
    np.testing.assert_array_equal(paint_regions([(1, r) for r in part.regions], (48, 40)), whole[30:78, 40:80])


def test_training_draws_crops_of_which_only_the_window_is_read(
    slide: tuple[Path, np.ndarray], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, _ = slide
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "a.tif").write_bytes(path.read_bytes())
    (tmp_path / "classes.txt").write_text("background\ncell\n")
    shapes = (Click("cell", 500.5, 400.5), Polygon("background", ((100, 100), (220, 100), (220, 240), (100, 240))))
    data, hints = open_dataset(tmp_path), {"a": Hints("a", shapes=shapes)}
    views = ViewConfig(crop=(96, 96), flip=False, colour_jitter=0)
    plain = HintedImages(data, hints, views, seed=3)
    assert [image.name for image in plain.training_images()] == ["a"]
    monkeypatch.setattr(hinted, "MAX_PIXELS", 200_000)
    monkeypatch.setattr(hinted, "read_image", None)  # nothing reads the whole
    cropped = HintedImages(data, hints, views, seed=3)
    seen = [cropped[(epoch, 0)] for epoch in range(12)]
    assert all(sample.rgb.shape == (3, 96, 96) for sample in seen)
    found = {int(c) for sample in seen for c in np.unique(sample.candidates)}
    assert len(found) > 1, "hints are in the crops"
    assert cropped.excerpt("a").rgb.shape == (512, 512, 3)
    assert plain.names == cropped.names
    assert not list(cropped.training_images())
    assert not cropped.unreadable, "it is too large to be read as a whole, and crops of it are read"


def test_a_mask_tiff_has_the_colours_of_the_classes(tmp_path: Path) -> None:
    labels = np.random.default_rng(1).integers(0, 2, (700, 530)).astype(np.uint8)
    write_mask_tiff(tmp_path / "a.tif", labels, CLASSES, None)
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        np.testing.assert_array_equal(file.asarray(), labels)
        colours = np.asarray(file.pages[0].colormap)[:, :2].T // 257  # type: ignore[union-attr]
    assert [tuple(int(v) for v in row) for row in colours] == list(CLASSES.colours[:2])


@pytest.mark.parametrize("place", [None, Place("EPSG:32632", (2.0, 0.0, 500_000.0, 0.0, -2.0, 5_000_000.0), "metre")])
def test_the_rows_of_a_mask_tiff_are_those_written(place: Place | None, tmp_path: Path) -> None:
    labels = np.random.default_rng(1).integers(0, 2, (700, 530)).astype(np.uint8)
    labels[3, 4] = VOID
    write_mask_tiff(tmp_path / "a.tif", labels, CLASSES, place)
    rows = list(mask_rows(tmp_path / "a.tif"))
    assert [len(part) for part in rows] == [512, 188]
    np.testing.assert_array_equal(np.concatenate(rows), labels)


def test_a_finished_file_replaces_none_of_a_person(tmp_path: Path) -> None:
    output = Output.open(tmp_path / "out", holds="masks", by="a test")
    (tmp_path / "made").write_bytes(b"1")
    output.take(tmp_path / "out" / "a.tif", tmp_path / "made")
    (tmp_path / "out" / "a.tif").write_bytes(b"mine")
    (tmp_path / "made").write_bytes(b"2")
    with pytest.raises(Exception, match="did not write"):
        output.take(tmp_path / "out" / "a.tif", tmp_path / "made")
    assert (tmp_path / "out" / "a.tif").read_bytes() == b"mine"
