import csv
import errno
import io
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from underpaint.core.classes import ClassTable
from underpaint.core.errors import ConfigError, DataError
from underpaint.core.outputs import RECORD
from underpaint.models.network import Network
from underpaint.predict import PredictConfig, Predictor, predict_folder
from underpaint.predict.summary import Row, summary_csv

Pixels = NDArray[np.uint8]
TABLE = ClassTable.of(["background", "<b>cat</b>", "dog, wet", '=cmd|" /C calc"!A0', "鳥"])
QUARTER_TURN = 6
"""EXIF orientation of a camera turned left: the stored picture must be turned right by 90 degrees."""


@pytest.fixture
def predictor(local: Network) -> Predictor:
    return Predictor(local, PredictConfig())


@pytest.fixture
def album(tmp_path: Path, photo: Pixels) -> Path:
    """Three photographs of different size and format, at different depths, one with a dot in its name."""
    folder = tmp_path / "album"
    for name, rgb in (("b.v2.png", photo[:20, :30]), ("trip/a.png", photo[40:57, :9]), ("trip/day 1/c.bmp", photo[:8])):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rgb).save(folder / name)
    return folder


def _written(out: Path) -> list[str]:
    files = (path for path in out.rglob("*") if path.is_file() and path.name != RECORD)
    return sorted(path.relative_to(out).as_posix() for path in files)


def _indices(path: Path) -> Pixels:
    with Image.open(path) as image:
        assert image.mode == "P"
        return np.array(image)


