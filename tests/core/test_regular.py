"""Pipes, devices and sockets in the place of files: refused at once, in words."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from underpaint.annotations.cvat import read_cvat
from underpaint.annotations.jsonl import read_hints
from underpaint.annotations.parsing.sniff import holds
from underpaint.annotations.parsing.xml_text import read_xml
from underpaint.annotations.tags_csv import read_tags
from underpaint.core.classes import read_classes
from underpaint.core.config import load_yaml
from underpaint.core.errors import UnderpaintError
from underpaint.core.json_text import read_json, read_text
from underpaint.core.regular import open_regular, read_regular, read_regular_text
from underpaint.datasets.splits import read_splits
from underpaint.imagefiles.images import image_size, read_rgb
from underpaint.imagefiles.masks import mask_size
from underpaint.imagefiles.numbering import VOC


def make_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as bound:
        here = Path.cwd()
        os.chdir(path.parent)  # the name of a socket is short
        try:
            bound.bind(path.name)
        finally:
            os.chdir(here)


def link_to_a_pipe(path: Path) -> None:
    os.mkfifo(f"{path}.pipe")
    path.symlink_to(f"{path}.pipe")


NO_FILES: dict[str, tuple[Callable[[Path], object], str]] = {
    "pipe": (lambda path: os.mkfifo(path), "a named pipe"),
    "link to a pipe": (link_to_a_pipe, "a named pipe"),
    "device": (lambda path: path.symlink_to("/dev/zero"), "a device"),
    "socket": (make_socket, "a socket"),
    "folder": (lambda path: path.mkdir(), "a folder"),
    "link to itself": (lambda path: path.symlink_to(path), "a link that leads back to itself"),
}

READERS: dict[str, Callable[[Path], object]] = {
    "photograph": read_rgb,
    "size": image_size,
    "mask": mask_size,
    "classes": read_classes,
    "split": lambda path: read_splits([path], {}),
    "recipe": load_yaml,
    "hints": read_hints,
    "json": read_json,
    "text": read_text,
    "xml": lambda path: read_xml(path, "annotation"),
    "cvat": read_cvat,
    "table": lambda path: read_tags(path, VOC),
    "beginning": lambda path: holds(path, "x"),
}


@pytest.mark.parametrize("kind", NO_FILES)
@pytest.mark.parametrize("reader", READERS)
def test_every_reader_refuses_what_is_no_file(tmp_path: Path, kind: str, reader: str) -> None:
    make, said = NO_FILES[kind]
    path = tmp_path / "a"
    make(path)
    with pytest.raises(UnderpaintError) as refused:
        READERS[reader](path)
    assert said in str(refused.value)
    assert str(path) in str(refused.value)


def test_the_limit_is_of_bytes(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"\xef\xbb\xbfabc")
    assert read_regular(path, max_bytes=6) == b"\xef\xbb\xbfabc"
    assert read_regular_text(path, max_bytes=6) == "abc"
    for read in (open_regular, read_regular, read_regular_text):
        with pytest.raises(OSError, match="has 6 bytes, and such a file may have at most 5"):
            read(path, max_bytes=5)


def test_a_file_that_says_nothing_of_its_size_is_bounded_too() -> None:
    status = Path("/proc/self/status")
    if not status.exists():
        pytest.skip("no /proc: no file whose stated size is 0 while it has content")
    with pytest.raises(OSError, match="at most 10"):
        read_regular(status, max_bytes=10)


def test_class_lists_are_read_in_a_time_that_grows_with_their_length(tmp_path: Path) -> None:
    path = tmp_path / "classes.txt"
    path.write_text("background\na" + " " * 400_000 + "b\ncat\n")
    with pytest.raises(UnderpaintError, match="line 2 of the class list has 400002 characters"):
        read_classes(path)
    path.write_text("background\n" + "".join(f"a{i}{' 1' * 490}\n" for i in range(200)))
    assert len(read_classes(path)) == 201


@pytest.mark.parametrize(
    ("line", "name", "colour"),
    [
        ("cat 1 2 3", "cat", (1, 2, 3)),
        ("black cat, 1,2,3", "black cat", (1, 2, 3)),
        ("cat;1 ,2 3", "cat", (1, 2, 3)),
        ("cat 1 2 3 4", "cat 1", (2, 3, 4)),
        ("cat 1 2", "cat 1 2", None),
        ("1 2 3", "1 2 3", None),
        ("cat 1 2 1000", "cat 1 2 1000", None),
        ("cat1 2 3", "cat1 2 3", None),
    ],
)
def test_names_and_colours_of_a_line(tmp_path: Path, line: str, name: str, colour: tuple[int, int, int] | None) -> None:
    path = tmp_path / "classes.txt"
    path.write_text(f"{line}\nother\n")
    table = read_classes(path)
    assert table.names == (name, "other")
    if colour is not None:
        assert table.colours[0] == colour
