"""Pipes, devices and links to themselves in the place of any file of any format: nothing waits, nothing is read."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from PIL import Image
from tests.annotations.foreign import FOREIGN

from underpaint.annotations.format import Format, Reading, Writing
from underpaint.annotations.registry import FORMATS, recognise
from underpaint.core.classes import ClassTable
from underpaint.core.errors import UnderpaintError
from underpaint.datasets.convert import plan_conversion
from underpaint.doctor import examine
from underpaint.hints.types import Box, Click, Hints, Polygon, Scribble, Tags

TABLE = ClassTable.of(["background", "cat", "dog", "person", "car"])
SIZE = (40, 60)
RING = ((2.0, 3.0), (30.0, 4.0), (25.0, 33.0))
SAID = (
    Hints("a", SIZE, shapes=(Polygon("car", RING),)),
    Hints("a", SIZE, shapes=(Box("cat", 1.0, 2.0, 30.0, 35.0),)),
    Hints("a", SIZE, shapes=(Scribble("cat", ((1.5, 2.5), (20.0, 30.0))),), tags=Tags(frozenset({"cat"}))),
    Hints("a", SIZE, shapes=(Click("cat", 3.5, 4.5),)),
)

KINDS: dict[str, Callable[[Path], None]] = {
    "pipe": lambda path: os.mkfifo(path),
    "device": lambda path: path.symlink_to("/dev/zero"),
    "itself": lambda path: path.symlink_to(path),
}


@pytest.fixture(autouse=True)
def in_time() -> Iterator[None]:
    """A pipe that is opened would be waited for without end; here it ends in an error after 20 seconds."""

    def ring(number: int, frame: object) -> None:
        raise TimeoutError("waited for 20 seconds")

    before = signal.signal(signal.SIGALRM, ring)
    signal.alarm(20)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def written(form: Format, root: Path) -> Path:
    """A data set of one photograph, and beside it the hints of the first kind that a format holds."""
    (root / "images").mkdir(parents=True)
    Image.new("RGB", SIZE[::-1]).save(root / "images" / "a.png")
    endings = [word for word in form.layout.split() if word.startswith(".")]
    path = root / f"hints{endings[0] if form.one_file else ''}"
    if form.name in FOREIGN:
        FOREIGN[form.name](path, ["a"])
        return path
    for said in SAID:
        with suppress(UnderpaintError):
            form.write(path, [said], Writing(TABLE, {"a": "a.png"}))
            found = form.hints(path, Reading(TABLE, root, {"a": root / "images" / "a.png"}))
            if any(one.kinds() for one in found.values()):
                return path
    raise AssertionError(f"no sample for {form.name}")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("form", FORMATS, ids=lambda form: str(form.name))
def test_no_reader_waits_for_what_is_no_file(tmp_path: Path, form: Format, kind: str) -> None:
    path = written(form, tmp_path / "set")
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    reading = Reading(TABLE, tmp_path / "set", {"a": tmp_path / "set" / "images" / "a.png"})
    steps: list[Callable[[], object]] = [
        lambda: recognise(path),
        lambda: form.hints(path, reading),
        lambda: form.classes(path) if form.classes is not None else None,
        lambda: form.images(path) if form.images is not None else None,
        lambda: plan_conversion(path, to="underpaint"),
        lambda: plan_conversion(tmp_path / "set", to="underpaint"),
    ]
    for file in files:
        content = file.read_bytes()
        file.unlink()
        KINDS[kind](file)
        for step in steps:
            with suppress(UnderpaintError):
                step()
        file.unlink()
        file.write_bytes(content)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("place", ["images/b.png", "masks/a.png", "classes.txt", "splits/train.txt", "hints.jsonl"])
def test_the_doctor_names_what_is_no_file(tmp_path: Path, place: str, kind: str) -> None:
    for folder in ("images", "masks", "splits"):
        (tmp_path / folder).mkdir()
    Image.new("RGB", SIZE[::-1]).save(tmp_path / "images" / "a.png")
    Image.new("P", SIZE[::-1]).save(tmp_path / "masks" / "a.png")
    (tmp_path / "classes.txt").write_text("background\ncat\n")
    (tmp_path / place).unlink(missing_ok=True)
    KINDS[kind](tmp_path / place)
    hints = [tmp_path / place] if place == "hints.jsonl" else []
    try:
        findings = examine(tmp_path, hints=hints).findings
    except UnderpaintError as error:
        said = str(error)
    else:
        said = "\n".join(f"{one.what} {one.cause} {one.names}" for one in findings)
    assert Path(place).stem in said or "class" in said
