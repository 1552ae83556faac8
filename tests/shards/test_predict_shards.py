"""Shards of masks: their content, what is refused, and going on after any interruption."""

import json
import shutil
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.shards.conftest import draw

import underpaint
from underpaint.core.errors import ConfigError, DataError, RunError
from underpaint.shards.read import read_index


def tree(out: Path) -> dict[str, bytes]:
    """Every file of the shards by its path."""
    return {p.relative_to(out).as_posix(): p.read_bytes() for p in sorted((out / "shards").rglob("*")) if p.is_file()}


def test_shards_hold_the_masks_of_the_folder_prediction(run: Path, album: Path, tmp_path: Path) -> None:
    underpaint.predict(run, album, tmp_path / "masks")
    made = underpaint.predict_shards(run, album, tmp_path / "out", size=4)
    assert (made.shards, made.images, made.masks, made.failed, made.left_out) == (3, 10, 10, 0, 0)
    masks = dict(underpaint.read_shards(tmp_path / "out"))
    assert list(masks) == [f"{i:04d}" for i in range(8)] + ["trip/0000", "trip/0001"]
    for name, mask in masks.items():
        with Image.open(tmp_path / "masks" / f"{name}.png") as image:
            np.testing.assert_array_equal(mask, np.array(image))
    rows = {row["image"]: row for row in read_index(tmp_path / "out")}
    classes = len(underpaint.load_run(run).classes)
    for name, mask in masks.items():
        assert (rows[name]["height"], rows[name]["width"]) == mask.shape
        assert rows[name]["pixels"] == [int((mask == c).sum()) for c in range(classes)]
    with tarfile.open(tmp_path / "out" / "shards" / "000002" / "masks.tar") as tar:
        file = tar.extractfile("trip/0001.png")
        assert file is not None
        assert file.read() == (tmp_path / "masks" / "trip" / "0001.png").read_bytes()


@pytest.mark.slow
def test_several_processes_give_the_same_bytes(run: Path, album: Path, tmp_path: Path) -> None:
    underpaint.predict_shards(run, album, tmp_path / "one", size=3)
    said: list[tuple[int, int, int]] = []
    two = underpaint.predict_shards(
        run, album, tmp_path / "two", size=3, jobs=2, on_progress=lambda *now: said.append(now)
    )
    assert tree(tmp_path / "two") == tree(tmp_path / "one")
    assert two.masks == 10
    assert said[0] == (0, 10, 0)
    assert said[-1] == (10, 10, 0)
    assert not list((tmp_path / "two" / "claims").iterdir())


def test_archives_and_addresses_give_the_masks_of_files(run: Path, album: Path, tmp_path: Path) -> None:
    import fsspec

    files = fsspec.filesystem("memory")
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        for path in sorted(album.glob("*.png")):
            tar.add(path, path.name)
            files.pipe(f"/shards/{path.name}", path.read_bytes())
    underpaint.predict_shards(run, f"{album}/*.png", tmp_path / "files")
    underpaint.predict_shards(run, tmp_path / "a.tar", tmp_path / "tar")
    underpaint.predict_shards(run, "memory://shards", tmp_path / "memory")
    want = dict(underpaint.read_shards(tmp_path / "files"))
    assert len(want) == 8
    for source, before in (("tar", "a/"), ("memory", "")):
        masks = dict(underpaint.read_shards(tmp_path / source))
        assert list(masks) == [before + name for name in want]
        for name, mask in want.items():
            np.testing.assert_array_equal(masks[before + name], mask)


