"""Memory and seconds of images that no memory should hold, against reading them whole; and a prediction that is killed.

    python -m benchmarks.large ways --side 8000 --json large.json
    python -m benchmarks.large kill --side 40000 --folder SCRATCH --json large-kill.json

``ways``: each row runs in a process of its own, whose peak memory is measured: the image is read whole with Pillow and
with rasterio (nothing is predicted), read by regions, and predicted by regions with a network of random weights.

``kill``: a small network is trained on a part of the picture, the command ``underpaint predict`` on the whole is killed
(SIGKILL) in the middle, and the same command is given again; its mask is compared with the truth, and with what the
same network gives for a part of the picture that is read whole.

The image is a tiled pyramid in JPEG compression with real structure (round cells of two kinds, a texture, noise).
Seconds are CPU seconds of the process; memory is its greatest resident set.
"""

from __future__ import annotations

import argparse
import csv
import json
import multiprocessing
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.reports import origin, write
from numpy.typing import NDArray

Row = dict[str, object]

TILE = 512

CLASSES = ("background", "cell", "dark cell")

GRID = 96
"""Pixels between the cells, which are moved and sized by a random number each."""

SEEN = 2048
"""Pixels of a side that the network sees at once, at a quarter of the size."""

PART = 1536
"""Pixels of a side of the part that the small network is trained on."""


PERIOD = 12 * TILE
"""Pixels after which the picture repeats itself in both directions, since writing it should not take longest."""