def _table(out: Path) -> list[list[str]]:
    with (out / "summary.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


def test_names_tree_and_sizes_are_kept(predictor: Predictor, album: Path, photo: Pixels, tmp_path: Path) -> None:
    out = tmp_path / "masks"
    summary = predict_folder(predictor, album, out, TABLE)
    assert (summary.written, summary.skipped) == (3, {})
    assert _written(out) == ["b.v2.png", "summary.csv", "trip/a.png", "trip/day 1/c.png"]
    np.testing.assert_array_equal(_indices(out / "b.v2.png"), predictor.index(photo[:20, :30]))
    np.testing.assert_array_equal(_indices(out / "trip/a.png"), predictor.index(photo[40:57, :9]))
    np.testing.assert_array_equal(_indices(out / "trip/day 1/c.png"), predictor.index(photo[:8]))
    with Image.open(out / "b.v2.png") as image:
        assert image.getpalette()[: 3 * len(TABLE)] == TABLE.flat_palette()[: 3 * len(TABLE)]  # type: ignore[index]  # palette images have one


def test_the_summary_gives_the_share_of_every_class(predictor: Predictor, album: Path, tmp_path: Path) -> None:
    out = tmp_path / "masks"
    predict_folder(predictor, album, out, TABLE)
    header, *rows = _table(out)
    assert header == ["image", "height", "width", "background", "<b>cat</b>", "dog, wet", "'" + TABLE.names[3], "鳥"]
    assert [row[:3] for row in rows] == [["b.v2", "20", "30"], ["trip/a", "17", "9"], ["trip/day 1/c", "8", "352"]]
    for name, _, _, *shares in rows:
        mask = _indices(out / f"{name}.png")
        assert [float(share) for share in shares] == pytest.approx([(mask == c).mean() for c in range(5)], abs=1e-6)


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_no_cell_is_a_formula(start: str) -> None:
    name = f"{start}SUM(A1)" if start.isprintable() else "=SUM(A1)"  # no class has a control character in its name
    text = summary_csv([Row(f"{start}1+1", 2, 3, (0.25, 0.75))], ClassTable.of([name, "b"])).decode()
    cells = [cell for row in csv.reader(io.StringIO(text, newline="")) for cell in row]
    assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r")) for cell in cells)
    assert f"'{start}1+1" in cells
    assert f"'{name}" in cells


def test_a_file_name_that_is_no_utf8_is_shown_with_escapes() -> None:
    name = os.fsdecode(b"caf\xe9")
    assert summary_csv([Row(name, 1, 1, (1.0, 0.0))], ClassTable.of(["a", "b"])) == (
        b"image,height,width,a,b\r\ncaf\\udce9,1,1,1.000000,0.000000\r\n"
    )


def test_probabilities_are_read_without_pickle(
    predictor: Predictor, album: Path, photo: Pixels, tmp_path: Path
) -> None:
    out = tmp_path / "masks"
    predict_folder(predictor, album, out, TABLE, probabilities=True)
    assert {"probabilities/b.v2.npz", "probabilities/trip/a.npz"} <= set(_written(out))
    with np.load(out / "probabilities/trip/a.npz", allow_pickle=False) as held:
        assert held["probabilities"].dtype == np.float16
        assert held["probabilities"].shape == (5, 5, 3)
        assert held["size"].tolist() == [17, 9]
        assert tuple(held["classes"].tolist()) == TABLE.names
        np.testing.assert_array_equal(held["probabilities"], predictor.index_and_coarse(photo[40:57, :9])[1])


def test_the_mask_of_a_turned_photograph_is_upright(predictor: Predictor, photo: Pixels, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = QUARTER_TURN
    Image.fromarray(photo[:20, :32]).save(tmp_path / "turned.png", exif=exif)
    predict_folder(predictor, tmp_path / "turned.png", tmp_path / "masks", TABLE)
    upright = np.ascontiguousarray(np.rot90(photo[:20, :32], k=-1))
    assert upright.shape == (32, 20, 3)
    np.testing.assert_array_equal(_indices(tmp_path / "masks/turned.png"), predictor.index(upright))


def _grey(rgb: Pixels) -> tuple[Image.Image, Pixels]:
    grey = rgb[:, :, 0]
    return Image.fromarray(grey), np.repeat(grey[:, :, None], 3, axis=2)


def _transparent(rgb: Pixels) -> tuple[Image.Image, Pixels]:
    return Image.fromarray(np.dstack([rgb, np.full(rgb.shape[:2], 7, np.uint8)])), rgb


def _single(rgb: Pixels) -> tuple[Image.Image, Pixels]:
    return Image.fromarray(rgb[:1, :1]), rgb[:1, :1]


@pytest.mark.parametrize("kind", [_grey, _transparent, _single])
def test_grey_transparent_and_tiny_photographs_are_taken(
    predictor: Predictor, photo: Pixels, tmp_path: Path, kind: Callable[[Pixels], tuple[Image.Image, Pixels]]
) -> None:
    image, rgb = kind(photo[:12, :12])
    image.save(tmp_path / "odd.png")
    predict_folder(predictor, tmp_path / "odd.png", tmp_path / "masks", TABLE)
    np.testing.assert_array_equal(_indices(tmp_path / "masks/odd.png"), predictor.index(np.ascontiguousarray(rgb)))


@pytest.mark.parametrize(("inner", "listed"), [("images", "classes.txt"), ("JPEGImages", "ImageSets/x.txt")])
def test_of_a_data_set_the_photographs_are_taken(
    predictor: Predictor, photo: Pixels, tmp_path: Path, inner: str, listed: str
) -> None:
    for name in (f"data/{inner}/one.png", "data/masks/one.png"):
        (tmp_path / name).parent.mkdir(parents=True)
        Image.fromarray(photo[:9, :9]).save(tmp_path / name)
    (tmp_path / "data" / listed).parent.mkdir(exist_ok=True)
    (tmp_path / "data" / listed).write_text("a\nb\n")
    predict_folder(predictor, tmp_path / "data", tmp_path / "data" / "predicted", TABLE)
    assert _written(tmp_path / "data" / "predicted") == ["one.png", "summary.csv"]


def test_a_folder_of_the_name_images_alone_is_no_data_set(predictor: Predictor, album: Path, tmp_path: Path) -> None:
    (album / "trip").rename(album / "images")
    predict_folder(predictor, album, tmp_path / "masks", TABLE)
    assert _written(tmp_path / "masks") == ["b.v2.png", "images/a.png", "images/day 1/c.png", "summary.csv"]


def test_unreadable_photographs_are_named_and_skipped(predictor: Predictor, album: Path, tmp_path: Path) -> None:
    (album / "broken.jpg").write_bytes(b"\xff\xd8\xff no photograph")
    (album / "cut.png").write_bytes((album / "b.v2.png").read_bytes()[:300])
    calls: list[tuple[int, int]] = []
    summary = predict_folder(
        predictor, album, tmp_path / "masks", TABLE, on_progress=lambda done, total: calls.append((done, total))
    )
    assert summary.written == 3
    assert sorted(summary.skipped) == ["broken", "cut"]
    assert all(summary.skipped.values())
    assert [row[0] for row in _table(tmp_path / "masks")[1:]] == ["b.v2", "trip/a", "trip/day 1/c"]
    assert calls == [(done, 5) for done in range(6)]


def test_a_second_call_predicts_again_and_says_what_is_stale(
    predictor: Predictor, album: Path, photo: Pixels, tmp_path: Path
) -> None:
    out = tmp_path / "masks"
    predict_folder(predictor, album, out, TABLE)
    Image.fromarray(photo[:33, :44]).save(album / "b.v2.png")
    (album / "trip/a.png").write_bytes(b"gone")
    summary = predict_folder(predictor, album, out, TABLE)
    assert summary.written == 2
    assert _indices(out / "b.v2.png").shape == (33, 44)
    assert summary.skipped["trip/a"].endswith("a.png is of an earlier prediction")
    assert _indices(out / "trip/a.png").shape == (17, 9)


def test_no_photographs_is_an_error(predictor: Predictor, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="no photographs found"):
        predict_folder(predictor, tmp_path / "empty", tmp_path / "masks", TABLE)
    with pytest.raises(DataError, match="missing"):
        predict_folder(predictor, tmp_path / "nowhere", tmp_path / "masks", TABLE)
    assert not (tmp_path / "masks").exists()


def test_a_class_table_of_another_length_is_an_error(predictor: Predictor, album: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="2 classes for a network of 5"):
        predict_folder(predictor, album, tmp_path / "masks", ClassTable.of(["a", "b"]))


@pytest.mark.parametrize("inside", ["", "trip", "new/masks"])
def test_masks_among_the_photographs_are_refused(predictor: Predictor, album: Path, inside: str) -> None:
    before = _written(album)
    with pytest.raises(DataError, match="among the photographs"):
        predict_folder(predictor, album, album / inside, TABLE)
    assert _written(album) == before


def test_a_mask_over_its_photograph_is_refused(predictor: Predictor, album: Path) -> None:
    before = (album / "b.v2.png").read_bytes()
    with pytest.raises(DataError, match=r"over photographs: b\.v2"):
        predict_folder(predictor, album / "b.v2.png", album, TABLE)
    assert (album / "b.v2.png").read_bytes() == before


@pytest.mark.parametrize("folder", ["b.v2.png", "summary.csv"])
def test_names_that_would_be_file_and_folder_are_refused(
    predictor: Predictor, album: Path, tmp_path: Path, folder: str
) -> None:
    (album / "b.v2.png").rename(album / "b.v2.jpg")
    (album / folder).mkdir()
    Image.new("RGB", (4, 4)).save(album / folder / "x.png")
    with pytest.raises(DataError, match=f"file and a folder at once: {folder}"):
        predict_folder(predictor, album, tmp_path / "masks", TABLE)


def test_two_photographs_of_one_name_are_refused(predictor: Predictor, album: Path, tmp_path: Path) -> None:
    Image.new("RGB", (4, 4)).save(album / "b.v2.bmp")
    with pytest.raises(DataError, match=r"b\.v2\.bmp and b\.v2\.png"):
        predict_folder(predictor, album, tmp_path / "masks", TABLE)


def test_a_link_out_of_the_output_folder_is_not_followed(predictor: Predictor, album: Path, tmp_path: Path) -> None:
    (tmp_path / "masks").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "masks" / "trip").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(DataError, match="outside the output folder"):
        predict_folder(predictor, album, tmp_path / "masks", TABLE)
    assert not list((tmp_path / "elsewhere").iterdir())


def test_no_link_out_of_the_output_folder_is_written_through(predictor: Predictor, album: Path, tmp_path: Path) -> None:
    (tmp_path / "masks").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "masks" / "probabilities").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(DataError):
        predict_folder(predictor, album, tmp_path / "masks", TABLE, probabilities=True)
    assert not list((tmp_path / "elsewhere").iterdir())


