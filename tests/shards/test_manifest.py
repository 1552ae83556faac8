"""What a manifest names, and what of it is left out."""

import io
import json
import sys
import tarfile
import tracemalloc
from pathlib import Path

import pytest
from tests.shards.conftest import draw

from underpaint.core.errors import DataError
from underpaint.shards.items import Item, LeftOut
from underpaint.shards.manifest import entries, is_manifest
from underpaint.shards.plan import make_plan


def found(source: str) -> dict[str, str]:
    """The items by name; nothing may be left out."""
    every = list(entries(source))
    assert all(isinstance(one, Item) for one in every), every
    return {one.name: one.at for one in every if isinstance(one, Item)}


def refused(source: str) -> list[tuple[str, str]]:
    return [(one.where, one.reason) for one in entries(source) if isinstance(one, LeftOut)]


def lines(path: Path, *rows: object) -> str:
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
    return str(path)


NAMES = [f"{i:04d}" for i in range(8)] + ["trip/0000", "trip/0001"]


def test_a_folder_a_pattern_and_lists_name_the_same_images(album: Path, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed (extra parquet)")
    import pyarrow

    want = {name: str(album / f"{name}.png") for name in NAMES}
    rows = [{"image": f"album/{name}.png", "name": name} for name in NAMES]
    parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "list.parquet")
    assert found(str(album)) == want
    assert found(f"{album}/**/*.png") == want
    assert found(lines(tmp_path / "list.jsonl", *rows)) == want
    assert found(str(tmp_path / "list.parquet")) == want
    assert found(f"{album}/*.png") == {name: at for name, at in want.items() if "/" not in name}
    assert found(f"{album}/000[1-3].png").keys() == {"0001", "0002", "0003"}
    assert found(f"{album}/000[!1-3].png").keys() == {"0000", "0004", "0005", "0006", "0007"}


def test_the_name_of_an_address_without_a_name_is_its_path(tmp_path: Path) -> None:
    rows = [{"image": image} for image in ("s3://bucket/a/b.c.jpg", "/data/x.png", "y")]
    listed = lines(tmp_path / "list.jsonl", *rows)
    assert found(listed) == {"bucket/a/b.c": "s3://bucket/a/b.c.jpg", "data/x": "/data/x.png", "y": f"{tmp_path}/y"}


def test_addresses_of_a_back_end_are_walked_and_matched(tmp_path: Path) -> None:
    import fsspec

    files = fsspec.filesystem("memory")
    for name in ("album/b.png", "album/a.jpg", "album/sub/c.png", "album/notes.txt", "album/.hidden.png"):
        files.pipe(f"/manifests/{name}", b"x")
    files.pipe("/manifests/list.jsonl", b'{"image": "album/a.jpg"}\n')
    assert list(found("memory://manifests/album")) == ["a", "b", "sub/c"]
    assert list(found("memory://manifests/album/*.png")) == ["b"]
    assert found("memory://manifests/list.jsonl") == {"album/a": "memory://manifests/album/a.jpg"}
    with pytest.raises(DataError, match="cannot be listed"):
        found("memory://nowhere/at/all")


def test_images_in_archives_are_found_without_unpacking(tmp_path: Path) -> None:
    (first, second) = draw(tmp_path / "in", 2)
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        tar.add(first, "x/0.png")
        tar.addfile(tarfile.TarInfo("x/0.json"), io.BytesIO())
        tar.add(second, "./1.png")
    items = [one for one in entries(str(tmp_path / "*.tar")) if isinstance(one, Item)]
    assert [one.name for one in items] == ["a/x/0", "a/1"]
    content = (tmp_path / "a.tar").read_bytes()
    for one, source in zip(items, (first, second), strict=True):
        assert one.start is not None
        assert content[one.start : one.start + one.length] == source.read_bytes()


def test_damaged_archives_cost_what_lies_behind_the_damage(tmp_path: Path) -> None:
    paths = draw(tmp_path / "in", 3)
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        for path in paths:
            tar.add(path, path.name)
    whole = (tmp_path / "a.tar").read_bytes()
    cut = whole.index(b"0002.png")
    (tmp_path / "a.tar").write_bytes(whole[:cut] + b"\xff" * 200 + whole[cut + 200 :])
    with tarfile.open(tmp_path / "b.tar", "w:gz") as tar:
        tar.add(paths[0], "0.png")
    (left, why), (other, _) = refused(str(tmp_path / "*.tar"))
    assert left.endswith("a.tar")
    assert "after its first 2 images" in why
    assert other.endswith("b.tar")


