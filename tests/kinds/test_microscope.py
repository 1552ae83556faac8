"""Fluorescence stacks of 16 bits and two channels, from the file to masks of the slices."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import tifffile
from scipy import ndimage

import underpaint
from underpaint.core.errors import ConfigError
from underpaint.imagefiles.masks import read_index_mask


def nuclei(seed: int, slices: int = 3, side: int = 128) -> tuple[np.ndarray, np.ndarray]:
    """(Z, 2, H, W) counts of a camera of 12 bits: nuclei in the first channel, cytoplasm in the second; and where."""
    rng = np.random.default_rng(seed)
    centres = np.zeros((slices, side, side), bool)
    centres[:, rng.integers(12, side - 12, 9), rng.integers(12, side - 12, 9)] = True
    distance = np.stack([ndimage.distance_transform_edt(~plane) for plane in centres])
    inside = distance < 9
    blur = ndimage.gaussian_filter(np.stack([inside, (distance < 16) & ~inside], axis=1).astype(float), (0, 0, 1, 1))
    counts = rng.poisson(120 + 900 * blur)
    return counts.astype(np.uint16), inside


@pytest.fixture
def cells(tmp_path: Path) -> tuple[Path, Path]:
    """Two stacks with strokes in some slices."""
    (tmp_path / "data" / "images").mkdir(parents=True)
    (tmp_path / "data" / "classes.txt").write_text("background\nnucleus\n")
    lines = [json.dumps({"underpaint": "hints", "version": 1})]
    for name, seed in (("a", 0), ("b", 1)):
        counts, inside = nuclei(seed)
        words = {"axes": "ZCYX", "PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5, "Channel": {"Name": ["DAPI", "actin"]}}
        tifffile.imwrite(tmp_path / "data" / "images" / f"{name}.ome.tif", counts, metadata=words)
        for z in range(2):
            strokes = []
            for label, where in (("nucleus", inside[z]), ("background", ~inside[z])):
                y, x = np.argwhere(ndimage.binary_erosion(where, iterations=3))[::97].T
                strokes += [
                    {"class": label, "x": float(c) + 0.5, "y": float(r) + 0.5} for c, r in zip(x, y, strict=True)
                ]
            lines.append(json.dumps({"image": f"{name}.ome/{z:04d}", "clicks": strokes}))
    (tmp_path / "hints.jsonl").write_text("\n".join(lines) + "\n")
    return tmp_path / "data", tmp_path / "hints.jsonl"


@pytest.mark.slow
def test_both_channels_are_learned_and_every_slice_is_predicted(
    cells: tuple[Path, Path], tmp_path: Path, quickly: list[str]
) -> None:
    data, hints = cells
    run = underpaint.train(
        data, tmp_path / "run", hints=hints, method="partial", settings=[*quickly, "train.epochs=12"]
    )
    assert run.config.images.bands == ("DAPI", "actin")
    assert run.config.model.bands == 2
    for low, high in run.config.images.rule.windows or ():
        assert 70 < low < 140 < 900 < high < 1200
    found = underpaint.predict(run.root, data, tmp_path / "masks")
    assert found.written == 6
    assert "6 image(s) of more than 8 bits are read with the windows" in found.notes[0]
    assert "are outside and become black or white" in found.notes[0]
    _, inside = nuclei(0)
    mask = read_index_mask(tmp_path / "masks" / "a.ome" / "0002.png", run.classes)
    agreement = ((mask == 1) == inside[2]).mean()
    assert agreement > max(inside[2].mean(), 1 - inside[2].mean()) + 0.02


def test_a_choice_of_bands_is_followed_and_a_wrong_one_refused(cells: tuple[Path, Path], quickly: list[str]) -> None:
    data, hints = cells
    planned = underpaint.plan(data, hints=hints, method="partial", settings=[*quickly, "images.bands=[actin]"])
    assert planned.config.model.bands == 1
    with pytest.raises(ConfigError, match="3 windows for 2 bands"):
        underpaint.plan(data, hints=hints, method="partial", settings=["images.window=[[0,1],[0,2],[0,3]]"])
    with pytest.raises(ConfigError, match=r"images do not have all the bands GFP, actin(?s:.*)these have DAPI, actin"):
        underpaint.plan(data, hints=hints, method="partial", settings=["images.bands=[GFP,actin]"])


def test_bands_that_photographs_do_not_have_are_refused_before_a_training(scenes: Path) -> None:
    with pytest.raises(ConfigError, match=r"do not have all the bands 99(?s:.*)these have red, green, blue"):
        underpaint.plan(scenes, method="supervised", settings=["images.bands=[99]"])
