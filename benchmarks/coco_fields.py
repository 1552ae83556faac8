"""Reading a large COCO file with our checks of its fields (`Fields`), and with a pydantic model in their place.

    python -m benchmarks.coco_fields -o benchmarks/results/coco-fields.json

A file of 100,000 annotations on 10,000 images, each a polygon of 24 points with a box, is read in turns by `read_coco`
as it is, and by the same reader with a strict pydantic model for an annotation. Both must give the same hints. The
least CPU seconds of all rounds are compared. The errors of the model name a field, but no place and no fix.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from benchmarks.reports import origin, write
from pydantic import BaseModel, ConfigDict, Field

from underpaint.annotations.coco import read as reader
from underpaint.hints.check import MAX_NUMBER
from underpaint.hints.ignore import has_area
from underpaint.hints.types import Hints, Polygon

Number = Annotated[float, Field(ge=-MAX_NUMBER, le=MAX_NUMBER, allow_inf_nan=False)]


class Annotation(BaseModel):
    """What an annotation of the file holds."""

    model_config = ConfigDict(strict=True)

    id: int
    image_id: int
    category_id: int
    segmentation: list[list[Number]]
    bbox: list[Number]


def add(held: Any, record: Any) -> None:
    """`_Annotations.add` with a pydantic model, for polygons alone."""
    said = Annotation.model_validate(record)
    held.count += 1
    name = held.names[said.category_id]
    rings = [list(zip(ring[::2], ring[1::2], strict=True)) for ring in said.segmentation]
    shapes = tuple(Polygon(name, tuple(ring)) for ring in rings if has_area(ring))
    held.ids.add(said.id)
    held.hints[said.image_id].append(Hints(held.images[said.image_id].image, shapes=shapes))


def make(path: Path, annotations: int) -> None:
    """A file of polygons around random centres."""
    rng = np.random.default_rng(0)
    angles = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    images = annotations // 10
    every = []
    for number in range(annotations):
        centre, radius = rng.uniform(60, 440, 2), rng.uniform(10, 50, 24)
        outline = np.stack([centre[0] + radius * np.cos(angles), centre[1] + radius * np.sin(angles)], 1).round(2)
        (x0, y0), (x1, y1) = outline.min(0), outline.max(0)
        every.append(
            {
                "id": number + 1,
                "image_id": number % images + 1,
                "category_id": number % 80 + 1,
                "iscrowd": 0,
                "area": 1.0,
                "segmentation": [outline.ravel().tolist()],
                "bbox": [x0, y0, round(x1 - x0, 2), round(y1 - y0, 2)],
            }
        )
    sizes = [{"id": n + 1, "file_name": f"{n:06d}.jpg", "height": 500, "width": 500} for n in range(images)]
    classes = [{"id": n + 1, "name": f"class {n}"} for n in range(80)]
    path.write_text(json.dumps({"images": sizes, "categories": classes, "annotations": every}), encoding="utf-8")


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--annotations", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("-o", "--out", type=Path)
    asked = parser.parse_args()
    ours = reader._Annotations.add
    forms: dict[str, Any] = {"Fields": ours, "pydantic": add}
    seconds: dict[str, list[float]] = {name: [] for name in forms}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "instances.json")
        make(path, asked.annotations)
        for _ in range(asked.rounds):
            found = []
            for name, form in forms.items():
                reader._Annotations.add = form  # type: ignore[method-assign]
                began = time.process_time()
                found.append(reader.read_coco(path))
                seconds[name].append(time.process_time() - began)
            assert found[0] == found[1], "both must read the same"
    least = {name: round(min(taken), 2) for name, taken in seconds.items()}
    ratio = round(least["pydantic"] / least["Fields"], 2)
    rows = [{"row": name, "cpu_seconds": taken} for name, taken in least.items()]
    report = {**origin(), "annotations": asked.annotations, "ratio": ratio, "rows": rows}
    print(report)
    write(report, asked.out)


if __name__ == "__main__":
    main()