def truth(top: int, left: int, side: tuple[int, int], step: int = 1) -> NDArray[np.uint8]:
    """(h, w) classes of a part of the picture, every ``step`` pixels."""
    y, x = np.mgrid[top : top + side[0] * step : step, left : left + side[1] * step : step] % PERIOD
    row, column = y // GRID, x // GRID
    mixed = (row * 73856093 ^ column * 19349663) & 0xFFFF
    radius = 12 + mixed % 31
    middle_y, middle_x = row * GRID + GRID // 2 + mixed % 7 - 3, column * GRID + GRID // 2 + mixed // 7 % 7 - 3
    inside = (y - middle_y) ** 2 + (x - middle_x) ** 2 < radius**2
    there = np.sin(y / 1900) * np.cos(x / 2300) > -0.4  # no cells in some parts
    return np.asarray(np.where(inside & there, 1 + (mixed // 64 % 3 == 0), 0), dtype=np.uint8)


def colours(top: int, left: int, side: tuple[int, int], step: int = 1) -> NDArray[np.uint8]:
    """(h, w, 3) colours of a part of the picture."""
    y, x = np.mgrid[top : top + side[0] * step : step, left : left + side[1] * step : step]
    own = np.array([[215, 190, 205], [170, 110, 165], [95, 60, 120]])[truth(top, left, side, step)]
    y, x = y % PERIOD, x % PERIOD
    texture = 12 * np.sin(y / 5.3 + np.sin(x / 31)) * np.cos(x / 7.1)
    noise = np.random.default_rng((top, left, step)).integers(-18, 19, (*side, 1))
    return np.asarray(np.clip(own + texture[..., None] + noise, 0, 255), dtype=np.uint8)


def write_image(path: Path, side: int) -> None:
    """A tiled pyramid of ``side`` x ``side`` pixels, made tile by tile."""
    import tifffile

    def tiles(length: int, step: int) -> Iterator[NDArray[np.uint8]]:
        known = cache(lambda top, left: colours(top, left, (TILE, TILE), step))
        for top in range(0, length, TILE):
            for left in range(0, length, TILE):
                yield known(top * step % PERIOD, left * step % PERIOD)

    words: dict[str, Any] = {"tile": (TILE, TILE), "compression": "jpeg", "photometric": "rgb", "dtype": np.uint8}
    with tifffile.TiffWriter(path, bigtiff=side > 20_000) as file:
        for level, step in enumerate((1, 4, 16)):
            length = -(-side // step)
            kind: dict[str, Any] = {"subfiletype": 1} if level else {"subifds": 2}
            file.write(tiles(length, step), shape=(length, length, 3), **words, **kind)


def with_pillow(path: Path, _: Path) -> None:
    """Decode the whole image."""
    from PIL import Image

    Image.MAX_IMAGE_PIXELS = None
    np.asarray(Image.open(path))


def with_rasterio(path: Path, _: Path) -> None:
    """Decode the whole image."""
    import rasterio

    with rasterio.open(path) as file:
        file.read()


def by_regions(path: Path, out: Path) -> None:
    """Read every region once, as a prediction does, and nothing else."""
    from underpaint.imagefiles.rule import open_input

    with open_input(path) as image:
        height, width = image.size
        for top in range(0, height, TILE):
            for left in range(0, width, TILE):
                image.read((top, min(height, top + TILE), left, min(width, left + TILE)))


def predicted(path: Path, out: Path) -> None:
    """Predict the mask, row of tiles by row of tiles, at a quarter of the size as the recipe of slides does."""
    import torch

    from underpaint.imagefiles.rule import open_input
    from underpaint.models.config import ModelConfig
    from underpaint.models.network import Network
    from underpaint.predict import PredictConfig, Predictor
    from underpaint.predict.large import Spool, predict_rows

    torch.set_num_threads(1)
    torch.manual_seed(0)
    predictor = Predictor(Network(ModelConfig(weights="none", scale=0.25), 3), PredictConfig(tile=SEEN))
    with open_input(path) as image:
        predict_rows(predictor, image, Spool(out / "rows", image.size), stamp="benchmark")


WAYS: dict[str, Callable[[Path, Path], None]] = {
    "whole with Pillow": with_pillow,
    "whole with rasterio": with_rasterio,
    "by regions": by_regions,
    "predicted by regions": predicted,
}


def _measured(name: str, path: Path, out: Path, answer: multiprocessing.SimpleQueue[tuple[float, float]]) -> None:
    began = time.process_time()
    WAYS[name](path, out)
    answer.put((time.process_time() - began, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024))


def measure(name: str, path: Path, out: Path) -> Row:
    """CPU seconds and peak memory of a way, in a process of its own."""
    context = multiprocessing.get_context("spawn")
    answer = context.SimpleQueue()
    process = context.Process(target=_measured, args=(name, path, out, answer))
    process.start()
    process.join()
    if process.exitcode:
        return {"name": name, "failed": process.exitcode}
    seconds, megabytes = answer.get()
    return {"name": name, "cpu_seconds": round(seconds, 1), "megabytes": round(megabytes)}


def ways(side: int, folder: Path) -> Row:
    """All ways in one run, with the ratios to Pillow's."""
    path = folder / "image.tif"
    write_image(path, side)
    rows = [measure(name, path, folder) for name in WAYS]
    first = rows[0]
    for row in rows:
        for key in ("cpu_seconds", "megabytes"):
            if key in row and key in first:
                row[f"{key}_of_pillow"] = round(float(str(row[key])) / float(str(first[key])), 2)
    return {"side": side, "rows": rows}


def train_on_part(folder: Path) -> Path:
    """A run on a part of the picture with 60 clicks of each class; its network sees a quarter of the size."""
    from PIL import Image
    from scipy import ndimage

    import underpaint

    data = folder / "part"
    (data / "images").mkdir(parents=True)
    (data / "classes.txt").write_text("\n".join(CLASSES) + "\n")
    Image.fromarray(colours(0, 0, (PART, PART))).save(data / "images" / "a.png")
    labels, rng, clicks = truth(0, 0, (PART, PART)), np.random.default_rng(0), []
    for index, name in enumerate(CLASSES):
        places = np.argwhere(ndimage.binary_erosion(labels == index, iterations=4))
        chosen = places[rng.choice(len(places), 60, replace=False)]
        clicks += [underpaint.Click(name, float(x) + 0.5, float(y) + 0.5) for y, x in chosen]
    settings = ["model.scale=0.25", "views.crop=[512,512]", "train.batch=4", "train.workers=0"]
    settings += ["train.epochs=1", "train.least_steps=120"]
    hints = {"a": underpaint.Hints("a", shapes=tuple(clicks))}
    return underpaint.train(data, folder / "run", hints=hints, method="partial", settings=settings).root


def killed_and_resumed(side: int, folder: Path) -> Row:
    """Predict the picture with the command, which is killed in the middle and given again."""
    began = time.process_time()
    run = train_on_part(folder)
    trained = time.process_time() - began
    path = folder / "image.tif"
    write_image(path, side)
    out, spool = folder / "masks", folder / "masks" / ".image.rows"
    words = ["predict", str(run), str(path), "-o", str(out), "--measures", "--polygons", "geojson", "--overlay"]
    words += [*["--least", "20", "--fill", "20", "--simplify", "1", "--no-crf", "--tile"], str(SEEN)]
    command = [sys.executable, "-m", "underpaint", *words]

    def call(*, kill: bool) -> Row:
        with (folder / "log.txt").open("a") as log:
            process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
            pid = 0
            while not pid:
                pid, status, used = os.wait4(process.pid, os.WNOHANG if kill else 0)
                if kill and spool.is_file() and spool.stat().st_size >= side * side // 2:
                    os.kill(process.pid, signal.SIGKILL)
                    kill = False
                elif not pid:
                    time.sleep(0.2)
        rows = spool.stat().st_size // side if spool.is_file() else None
        seconds = round(used.ru_utime + used.ru_stime)
        return {
            "killed": os.WIFSIGNALED(status),
            "exit": status,
            "cpu_seconds": seconds,
            "peak_megabytes": used.ru_maxrss // 1024,
            "rows_left_behind": rows,
        }

    calls = [call(kill=True), call(kill=False)]
    report: Row = {
        "side": side,
        "image_megabytes": path.stat().st_size // 10**6,
        "training_cpu_seconds": round(trained),
    }
    return report | {"calls": calls} | _judged(folder, run, side) | _results(folder)


def _judged(folder: Path, run: Path, side: int) -> Row:
    """The mask against the truth, and against the same network on a part that is read whole."""
    import tifffile

    import underpaint

    zarr = __import__("zarr")
    predictor = underpaint.load_run(run)
    with tifffile.TiffFile(folder / "masks" / "image.tif") as file:
        page: Any = file.pages[0]
        mask = zarr.open(file.series[0].aszarr(), mode="r")
        tiled = {"tile": page.tilewidth, "compression": page.compression.name}
        rights = total = 0
        for top in range(0, side, side // 10):
            part = np.asarray(mask[top : top + 1024, top : top + 1024])
            rights += int((part == truth(top, top, (part.shape[0], part.shape[1]))).sum())
            total += part.size
        top = side // 2 - PART // 2
        part = np.asarray(mask[top : top + PART, top : top + PART])
    with tifffile.TiffFile(folder / "image.tif") as file:
        source = zarr.open(file.series[0].aszarr(level=0), mode="r")
        whole, _ = predictor.predict(np.asarray(source[top : top + PART, top : top + PART]), tile=SEEN, crf=False)
    inner = slice(64, PART - 64)  # at its border the part has less context than the picture
    agree = float((part == whole)[inner, inner].mean())
    return {"mask": tiled, "right_share": round(rights / total, 4), "as_part_read_whole": round(agree, 4)}


def _results(folder: Path) -> Row:
    """What was written beside the mask."""
    masks = folder / "masks"
    with (masks / "measures.csv").open(newline="") as file:
        regions = {row["class"]: int(row["regions"]) for row in csv.DictReader(file)}
    size = {name: (masks / name).stat().st_size for name in ("image.tif", "polygons/image.geojson")}
    left = sorted(one.name for one in masks.iterdir() if one.name.startswith(".image"))
    return {"regions": regions, "bytes": size, "left_over": left}


def main() -> None:
    """Run one of the two."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["ways", "kill"])
    parser.add_argument("--side", type=int, default=8000, help="pixels of a side")
    parser.add_argument("--folder", type=Path, help="an empty folder for the files; by itself a temporary one")
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    work = {"ways": ways, "kill": killed_and_resumed}[asked.what]
    folder = asked.folder or Path(tempfile.mkdtemp())
    folder.mkdir(parents=True, exist_ok=True)
    try:
        report = origin() | work(asked.side, folder)
    finally:
        if asked.folder is None:
            shutil.rmtree(folder)
    print(json.dumps(report, indent=1))
    write(report, asked.json)


if __name__ == "__main__":
    main()
