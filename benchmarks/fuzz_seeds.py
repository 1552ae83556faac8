"""Sound annotation files, small ones, for every format: written by our writers, real ones, and literal ones."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from underpaint.annotations.format import Format, Writing
from underpaint.core.classes import ClassTable
from underpaint.core.errors import UnderpaintError
from underpaint.datasets.folder import DataFolder
from underpaint.hints.types import Bitmap, Box, Click, Hints, Polygon, Scribble, Tags
from underpaint.imagefiles.masks import write_index_mask

SIZE = (48, 64)
IMAGES = ("a", "d/b")
TABLE = ClassTable.of(["background", "cat", "dog", "plane", "person"])

_RING = ((2.0, 3.0), (30.5, 4.0), (25.0, 33.25), (4.0, 30.0))
_HOLE = ((10.0, 10.0), (20.0, 10.0), (20.0, 20.0), (10.0, 20.0))

SAMPLES: tuple[Hints, ...] = (
    Hints("a", SIZE, shapes=(Polygon("cat", _RING), Polygon("dog", _RING, (_HOLE,)))),
    Hints("a", SIZE, shapes=(Bitmap("cat", 3, 4, 4, 3, (1, 2, 2, 1, 5, 1)),)),
    Hints("a", SIZE, shapes=(Click("cat", 3.5, 4.5), Click("dog", 60.0, 40.25))),
    Hints("a", SIZE, shapes=(Scribble("cat", ((1.5, 2.5), (20.0, 30.0), (40.5, 8.0)), 3.0),)),
    Hints("a", SIZE, shapes=(Box("cat", 1.0, 2.0, 30.0, 40.0), Box("dog", 5.0, 5.0, 9.0, 9.0))),
    Hints("a", SIZE, tags=Tags(frozenset({"cat"}), frozenset({"dog"}))),
    Hints("a", SIZE, tags=Tags(frozenset({"cat", "dog"}))),
    Hints("a", SIZE, mask="masks/a.png"),
    Hints("a", SIZE, shapes=(Box("cat", 1.0, 2.0, 3.0, 4.0),), boxed=frozenset({"cat"}), source="anna", seconds=2.5),
)
"""One kind of statement each, so that a format can be given those that it holds."""

_SHAPE = b'"imagePath":"a.png","imageData":null,"imageHeight":48,"imageWidth":64}'
_TASK = (
    b'[{"id":1,"data":{"image":"/data/upload/1/a.png"},"annotations":[{"id":2,"result":[{"type":"%s",'
    b'"original_width":64,'
    b'"original_height":48,"image_rotation":0,"from_name":"l","to_name":"image","value":{%s}}]}]}]'
)

LITERAL: dict[str, Sequence[dict[str, bytes]]] = {
    "coco": [
        {".json": b'{"images":[{"id":7,"file_name":"a.png","width":64,"height":48}],"categories":[{"id":3,'
         b'"name":"cat"}],'
         b'"annotations":[{"id":1,"image_id":7,"category_id":3,"iscrowd":0,"bbox":[1,1,9,9],"area":60,'
         b'"segmentation":[[1,1,30,1,30,20,1,20]]},{"id":2,"image_id":7,"category_id":3,"iscrowd":1,'
         b'"segmentation":{"size":[48,64],"counts":[3,2,1,1,3065]}}]}'},
        {".json": b'{"images":[{"id":7,"file_name":"a.png","width":4,"height":3}],"categories":[{"id":3,"name":"cat"}],'
         b'"annotations":[{"id":1,"image_id":7,"category_id":3,"segmentation":{"size":[3,4],"counts":"321O30"}},'
         b'{"id":2,"image_id":7,"category_id":3,"keypoints":[1,2,2,3,1,1],"num_keypoints":2,"bbox":[0,0,2,2]}]}'},
    ],
    "labelme": [
        {"a.json": b'{"version":"5.0","flags":{"cat":true},"shapes":[{"label":"cat","points":[[1,2],[30,4],[20,40]],'
         b'"shape_type":"polygon"},{"label":"dog","points":[[3,4],[9,9]],"shape_type":"rectangle"},{"label":"dog",'
         b'"points":[[9,9],[12,12]],"shape_type":"circle"},{"label":"cat","points":[[3,4]],"shape_type":"point"},'
         b'{"label":"cat","points":[[3,4],[8,9],[20,1]],"shape_type":"linestrip"}],' + _SHAPE},
    ],
    "label-studio": [
        {".json": _TASK % (b"rectanglelabels", b'"x":10.0,"y":20.0,"width":30.0,"height":40.0,"rotation":0,'
                           b'"rectanglelabels":["cat"]')},
        {".json": _TASK % (b"polygonlabels", b'"points":[[10,10],[50,10],[50,60]],"closed":true,'
         b'"polygonlabels":["cat"]')},
        {".json": _TASK % (b"keypointlabels", b'"x":10.0,"y":20.0,"width":0.5,"keypointlabels":["dog"]')},
        {".json": _TASK % (b"choices", b'"choices":["cat","dog"]')},
        {".json": (_TASK % (b"brushlabels", b'"format":"rle","rle":[0,0,0,48,57,27,252,96,19,255,206,1,31,254,'
         b'19,0,143,252],'
                            b'"brushlabels":["cat"]')).replace(b":64", b":4").replace(b":48", b":3")},
    ],
    "cvat": [
        {".xml": b'<?xml version="1.0" encoding="utf-8"?><annotations><version>1.1</version><image id="0" name="a.png" '
         b'width="64" height="48"><polygon label="cat" points="1.0,2.0;5.0,2.0;5.0,9.0" z_order="0"/><points '
         b'label="cat" '
         b'points="3.0,4.0"/><polyline label="cat" points="1,1;9,9"/><tag label="dog"/><box label="dog" xtl="1" '
         b'ytl="2" '
         b'xbr="9" ybr="9"/><mask label="cat" left="1" top="0" width="3" height="3" rle="0, 2, 1, 1, 4, 1"/></image>'
         b'</annotations>'},
    ],
    "yolo": [
        {"a.txt": b"0 0.5 0.5 0.25 0.5\n1 0.1 0.1 0.4 0.1 0.4 0.3\n", "classes.txt": b"cat\ndog\n"},
        {"labels/a.txt": b"0 0.5 0.5 0.25 0.5\n", "data.yaml": b"names:\n  0: cat\n  1: dog\n"},
    ],
    "via": [
        {".json": b'{"_via_settings":{},"_via_img_metadata":{"a.png9":{"filename":"a.png","size":9,"regions":['
         b'{"shape_attributes":{"name":"polygon","all_points_x":[1,30,20],"all_points_y":[2,4,40]},"region_attributes":'
         b'{"animal":"cat"}},{"shape_attributes":{"name":"ellipse","cx":20,"cy":20,"rx":9,"ry":5.5,"theta":0.7},'
         b'"region_attributes":{"animal":{"cat":true}}},{"shape_attributes":{"name":"rect","x":1,"y":1,"width":9,'
         b'"height":9},"region_attributes":{"animal":"dog"}}],"file_attributes":{"label":"cat"}}},'
         b'"_via_attributes":{"region":{},"file":{}}}'},
        {".json": b'{"a.png9":{"filename":"a.png","size":9,"regions":{"0":{"shape_attributes":{"name":"circle","cx":9,'
         b'"cy":9,"r":4},"region_attributes":{"class":"cat"}}},"file_attributes":{}}}'},
        {".csv": b'filename,file_size,file_attributes,region_count,region_id,region_shape_attributes,'
         b'region_attributes\n'
         b'a.png,9,"{}",1,0,"{""name"":""polyline"",""all_points_x"":[1,9],""all_points_y"":[1,9]}",'
         b'"{""class"":""cat""}"\nd/b.png,9,"{""label"":""dog""}",0,0,"{}","{}"\n'},
    ],
    "boxes": [
        {".csv": b"filename,width,height,class,xmin,ymin,xmax,ymax\na.png,64,48,cat,1,2,30,40\n"
         b"a.png,64,48,dog,5,5,9,9\n"},
        {".csv": b"image_path;label;x;y;width;height\na.png;cat;1.5;2;20;30\nd/b.png;;;;;\n"},
    ],
    "geojson": [
        {"a.geojson": b'{"type":"FeatureCollection","features":[{"type":"Feature","geometry":{"type":"Polygon",'
         b'"coordinates":'
         b'[[[1,1],[30,1],[30,30],[1,1]],[[5,5],[9,5],[9,9],[5,5]]]},"properties":{"classification":{"name":"cat"}}},'
         b'{"type":"Feature","geometry":{"type":"MultiPoint","coordinates":[[1,2],[3,4]]},'
         b'"properties":{"classification":'
         b'{"name":"dog"}}},{"type":"Feature","geometry":{"type":"LineString","coordinates":[[1,2],[3,4]]},'
         b'"properties":'
         b'{"classification":{"name":"dog"}}}]}'},
    ],
    "cityscapes": [
        {"a_gtFine_polygons.json": b'{"imgHeight":48,"imgWidth":64,"objects":[{"label":"road","polygon":[[0,20],'
         b'[63,20],'
         b'[63,47],[0,47]]},{"label":"out of roi","polygon":[[0,0],[9,0],[9,4]]},{"label":"cargroup",'
         b'"polygon":[[3,3],[8,3],'
         b'[8,8]]}]}'},
    ],
    "whats-the-point": [
        {".json": b'{"a":[{"x":25.38,"y":32.39,"rank":1,"cls":16},{"x":3.5,"y":4,"cls":8,"rank":2}],"d/b":[]}'},
    ],
    "scribblesup": [
        {"a.xml": b"<annotation>"
         b"<size><width>64</width><height>48</height></size><polygon><tag>plane</tag><point><X>10</X>"
         b"<Y>20</Y></point><point><X>40</X><Y>22</Y></point></polygon></annotation>"},
    ],
    "voc": [
        {"a.xml": b"<annotation>"
         b"<filename>a.jpg</filename><size><width>64</width><height>48</height><depth>3</depth></size>"
         b"<object><name>cat</name><bndbox><xmin>2</xmin><ymin>1</ymin><xmax>30</xmax><ymax>30</ymax></bndbox></object>"
         b"</annotation>"},
    ],
    "paint": [
        {"project.json": b'{"underpaint": "paint", "version": 1, "id": "p", "classes": [{"name": "cat", "color": '
         b'"#e69f00", "key": "1"}, {"name": "dog", "color": "#56b4e9", "key": null}]}',
         "strokes/me-1.jsonl": b'{"id":"a","n":1,"at":9.5,"image":"a","op":"add","hint":{"kind":"scribble",'
         b'"class":"cat","points":[[3.5,3.5],[6,4]],"width":3}}\n{"id":"b","n":2,"at":10,"image":"a","op":"tags","present":["cat"],'
         b'"absent":["dog"],"boxed":[]}\n{"id":"c","n":3,"at":11,"image":"d/b","op":"add","hint":{"kind":"polygon",'
         b'"class":"dog","points":[[1,1],[9,1],[9,9]],"holes":[]}}\n{"id":"d","n":4,"at":12,"image":"a","op":"delete",'
         b'"target":"a"}\n{"id":"e","n":5,"at":12,"image":"a","op":"state","state":"done"}\n'},
    ],
    "tags": [
        {".csv": b"image,cat,dog,plane\na.png,1,0,\nd/b.png,,1,1.0\n"},
        {".csv": b"image,tags\na.png,cat;dog\nd/b.png,\n"},
        {".csv": b"id,File Name,label,split\n1,a.png,cat,train\n2,a.png,dog,train\n"},
        {".csv": b"image,cat,dog\na.png,yes,no\nd/b.png,?,TRUE\n"},
    ],
}  # fmt: skip
"""Files by their name within the folder; a name that is an ending alone is one file."""

REAL: dict[str, tuple[str, int]] = {
    "whats-the-point": ("voc_sample/voc_whats_the_point.json", 1),
    "scribblesup": ("voc_sample/scribbles/**/*.xml", 2),
    "voc": ("voc_sample/VOC2012/Annotations/*.xml", 2),
}
"""Where real files lie below the folder of real data, and how many of the smallest are taken."""

REAL_BYTES = 8192
"""Larger ones cost speed and teach readers nothing new."""


def make_root(root: Path) -> None:
    """A data set of two tiny photographs and a mask, which some readers ask for sizes."""
    for name in IMAGES:
        file = root / "images" / f"{name}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (SIZE[1], SIZE[0])).save(file)
    write_index_mask(root / "masks" / "a.png", _index(), TABLE)


def _index() -> np.ndarray:
    index = np.full(SIZE, 255, np.uint8)
    index[5:20, 5:30], index[25:40] = 1, 0
    return index


def write_seeds(form: Format, folder: Path, root: Path, real: Path) -> list[Path]:
    """The seeds of a format below ``folder``: the files or folders that its reader takes.

    Raises:
        RuntimeError: there is none, so that the format would go untested.
    """
    seeds = [*_written(form, folder, root), *_literal(form, folder), *_real(form, folder, real)]
    if form.name == "masks":
        write_index_mask(folder / "masks" / "a.png", _index(), TABLE)
        seeds.append(folder / "masks")
    if not seeds:
        raise RuntimeError(f"no seed for the format {form.name!r}: add one to LITERAL")
    return seeds


def _written(form: Format, folder: Path, root: Path) -> Iterator[Path]:
    ending = re.search(r"\.\w+", form.layout)
    for i, sample in enumerate(SAMPLES):
        if form.name == "masks" and not (sample.mask or sample.regions or sample.scribbles or sample.clicks):
            continue  # the picture would be void throughout
        path = folder / f"written{i}{ending[0] if ending and form.layout.startswith('one ') else ''}"
        try:
            files = {name: f"{name}.png" for name in IMAGES}
            form.write(path, [sample], Writing(TABLE, files, DataFolder(root, TABLE, {}, {}, {}).labels))
        except UnderpaintError:  # the format does not hold this
            continue
        if path.exists() and any(file.stat().st_size for file in _files(path)):
            yield path


def _literal(form: Format, folder: Path) -> Iterator[Path]:
    for i, files in enumerate(LITERAL.get(form.name, ())):
        for name, content in files.items():
            path = folder / (f"literal{i}{name}" if name.startswith(".") else f"literal{i}/{name}")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        yield folder / (f"literal{i}{name}" if name.startswith(".") else f"literal{i}")


def _real(form: Format, folder: Path, real: Path) -> Iterator[Path]:
    pattern, count = REAL.get(form.name, ("", 0))
    found = sorted((file.stat().st_size, file) for file in real.glob(pattern)) if pattern and real.is_dir() else []
    for i, (size, file) in enumerate(found[:count]):
        if size <= REAL_BYTES:
            path = folder / f"real{i}" / file.name
            path.parent.mkdir(parents=True)
            path.write_bytes(file.read_bytes())
            yield path


def _files(path: Path) -> list[Path]:
    return [file for file in path.rglob("*") if file.is_file()] if path.is_dir() else [path]