def test_what_is_no_photograph_is_skipped_with_its_reason(predictor: Predictor, album: Path, tmp_path: Path) -> None:
    (album / "self.png").symlink_to("self.png")
    (album / "zero.png").symlink_to("/dev/zero")
    os.mkfifo(album / "pipe.png")
    summary = predict_folder(predictor, album, tmp_path / "masks", TABLE)
    assert summary.written == 3
    fix = "; fix: replace or remove the file"
    assert dict(summary.skipped) == {
        "pipe": "the image file cannot be opened: it is a named pipe, not a file" + fix,
        "self": "the image file cannot be opened: it is a link that leads back to itself" + fix,
        "zero": "the image file cannot be opened: it is a device, not a file" + fix,
    }


def test_an_output_folder_that_cannot_be_written_fails_first(
    predictor: Predictor, album: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setattr(Predictor, "index", lambda *_: pytest.fail("predicted before looking at the output folder"))
    with pytest.raises(DataError, match="output folder cannot be written: Not a directory"):
        predict_folder(predictor, album, tmp_path / "file" / "masks", TABLE)


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_read_only_output_folder_fails_first(predictor: Predictor, album: Path, tmp_path: Path) -> None:
    (tmp_path / "masks").mkdir(mode=0o555)
    with pytest.raises(DataError, match="Permission denied"):
        predict_folder(predictor, album, tmp_path / "masks", TABLE)


def test_a_full_disk_keeps_what_is_whole(
    predictor: Predictor, album: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "masks"
    predict_folder(predictor, album, out, TABLE)
    before = {name: (out / name).read_bytes() for name in _written(out)}
    synced = os.fsync
    room = iter([True])

    def fill(handle: int) -> None:
        if not next(room, False):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        synced(handle)

    monkeypatch.setattr(os, "fsync", fill)
    with pytest.raises(DataError, match="No space left on device; 1 of the masks were written before, each whole"):
        predict_folder(predictor, album, out, TABLE)
    assert {name: (out / name).read_bytes() for name in _written(out)} == before


@pytest.mark.parametrize("gone", [["masks/b.v2.png"], ["masks/trip"], ["masks"]])
def test_an_output_that_is_removed_meanwhile_is_an_error(
    predictor: Predictor, album: Path, tmp_path: Path, gone: list[str]
) -> None:
    def remove(done: int, total: int) -> None:
        if done == total - 1:
            for name in gone:
                (tmp_path / name).rename(tmp_path / "elsewhere")

    with pytest.raises(DataError, match="removed"):
        predict_folder(predictor, album, tmp_path / "masks", TABLE, on_progress=remove)


def test_what_is_too_large_is_skipped_with_limit_and_remedy(
    predictor: Predictor, album: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.new("1", (11_000, 11_000)).save(album / "large.png")
    skipped = predict_folder(predictor, album, tmp_path / "masks", TABLE).skipped
    assert skipped == {
        "large": "the image has 11000 x 11000 pixels (width x height); accepted: at most 100,000,000 pixels; "
        "fix: cut it into tiles"
    }
