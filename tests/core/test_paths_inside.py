"""Names and links that would leave a folder: refused for every reader of names and every writer below a folder."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from underpaint.annotations.jsonl import read_hints, write_hints
from underpaint.core.atomic import atomic_folder, within, write_atomic
from underpaint.core.errors import DataError, FormatError, HintError, UnderpaintError
from underpaint.core.paths import leads_out, lies_in, real, those_in
from underpaint.datasets.convert import plan_conversion
from underpaint.datasets.hints import read_any_hints
from underpaint.datasets.open import open_dataset
from underpaint.doctor import examine
from underpaint.hints.types import Hints

OUTSIDE = (
    "../secret/x.png",
    "masks/../../secret/x.png",
    "/etc/x.png",
    "..",
    "",
    ".",
    "a\\..\\b.png",
    "a\0.png",
    "/",
    "a\ud800.png",
)
INSIDE = (
    "x.png",
    "masks/x.png",
    "..x.png",
    "a/...png",
    "./a.png",
    "~/a.png",
    "C:/a.png",
    "%2e%2e/a.png",
    "a\udcff.png",
)


def test_names_that_lead_out() -> None:
    assert [name for name in OUTSIDE if not leads_out(name)] == []
    assert [name for name in INSIDE if leads_out(name)] == []


def test_links_are_followed_to_their_end(tmp_path: Path) -> None:
    inner, outer = tmp_path / "inner", tmp_path / "outer"
    inner.mkdir()
    outer.mkdir()
    (inner / "out").symlink_to(outer)
    (inner / "up").symlink_to("..")
    (inner / "here").symlink_to(".")
    (inner / "self").symlink_to("self")
    (tmp_path / "door").symlink_to(inner)
    names = ("a/b", "out/a", "up", "here/here/a", "self", "up/inner")
    seen = {name: lies_in(inner / name, inner) for name in names}
    assert list(those_in([inner / name for name in names], inner)) == [inner / name for name in names if seen[name]]
    assert seen == {"a/b": True, "out/a": False, "up": False, "here/here/a": True, "self": True, "up/inner": True}
    assert lies_in(tmp_path / "door" / "a", inner)
    assert real(tmp_path / "door" / "a") == real(inner) / "a"


def test_nothing_is_written_through_a_link_out_of_the_folder(tmp_path: Path) -> None:
    out, outer = tmp_path / "out", tmp_path / "outer"
    (out / "trip").mkdir(parents=True)
    outer.mkdir()
    (out / "probabilities").symlink_to(outer)
    (out / "trip" / "b").symlink_to("../../outer")
    (out / "name.txt").symlink_to(outer / "kept.txt")
    (outer / "kept.txt").write_text("kept")
    for place in ("probabilities/a.npz", "probabilities/deep/a.npz", "trip/b/a.png"):
        with pytest.raises(DataError, match="link that leads out"):
            write_atomic(out / place, b"x", root=out)
        with pytest.raises(DataError, match="link that leads out"):
            within(out, place)
        with pytest.raises(DataError, match="link that leads out"), atomic_folder(out / place, root=out):
            pass
    write_atomic(out / "name.txt", b"new", root=out)  # a link in the place of the file itself is replaced, not followed
    assert (out / "name.txt").read_text() == "new"
    assert {path.name: path.read_text() for path in outer.iterdir()} == {"kept.txt": "kept"}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A data set of one photograph, and beside it a label picture that is not part of it."""
    root = tmp_path / "set"
    (root / "images").mkdir(parents=True)
    (root / "labels").mkdir()
    (tmp_path / "secret").mkdir()
    Image.new("RGB", (6, 4), (9, 80, 3)).save(root / "images" / "p.png")
    (root / "classes.txt").write_text("background\ncat\ndog\n")
    labels = np.zeros((4, 6), np.uint8)
    labels[1:3, 1:3] = 2
    for place in (tmp_path / "secret" / "x.png", root / "labels" / "p.png"):
        picture = Image.fromarray(labels)
        picture.putpalette(list(range(256)) * 3)
        picture.save(place)
    return root


def hints_naming(root: Path, mask: str) -> Path:
    record = {"image": "p", "height": 4, "width": 6, "mask": mask}
    (root / "hints.jsonl").write_text(f'{{"underpaint": "hints", "version": 1}}\n{json.dumps(record)}\n')
    return root / "hints.jsonl"


def places(root: Path) -> list[str]:
    """Names of the label picture beside the data set, and of what is no file."""
    (root / "out.png").symlink_to("../secret/x.png")
    (root / "doors").symlink_to("../secret")
    os.mkfifo(root / "labels" / "pipe.png")
    (root / "labels" / "zero.png").symlink_to("/dev/zero")
    outside = str(root.parent / "secret" / "x.png")
    return [outside, "../secret/x.png", "out.png", "doors/x.png", "/dev/zero", "labels/zero.png", "labels/pipe.png"]


def test_a_hints_file_names_no_label_picture_outside_of_its_data_set(root: Path, tmp_path: Path) -> None:
    for i, mask in enumerate(places(root)):
        path = hints_naming(root, mask)
        with pytest.raises(UnderpaintError, match=r"below the data set's folder|a named pipe"):
            plan_conversion(root, to="masks").write(tmp_path / f"out{i}")
        assert not (tmp_path / f"out{i}").exists()
        assert examine(root, hints=[path]).blocks
        if mask != "labels/pipe.png":  # that one is met when it is decoded
            with pytest.raises(FormatError, match=r"hints\.jsonl:2"):
                read_any_hints(path, open_dataset(root))


def test_one_within_it_is_read(root: Path, tmp_path: Path) -> None:
    (root / "near").symlink_to("labels")
    for mask in ("labels/p.png", "near/p.png"):
        hints_naming(root, mask)
        plan_conversion(root, to="masks").write(tmp_path / mask.split("/")[0])
        copied = np.asarray(Image.open(tmp_path / mask.split("/")[0] / "p.png"))
        assert (copied == 2).sum() == 4
    assert read_hints(root / "hints.jsonl")["p"].mask == "near/p.png"


def test_no_hints_file_is_written_that_could_not_be_read(tmp_path: Path) -> None:
    for mask in ("../a.png", "/a.png", "a\\b.png"):
        with pytest.raises(HintError, match="outside of the data set"):
            write_hints(tmp_path / "hints.jsonl", [Hints("a", mask=mask)])
    assert not (tmp_path / "hints.jsonl").exists()
