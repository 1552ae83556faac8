"""A folder predicted by several processes, and one that is taken up again."""

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import underpaint
from underpaint.core.errors import ConfigError, DataError
from underpaint.core.outputs import RECORD
from underpaint.predict.predictor import Predictor


def files(out: Path) -> dict[str, bytes]:
    found = (path for path in sorted(out.rglob("*")) if path.is_file() and path.name != RECORD)
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in found}


@pytest.fixture
def predicted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The first value of each image that a network has seen."""
    seen: list[int] = []
    index = Predictor.index

    def noted(self: Predictor, rgb: np.ndarray, **more: object) -> object:
        seen.append(int(rgb[0, 0, 0]))
        return index(self, rgb, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(Predictor, "index", noted)
    return seen


@pytest.mark.slow
def test_several_processes_write_the_files_of_one(run: Path, album: Path, tmp_path: Path) -> None:
    (album / "broken.png").write_bytes(b"no image")
    wanted = {"overlay": True, "measures": True, "polygons": "geojson", "probabilities": True}
    one = underpaint.predict(run, album, tmp_path / "one", **wanted)  # type: ignore[arg-type]
    two = underpaint.predict(run, album, tmp_path / "two", jobs=2, **wanted)  # type: ignore[arg-type]
    assert (two.written, two.skipped) == (one.written, one.skipped) == (10, one.skipped)
    assert list(one.skipped) == ["broken"]
    assert files(tmp_path / "two") == files(tmp_path / "one")


def test_finished_images_are_kept_as_long_as_nothing_has_changed(
    run: Path, album: Path, tmp_path: Path, predicted: list[int]
) -> None:
    out = tmp_path / "out"

    def again(**settings: object) -> int:
        """Images that the network had to see."""
        predicted.clear()
        underpaint.predict(run, album, out, resume=True, overlay=True, crf=False, **settings)  # type: ignore[arg-type]
        return len(predicted)

    assert again() == 10
    whole = files(out)
    assert again() == 0
    assert files(out) == whole
    (out / "0003.png").unlink()
    assert again() == 1
    assert files(out) == whole
    path = album / "0005.png"
    with Image.open(path) as image:
        changed = np.array(image)
    os.utime(path)
    assert again() == 0
    Image.fromarray(255 - changed).save(path)
    assert again() == 1
    assert again(flip=True) == 10
    assert again() == 10
    predicted.clear()
    underpaint.predict(run, album, out, overlay=True)
    assert len(predicted) == 10


def test_probabilities_that_were_removed_are_made_again(run: Path, album: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    underpaint.predict(run, album, out, probabilities=True)
    whole = files(out)
    (out / "probabilities" / "0003.npz").unlink()
    underpaint.predict(run, album, out, probabilities=True, resume=True)
    assert files(out) == whole


def test_a_changed_mask_is_a_persons_and_is_refused(run: Path, album: Path, tmp_path: Path) -> None:
    underpaint.predict(run, album, tmp_path / "out")
    (tmp_path / "out" / "0001.png").write_bytes(b"mine")
    with pytest.raises(DataError, match=r"0001\.png"):
        underpaint.predict(run, album, tmp_path / "out", resume=True)


def test_arguments(run: Path, album: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="jobs is 0"):
        underpaint.predict(run, album, tmp_path / "out", jobs=0)
    with pytest.raises(ConfigError, match="remove jobs and resume"):
        underpaint.predict(run, album, tmp_path / "out", jobs=2, draw="responses")