def test_lines_that_name_no_image_are_counted_and_named(tmp_path: Path) -> None:
    listed = lines(
        tmp_path / "list.jsonl",
        {"image": "a.png"},
        "{not json",
        "",
        {"picture": "b.png"},
        {"image": 7},
        {"image": "../../c.png"},
        {"image": "d.png", "name": "../d"},
        {"image": "e.png", "name": "/e"},
        {"image": "f.png", "name": 3},
        "[" * 5000,
        json.dumps({"image": "x" * 70000}),
        {"image": "g.png"},
    )
    where = [f"line {number}" for number in (2, 4, 5, 6, 7, 8, 9, 10, 11)]
    assert [at for at, _ in refused(listed)] == where
    assert [one.name for one in entries(listed) if isinstance(one, Item)] == ["a", "g"]
    reasons = dict(refused(listed))
    assert "not valid JSON" in reasons["line 2"]
    assert "leads out of the folder" in reasons["line 7"]
    assert "longer than" in reasons["line 11"]


def test_of_names_twice_the_first_counts(tmp_path: Path) -> None:
    rows = [{"image": f"{i}.png", "name": f"n{i % 7}"} for i in range(20)]
    plan = make_plan(tmp_path / "plan", entries(lines(tmp_path / "l.jsonl", *rows)), size=3, stamp={}, source="l.jsonl")
    assert [(one.name, Path(one.at).name) for i in range(3) for one in plan.items(i)] == [
        (f"n{i}", f"{i}.png") for i in range(7)
    ]
    assert (plan.images, plan.left_out, len(plan.starts)) == (7, 13, 3)
    assert [Path(one.where).name for one in plan.reasons()] == [f"{i}.png" for i in range(7, 20)]


def test_a_back_end_that_is_not_installed_is_named() -> None:
    with pytest.raises(DataError) as refusal:
        list(entries("dropbox://folder/list.jsonl"))
    assert "dropbox" in str(refusal.value)
    assert "install" in str(refusal.value).lower()
    with pytest.raises(DataError, match="cannot be used"):
        list(entries("nonsense://folder/list.jsonl"))


def test_parquet_without_its_package_or_its_column(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed (extra parquet)")
    import pyarrow

    parquet.write_table(pyarrow.table({"path": ["a.png"]}), tmp_path / "l.parquet")
    with pytest.raises(DataError, match="the columns are path"):
        list(entries(str(tmp_path / "l.parquet")))
    (tmp_path / "l.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(DataError, match="cannot be read"):
        list(entries(str(tmp_path / "l.parquet")))
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(DataError, match=r"underpaint\[parquet\]"):
        list(entries(str(tmp_path / "l.parquet")))


def test_what_is_a_manifest(tmp_path: Path) -> None:
    (tmp_path / "odd[1]").mkdir()
    for text in ("a.jsonl", "a.parquet", "x/a.tar", "photos/*.jpg", "s3://bucket/photos"):
        assert is_manifest(text), text
    for text in ("photos", "a.jpg", str(tmp_path / "odd[1]")):
        assert not is_manifest(text), text
    with pytest.raises(DataError, match="neither a folder"):
        list(entries(str(tmp_path / "nothing")))


def test_planning_holds_a_few_bytes_an_image(tmp_path: Path) -> None:
    count = 30_000
    listed = lines(tmp_path / "l.jsonl", *({"image": f"s3://bucket/{'x' * 100}/{i}.jpg"} for i in range(count)))
    make_plan(tmp_path / "before", entries(listed), size=100, stamp={}, source=listed)  # fills the caches of Python
    tracemalloc.start()
    plan = make_plan(tmp_path / "plan", entries(listed), size=100, stamp={}, source=listed)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert plan.images == count
    assert peak < 30 * count  # a list of the names alone takes 150 bytes for each
