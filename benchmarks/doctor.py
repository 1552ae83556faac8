"""`underpaint doctor` on a folder with COCO JSON, against pycocotools and Pillow doing the same checks in one process.

    python benchmarks/doctor.py [--images 20000] [--json FILE]

The folder is made in a temporary place: windows of real photographs (voc_animals and MSRC-21) as JPEGs of 320 pixels,
eight of each photograph, with polygons from their masks. Both sides then look at every photograph (full decode, EXIF,
size, copies by bytes and by pixels) and every annotation (photograph, category, size, place; images and pixels of each
class). The doctor searches for near copies besides, and uses all cores. Seconds are of the wall; memory is the peak of
the proportional set size (shared pages count once) of all processes, looked at every 50 ms, where there is /proc.
The peer runs only where pycocotools is installed. Prints JSON.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import importlib.util
import json
import os
import platform
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from skimage.measure import approximate_polygon

from underpaint.annotations.coco import write_coco
from underpaint.core.classes import ClassTable, read_classes
from underpaint.datasets.folder import open_folder
from underpaint.hints.outline import outline
from underpaint.hints.rasterise import bitmap_of
from underpaint.hints.types import Hints, Polygon
from underpaint.imagefiles.masks import read_index_mask

DATA = Path(os.environ.get("UNDERPAINT_DATA", Path(__file__).resolve().parent.parent.parent / "shared" / "data"))

WINDOWS = 8
"""Windows cut from a photograph: 2,536 photographs give 20,288."""

SIDE = 320
"""Pixels of the longer side."""

LEAST = 100
"""Pixels of a region below which it is not outlined, as people leave out specks."""

SIMPLIFY: Any = approximate_polygon  # which has no types

LOOK = 0.05
"""Seconds between two looks at the memory."""


def build(folder: Path, images: int) -> ClassTable:
    """Write the photographs and ``annotations.json``; returns the classes."""
    classes, hints = ClassTable.of(_names()), []
    sources = [(data, name) for data in ("voc_animals", "msrc21") for name in sorted(open_folder(DATA / data).images)]
    (folder / "images").mkdir(parents=True)
    rng = random.Random(0)
    for i, (data, name) in enumerate(sources[: -(-images // WINDOWS)]):
        with Image.open(DATA / data / "images" / f"{name}.jpg") as image:
            polygons = _polygons(data, name)
            for j in range(min(WINDOWS, images - i * WINDOWS)):
                hints.append(_window(image, polygons, f"{i:05d}_{j}", folder / "images", rng))
    write_coco(folder / "annotations.json", hints, classes, {one.image: f"{one.image}.jpg" for one in hints})
    return classes


def _names() -> list[str]:
    tables = [read_classes(DATA / data / "classes.txt") for data in ("voc_animals", "msrc21")]
    return list(dict.fromkeys(name for table in tables for name in table.names))


def _polygons(data: str, name: str) -> list[Polygon]:
    """Outlines of the regions of a mask, with as many points as people click."""
    classes = read_classes(DATA / data / "classes.txt")
    mask = read_index_mask(DATA / data / "masks" / f"{name}.png", classes)
    found = []
    for index in np.unique(mask[mask != 255]):
        bitmap = bitmap_of(classes.names[index], mask == index)
        for part in outline(bitmap) if bitmap is not None else ():
            ring = np.array(part.ring)
            if np.ptp(ring[:, 0]) * np.ptp(ring[:, 1]) >= LEAST:
                rough = SIMPLIFY(np.concatenate([ring, ring[:1]]), 1.0)[:-1]
                if len(rough) >= 3:
                    found.append(Polygon(part.name, tuple((float(x), float(y)) for x, y in rough)))
    return found


def _window(image: Image.Image, polygons: list[Polygon], name: str, folder: Path, rng: random.Random) -> Hints:
    """Cut a window of 60 to 80 % a side, and bring the polygons into it."""
    share = rng.uniform(0.6, 0.8)
    width, height = int(share * image.width), int(share * image.height)
    left, top = rng.randint(0, image.width - width), rng.randint(0, image.height - height)
    factor = SIDE / max(width, height)
    size = (round(width * factor), round(height * factor))
    cut = image.resize(size, Image.Resampling.BILINEAR, box=(left, top, left + width, top + height))
    cut.convert("RGB").save(folder / f"{name}.jpg", quality=rng.randint(80, 95))
    regions = []
    for polygon in polygons:
        moved = (np.array(polygon.ring) - (left, top)) * factor
        ring = np.clip(moved, 0, size)
        if np.ptp(ring[:, 0]) * np.ptp(ring[:, 1]) >= LEAST:
            regions.append(Polygon(polygon.name, tuple((round(float(x), 2), round(float(y), 2)) for x, y in ring)))
    return Hints(name, (size[1], size[0]), shapes=tuple(regions))


def peer(folder: Path) -> dict[str, Any]:
    """The same checks as people write them with pycocotools and Pillow."""
    # By name, since the package has no types and is not among the dependencies.
    coco_mask = importlib.import_module("pycocotools.mask")
    coco = importlib.import_module("pycocotools.coco").COCO(str(folder / "annotations.json"))
    faults: Counter[str] = Counter()
    shown: Counter[str] = Counter()
    pixels: Counter[str] = Counter()
    files, pictures = set(), set()
    for record in coco.loadImgs(coco.getImgIds()):
        content = (folder / "images" / record["file_name"]).read_bytes()
        digest = hashlib.blake2b(content).digest()
        faults["copy"] += digest in files
        files.add(digest)
        try:
            with Image.open(folder / "images" / record["file_name"]) as image:
                faults["turned"] += image.getexif().get(0x0112, 1) != 1
                decoded = np.asarray(image.convert("RGB"))
        except OSError:
            faults["unreadable"] += 1
            continue
        digest = hashlib.blake2b(decoded.tobytes()).digest()
        faults["same pixels"] += digest in pictures
        pictures.add(digest)
        faults["size"] += decoded.shape[:2] != (record["height"], record["width"])
        annotations = coco.loadAnns(coco.getAnnIds(record["id"]))
        faults["no labels"] += not annotations
        for annotation in annotations:
            for ring in annotation["segmentation"]:
                x, y = np.array(ring).reshape(-1, 2).T
                faults["outside"] += bool(
                    min(x.min(), y.min()) < 0 or x.max() > record["width"] or y.max() > record["height"]
                )
            name = coco.loadCats(annotation["category_id"])[0]["name"]
            pixels[name] += int(coco_mask.area(coco.annToRLE(annotation)))
        shown.update({coco.loadCats(one["category_id"])[0]["name"] for one in annotations})
    return {"images": len(files), "faults": faults, "shown": shown, "pixels": pixels}


def watched(command: list[str]) -> tuple[float, float | None, str]:
    """Seconds, peak megabytes of all its processes together, and what a command prints."""
    began, peak = time.perf_counter(), 0
    with tempfile.TemporaryFile() as out:
        with subprocess.Popen(command, stdout=out) as process:
            while process.poll() is None:
                peak = max(peak, _memory(process.pid))
                time.sleep(LOOK)
        seconds = time.perf_counter() - began
        out.seek(0)
        return seconds, peak / 1024 or None, out.read().decode()


def _memory(pid: int) -> int:
    """KiB of a process and its children; 0 where the system does not tell, or it is gone."""
    here = Path(f"/proc/{pid}")
    try:
        lines = (here / "smaps_rollup").read_text().splitlines()
        own = next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
        children = [child for task in (here / "task").iterdir() for child in (task / "children").read_text().split()]
    except (OSError, StopIteration):
        return 0
    return own + sum(_memory(int(child)) for child in children)


def measure(images: int) -> dict[str, Any]:
    """Build, and run both sides one after the other."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        build(folder, images)
        result: dict[str, Any] = {
            "images": images,
            "machine": f"{platform.machine()}, {os.cpu_count()} cores",
            "megabytes_of_json": round((folder / "annotations.json").stat().st_size / 1e6, 1),
            "megabytes_of_photographs": round(sum(f.stat().st_size for f in (folder / "images").iterdir()) / 1e6, 1),
        }
        seconds, peak, printed = watched([sys.executable, "-m", "underpaint", "doctor", str(folder), "--json"])
        report = json.loads(printed)
        result["doctor"] = {
            "seconds": round(seconds, 2),
            "peak_mb": peak and round(peak),
            "images": report["images"],
            "findings": {finding["key"]: finding["count"] for finding in report["findings"]},
        }
        if importlib.util.find_spec("pycocotools") is not None:
            seconds, peak, printed = watched([sys.executable, __file__, "--peer", str(folder)])
            found = json.loads(printed.splitlines()[-1])
            result["peer"] = {"seconds": round(seconds, 2), "peak_mb": peak and round(peak), **found}
            result["peer_seconds_over_doctor"] = round(seconds / result["doctor"]["seconds"], 2)
            shown = {row["class"]: row["images"] for row in report["balance"] if row["images"]}
            result["same_counts"] = shown == found["shown"]
    return result


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=20_000)
    parser.add_argument("--json", type=Path, help="also write the result here")
    parser.add_argument("--peer", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.peer:
        print(json.dumps(peer(asked.peer)))
        return
    text = json.dumps(measure(asked.images), indent=1)
    print(text)
    if asked.json:
        asked.json.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
