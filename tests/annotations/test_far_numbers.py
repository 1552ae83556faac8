"""Numbers beyond any image are refused when they are read, before a shape is turned, cut or painted."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from underpaint.annotations.format import Reading
from underpaint.annotations.registry import recognise
from underpaint.core.classes import ClassTable
from underpaint.core.errors import UnderpaintError
from underpaint.hints.layers import hidden, raised
from underpaint.hints.types import Hints, Polygon

CLASSES = ClassTable.of(("background", "cat"))


def labelme(far: str) -> str:
    shape = f'{{"label":"cat","shape_type":"polygon","points":[[1,2],[{far},4],[20,30]]}}'
    return f'{{"version":"5.0","flags":{{}},"imagePath":"p.png","imageHeight":40,"imageWidth":60,"shapes":[{shape}]}}'


def coco(far: str) -> str:
    head = '"images":[{"id":1,"file_name":"p.png","height":40,"width":60}],"categories":[{"id":1,"name":"cat"}]'
    one = f'{{"id":1,"image_id":1,"category_id":1,"segmentation":[[1,2,{far},4,20,30]],"bbox":[1,2,3,4]}}'
    return f'{{{head},"annotations":[{one}]}}'


def jsonl(far: str) -> str:
    line = f'{{"image":"p","height":40,"width":60,"regions":[{{"class":"cat","points":[[1,2],[{far},4],[20,30]]}}]}}'
    return json.dumps({"underpaint": "hints", "version": 1}) + "\n" + line + "\n"


def voc(far: str) -> str:
    box = f"<bndbox><xmin>1</xmin><ymin>1</ymin><xmax>{far}</xmax><ymax>9</ymax></bndbox>"
    size = "<size><width>60</width><height>40</height><depth>3</depth></size>"
    return f"<annotation><filename>p.png</filename>{size}<object><name>cat</name>{box}</object></annotation>"


def cvat(far: str) -> str:
    area = f'<polygon label="cat" points="1,2;{far},4;20,30" z_order="0"></polygon>'
    image = f'<image id="0" name="p.png" width="60" height="40">{area}</image>'
    return f"<annotations><version>1.1</version>{image}</annotations>"


def boxes(far: str) -> str:
    return f"filename,xmin,ymin,xmax,ymax,class\np.png,1,1,{far},9,cat\n"


def yolo(far: str) -> str:
    return f"1 0.1 0.1 {far} 0.2 0.3 0.6\n"


WRITERS = {
    "p.json": [labelme, coco], "h.jsonl": [jsonl], "p.xml": [voc, cvat], "b.csv": [boxes], "labels/p.txt": [yolo]
}  # fmt: skip


@pytest.mark.parametrize("far", ["1e200", "-1e12", "99999999999999999999"])
@pytest.mark.parametrize(("name", "write"), [(name, write) for name, every in WRITERS.items() for write in every])
def test_a_number_beyond_any_image_is_refused(tmp_path: Path, name: str, write: object, far: str) -> None:
    assert callable(write)
    photograph = tmp_path / "p.png"
    Image.new("RGB", (60, 40)).save(photograph)
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(write(far))
    whole = path.parent if name.startswith("labels") else path
    with pytest.raises(UnderpaintError, match="1e\\+08"):
        recognise(whole).hints(whole, Reading(CLASSES, tmp_path, {"p": photograph}))


@pytest.mark.parametrize("size", [(2**63, 3), (48, 2**31), (0, 5), (-4, -4)])
def test_areas_in_an_impossible_size_are_not_painted(size: tuple[int, int]) -> None:
    ring = ((1.0, 1.0), (9.0, 1.0), (9.0, 9.0))
    hints = Hints("p", size=size, shapes=(Polygon("cat", ring), Polygon("dog", ring)))
    assert raised(hints) == (hints, 0)
    assert hidden(hints) == 0