def test_unreadable_images_are_named_in_the_index(run: Path, tmp_path: Path) -> None:
    draw(tmp_path / "in", 4)
    (tmp_path / "in" / "0001.png").write_bytes(b"no image")
    whole = (tmp_path / "in" / "0002.png").read_bytes()
    (tmp_path / "in" / "0002.png").write_bytes(whole[: len(whole) // 2])
    rows = [{"image": f"in/{i:04d}.png"} for i in range(4)] + [{"image": "in/gone.png"}, {"image": "memory://x/y.png"}]
    (tmp_path / "l.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows) + "{broken\n")
    made = underpaint.predict_shards(run, tmp_path / "l.jsonl", tmp_path / "out", size=2)
    assert (made.images, made.masks, made.failed, made.left_out) == (6, 2, 4, 1)
    reasons = {row["image"]: row["reason"] for row in read_index(tmp_path / "out") if "reason" in row}
    assert reasons.keys() == {"in/0001", "in/0002", "in/gone", "x/y"}
    assert "missing" in reasons["in/gone"]
    assert [one.where for one in made.reasons()] == ["line 7"]


def test_only_missing_shards_are_made_again(run: Path, album: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    underpaint.predict_shards(run, album, out, size=3)
    before = tree(out)
    times = {path.name: path.stat().st_mtime_ns for path in (out / "shards").iterdir()}
    shutil.rmtree(out / "shards" / "000001")
    said: list[tuple[int, int, int]] = []
    underpaint.predict_shards(run, album, out, size=3, on_progress=lambda *now: said.append(now))
    assert said == [(7, 10, 0), (10, 10, 0)]
    assert tree(out) == before
    assert {n: t for n, t in times.items() if (out / "shards" / n).stat().st_mtime_ns != t}.keys() == {"000001"}


def test_what_a_killed_process_left_is_removed_at_the_end(run: Path, album: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    underpaint.predict_shards(run, album, out, size=5)
    before = tree(out)
    shutil.rmtree(out / "shards" / "000001")
    left = out / "shards" / ".000001.72c490674161.underpaint.tmp"
    left.mkdir()
    (left / "masks.tar").write_bytes(b"")
    underpaint.predict_shards(run, album, out, size=5)
    assert tree(out) == before


def test_other_settings_runs_manifests_and_folders_are_refused(run: Path, album: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    underpaint.predict_shards(run, album, out, size=4, engine="torch")
    before = tree(out)
    with pytest.raises(DataError, match="another setting flip"):
        underpaint.predict_shards(run, album, out, size=4, engine="torch", flip=True)
    with pytest.raises(DataError, match="another images of a shard"):
        underpaint.predict_shards(run, album, out, size=5, engine="torch")
    draw(tmp_path / "album" / "new", 1)
    with pytest.raises(DataError, match="the manifest has 11 images"):
        underpaint.predict_shards(run, album, out, size=4, engine="torch")
    shutil.rmtree(tmp_path / "album" / "new")
    other = tmp_path / "other"
    shutil.copytree(run, other)
    _change(other / "weights.safetensors")
    with pytest.raises(DataError, match="another network"):
        underpaint.predict_shards(other, album, out, size=4, engine="torch")
    assert tree(out) == before
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    with pytest.raises(DataError, match=r"letter\.txt"):
        underpaint.predict_shards(run, album, tmp_path / "mine")
    underpaint.predict(run, album, tmp_path / "masks")
    with pytest.raises(DataError, match="holds masks"):
        underpaint.predict_shards(run, album, tmp_path / "masks")


def _change(weights: Path) -> None:
    from safetensors import safe_open
    from safetensors.torch import load_file, save_file

    tensors = load_file(weights)
    name = next(name for name, value in sorted(tensors.items()) if value.dtype.is_floating_point)
    tensors[name] = tensors[name] + 1
    with safe_open(weights, "pt") as opened:
        save_file(tensors, weights, opened.metadata())


def test_arguments_out_of_range(run: Path, album: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="size is 0"):
        underpaint.predict_shards(run, album, tmp_path / "out", size=0)
    with pytest.raises(ConfigError, match="executor is 'spark'"):
        underpaint.predict_shards(run, album, tmp_path / "out", executor="spark")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="among the images"):
        underpaint.predict_shards(run, album, album / "out")
    (tmp_path / "l.jsonl").write_text("nothing\n")
    with pytest.raises(DataError, match="contains no image; 1 left out, the first: line 1"):
        underpaint.predict_shards(run, tmp_path / "l.jsonl", tmp_path / "out")


def test_damage_is_named(run: Path, album: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    underpaint.predict_shards(run, album, out)
    masks = out / "shards" / "000000" / "masks.tar"
    masks.write_bytes(masks.read_bytes()[:3000])
    with pytest.raises(DataError, match="remove the folder of this shard"):
        list(underpaint.read_shards(out))
    (out / "shards" / "000000" / "done.json").write_text("{")
    with pytest.raises(DataError, match="remove the folder of this shard"):
        underpaint.predict_shards(run, album, out)
    (out / "plan" / "plan.json").unlink()
    with pytest.raises(RunError, match="the plan of the shards"):
        underpaint.predict_shards(run, album, out)
    with pytest.raises(DataError, match="contains no shards"):
        list(underpaint.read_shards(album))
