"""What a stage writes, the next one reads."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from underpaint.core.classes import ClassTable
from underpaint.core.errors import DataError
from underpaint.data.pseudo import PseudoLabels

TABLE = ClassTable.of(["background", "cat", "dog", "hen"])


@pytest.fixture
def store(tmp_path: Path) -> PseudoLabels:
    return PseudoLabels(tmp_path / "artifact", TABLE)


def probabilities(h: int, w: int) -> np.ndarray:
    logits = np.random.default_rng(0).normal(0, 3, (4, h, w)).astype(np.float32)
    powers: np.ndarray = np.exp(logits) / np.exp(logits).sum(axis=0)
    return powers


def test_soft_labels_come_back_within_a_level(store: PseudoLabels) -> None:
    written = probabilities(6, 9)
    store.write_soft("folder/a.b", written)
    read = store.soft("folder/a.b", (6, 9))
    assert read is not None
    assert (read.dtype, read.shape) == (torch.uint8, (4, 6, 9))
    assert np.abs(read.numpy() / 255 - written).max() <= 0.5 / 255 + 1e-6


def test_soft_labels_are_interpolated_to_full_size(store: PseudoLabels) -> None:
    written = probabilities(5, 7)
    store.write_soft("a", written)
    read = store.soft("a", (20, 30))
    assert read is not None
    expected = F.interpolate(torch.from_numpy(written)[None], size=(20, 30), mode="bilinear", align_corners=False)[0]
    assert float((read / 255 - expected).abs().max()) <= 1 / 255 + 1e-6


def test_classes_that_nowhere_count_cost_nothing(store: PseudoLabels, tmp_path: Path) -> None:
    sure = np.zeros((4, 3, 3), np.float32)
    sure[3] = 1 - 1 / 600
    sure[1] = 1 / 600
    store.write_soft("a", sure)
    with np.load(tmp_path / "artifact" / "soft" / "a.npz") as held:
        assert held["classes"].tolist() == [3]
        assert held["levels"].shape == (1, 3, 3)
    read = store.soft("a", (3, 3))
    assert read is not None
    assert read[3].eq(255).all()
    assert read[:3].eq(0).all()


def test_an_image_of_which_nothing_is_said(store: PseudoLabels) -> None:
    store.write_soft("a", np.zeros((4, 3, 3), np.float32))
    read = store.soft("a", (6, 5))
    assert read is not None
    assert read.shape == (4, 6, 5)
    assert read.eq(0).all()


def test_values_beyond_the_range_are_cut(store: PseudoLabels) -> None:
    store.write_soft("a", np.array([[[-0.5]], [[1.5]], [[0.5]], [[0.0]]], np.float32))
    read = store.soft("a", (1, 1))
    assert read is not None
    assert read.flatten().tolist() == [0, 255, 128, 0]


def test_hard_labels_come_back(store: PseudoLabels) -> None:
    index = np.random.default_rng(1).choice(np.array([0, 1, 3, 255], np.uint8), (7, 8))
    store.write_labels("folder/a", index)
    read = store.labels("folder/a", TABLE)
    assert read is not None
    assert np.array_equal(read, index)


def test_missing_labels_are_none(store: PseudoLabels) -> None:
    assert store.labels("a", TABLE) is None
    assert store.soft("a", (3, 3)) is None
    store.write_labels("a", np.zeros((2, 2), np.uint8))
    assert store.soft("a", (3, 3)) is None
    assert store.labels("b", TABLE) is None


@pytest.mark.parametrize("damage", ["cut", "text", "classes"])
def test_damaged_soft_labels_are_a_typed_error(store: PseudoLabels, tmp_path: Path, damage: str) -> None:
    store.write_soft("a", probabilities(6, 9))
    path = tmp_path / "artifact" / "soft" / "a.npz"
    if damage == "classes":
        np.savez_compressed(path, levels=np.zeros((1, 2, 2), np.uint8), classes=np.array([9], np.uint8))
    else:
        path.write_bytes(path.read_bytes()[:40] if damage == "cut" else b"no archive")
    with pytest.raises(DataError, match=r"soft labels.*\n.*a\.npz"):
        store.soft("a", (6, 9))
