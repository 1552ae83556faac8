"""Memory and seconds of predicting an image that no memory should hold, against reading it whole.

    python -m benchmarks.large --side 8000 --json large.json

Each row runs in a process of its own, whose peak memory is measured: the image is read whole with Pillow and with
rasterio (nothing is predicted), and predicted by regions with a network of random weights. The image is a tiled TIFF
with real structure (smooth shapes under noise). Seconds are CPU seconds of the process.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import platform
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Row = dict[str, object]

TILE = 512


def write_image(path: Path, side: int) -> None:
    """A tiled TIFF of ``side`` x ``side`` pixels, made tile by tile."""
    import tifffile

    def tiles() -> Iterator[NDArray[np.uint8]]:
        y, x = np.mgrid[0:TILE, 0:TILE]
        for top in range(0, side, TILE):
            for left in range(0, side, TILE):
                rng = np.random.default_rng((top, left))
                wave = np.sin((y + top) / 97) * np.cos((x + left) / 131)
                grey = 128 + 90 * (wave > 0.3) - 40 * (wave < -0.5) + rng.normal(0, 8, (TILE, TILE))
                yield np.stack([grey, grey * 0.8, 255 - grey], axis=2).clip(0, 255).astype(np.uint8)

    words = {"tile": (TILE, TILE), "compression": "zlib", "photometric": "rgb", "bigtiff": side > 20_000}
    tifffile.imwrite(path, data=tiles(), shape=(side, side, 3), dtype=np.uint8, **words)  # type: ignore[arg-type]


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
    from underpaint.imagefiles.rule import open_seen

    with open_seen(path) as image:
        height, width = image.size
        for top in range(0, height, TILE):
            for left in range(0, width, TILE):
                image.read((top, min(height, top + TILE), left, min(width, left + TILE)))


def predicted(path: Path, out: Path) -> None:
    """Predict the mask, row of tiles by row of tiles."""
    import torch

    from underpaint.imagefiles.rule import open_seen
    from underpaint.models.network import ModelConfig, Network
    from underpaint.predict import PredictConfig, Predictor
    from underpaint.predict.large import Spool, predict_rows

    torch.set_num_threads(1)
    torch.manual_seed(0)
    predictor = Predictor(Network(ModelConfig(weights="none"), 3), PredictConfig(tile=1024))
    with open_seen(path) as image:
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


def main() -> None:
    """Measure all ways."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, default=8000, help="pixels of a side")
    parser.add_argument("--ways", nargs="*", choices=list(WAYS), default=list(WAYS))
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "image.tif"
        write_image(path, asked.side)
        rows = [measure(name, path, Path(folder)) for name in asked.ways]
    report = {"command": f"python -m benchmarks.large {' '.join(sys.argv[1:])}", "side": asked.side, "rows": rows}
    report["machine"] = platform.processor() or platform.machine()
    for row in rows:
        print(row)
    if asked.json is not None:
        asked.json.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
