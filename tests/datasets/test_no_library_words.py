"""Files that cannot be read: the message says why in plain words, and never in those of a parser or a codec."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from PIL import Image

from underpaint.core.errors import UnderpaintError
from underpaint.datasets.hints import read_any_hints
from underpaint.datasets.open import open_dataset

LIBRARY = re.compile(r"codec|Expecting|expected|not well-formed|found |tag:yaml|Errno|Error\b|\[\]|None")
"""Words of Python's codecs, of its parsers of JSON and XML, of PyYAML and of Python's own values."""

NAME = "kätze"
COCO = '{"images": [], "annotations": [], "categories": [{"id": 1, "name": "NAME"}]}'.replace("NAME", NAME)
VOC = f"<annotation><filename>x.png</filename><object><name>{NAME}</name></object></annotation>"
FILES = {
    "classes.txt": f"background\n{NAME}\n",
    "tags.csv": f"image,{NAME}\nx,1\n",
    "boxes.csv": f"filename,xmin,ymin,xmax,ymax,class\nx.png,1,1,5,5,{NAME}\n",
    "coco.json": COCO,
    "hints.jsonl": '{"underpaint": "hints", "version": 1}\n{"image": "x", "tags": {"present": ["ä"]}}\n',
    "data.yaml": f"names: [{NAME}]\n",
    "images/x.xml": VOC,
    "splits/train.txt": "x\nä\n",
}


def read(root: Path, name: str, content: bytes) -> str:
    """The error of a data set with this file."""
    (root / "images").mkdir()
    Image.new("RGB", (20, 20)).save(root / "images/x.png")
    if name.startswith("splits"):
        (root / "classes.txt").write_text("background\ncat\n")
    if name == "data.yaml":
        (root / "labels").mkdir()
        (root / "labels/x.txt").write_text("0 .5 .5 .2 .2\n")
    (root / name).parent.mkdir(exist_ok=True)
    (root / name).write_bytes(content)
    with pytest.raises(UnderpaintError) as raised:
        read_whole(root, root / name)
    return str(raised.value)


def read_whole(root: Path, file: Path) -> None:
    data = open_dataset(root)
    read_any_hints(data.annotations or file, data)


@pytest.mark.parametrize("name", FILES)
def test_a_text_of_another_encoding(name: str, tmp_path: Path) -> None:
    said = read(tmp_path, name, FILES[name].encode("latin-1"))
    assert Path(name).name in said
    assert "UTF-8" in said
    assert not LIBRARY.search(said)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("classes.txt", "", "the class table has no class"),
        ("classes.txt", "cat\n\ndog\n", "class 1 has no name"),
        ("classes.txt", "cat\ndog\ncat\n", "class names must be unique; repeated: cat"),
        ("classes.txt", "\x1b[31mcat\ndog\n", "names of classes contain control characters: '\\x1b[31mcat'"),
        ("classes.txt", "\n".join(map(str, range(300))), "the class table has 300 classes"),
        ("hints.jsonl", '{"underpaint": "hints", "version": 1}\n{"image": "x", "cl', "it ends too early"),
        ("hints.jsonl", '{"underpaint": "hints", "version": 1}\n{"image" "x"}\n', "column 10: a colon is missing"),
        ("coco.json", COCO[:-1] + ",}", "comma"),
        ("data.yaml", "names: [cat\n", "a bracket is not closed"),
        ("data.yaml", "names: !!python/object:os.system x\n", "a tag such as !name is not accepted"),
        ("data.yaml", "names:\n\t- cat\n", "a tab; indent with blanks"),
        ("data.yaml", "names: a: b\n", "a colon where none is allowed"),
        ("images/x.xml", VOC.replace("</name>", "</nam>"), "an end tag does not belong to the start tag before it"),
        ("images/x.xml", VOC[:60], "ends too early"),
        ("images/x.xml", VOC.replace(NAME, "&nbsp;"), "an entity that is not defined"),
        ("images/x.xml", f'<?xml version="1.0" encoding="x-none"?>{VOC}', "unknown encoding"),
        ("tags.csv", 'image,cat\n"x,1\n', "a quotation mark is not closed"),
    ],
)
def test_a_text_that_breaks_the_rules_of_its_format(name: str, content: str, words: str, tmp_path: Path) -> None:
    said = read(tmp_path, name, content.encode())
    assert words in said
    assert Path(name).name in said
    assert not LIBRARY.search(said)
