"""Masks of hinted photographs: what hints rule out is never shown, and what they mark is kept."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from underpaint.data.samples import TrainingImage
from underpaint.features.bank import ImageFeatures
from underpaint.features.linear import IMPOSSIBLE
from underpaint.hints.candidates import Candidates
from underpaint.hints.rasterise import UNKNOWN
from underpaint.hints.types import Box, Click, Hints
from underpaint.models.linear import LinearHead
from underpaint.predict import hinted
from underpaint.predict.hinted import LinearMasks, named_classes
from underpaint.predict.sharpen import sharpened

SIZE = (32, 48)
LEARNED = np.array([True, True, True, True, False])


def still(
    *,
    marks: dict[tuple[int, int], int] | None = None,
    present: tuple[int, ...] = (),
    absent: tuple[int, ...] = (),
    hints: Hints | None = None,
    sets: list[list[int]] | None = None,
    index: np.ndarray | None = None,
) -> TrainingImage:
    """A grey photograph of five classes with single marked pixels."""
    rest = np.array([c not in absent for c in range(5)])
    palette = [rest, *(np.arange(5) == c for c in range(5)), *(np.isin(np.arange(5), held) for held in sets or [])]
    numbers = np.zeros(SIZE, np.uint8) if index is None else index
    for (row, column), label in (marks or {}).items():
        numbers[row, column] = 1 + label
    rgb = np.full((*SIZE, 3), 120, np.uint8)
    flags = np.isin(np.arange(5), present)
    return TrainingImage("a", rgb, rgb, hints or Hints("a"), Candidates(np.stack(palette), numbers), rest, flags)


def masks(bias: list[float], *, background: int | None = None, crf: bool = False) -> LinearMasks:
    """A decoder that scores every pixel by the biases alone."""
    head = LinearHead([2], 5)
    head.set_weights(torch.zeros(5, 2), torch.tensor(bias))
    return LinearMasks(head, background, crf)


FEATURES = ImageFeatures((torch.zeros(2, 8, 12, dtype=torch.float16),), (32, 64))


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (still(marks={(0, 0): 1, (5, 5): 3}, present=(1, 3)), [1, 3]),
        (still(marks={(0, 0): 1}, present=(1, 2)), [1, 2]),  # tagged beside what is marked
        (still(marks={(0, 0): 1}, present=(1,)), [0, 1, 2, 3]),  # one class: nothing to tell apart within it
        (still(marks={(0, 0): 1}, present=(1,), absent=(0, 2)), [1, 3]),
        (still(present=(1, 4)), [0, 1, 2, 3]),  # class 4 was learned nowhere
        (still(present=(1,), hints=Hints("a", shapes=(Box("b", 1, 1, 9, 9),))), [0, 1]),  # the background around a box
    ],
)
def test_classes_that_a_photograph_may_show(given: TrainingImage, expected: list[int]) -> None:
    assert named_classes(given, LEARNED, 0).tolist() == expected


@pytest.mark.parametrize("crf", [False, True])
def test_only_named_classes_are_shown_and_marked_pixels_keep_theirs(crf: bool) -> None:
    given = still(marks={(3, 4): 1, (20, 30): 3}, present=(1, 3))
    labelled = np.full(SIZE, UNKNOWN, np.uint8)
    labelled[3, 4], labelled[20, 30] = 1, 3
    found = masks([9, 1, 8, 2, IMPOSSIBLE], crf=crf).hinted(FEATURES, given, labelled)
    assert found.shape == SIZE
    assert (found[3, 4], found[20, 30]) == (1, 3)
    assert set(np.unique(found)) == {1, 3}
    assert (found == 3).sum() > 0.9 * found.size  # 0 and 2 score higher, and are not named


def test_the_crf_begins_with_the_probabilities_of_halved_scores(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[np.ndarray] = []

    def noted(probabilities: np.ndarray, *_: object) -> np.ndarray:
        seen.append(probabilities)
        return probabilities

    monkeypatch.setattr(hinted, "mean_field", noted)
    given = still(marks={(3, 4): 1, (20, 30): 3}, present=(1, 3))
    masks([9, 1, 8, 2, IMPOSSIBLE], crf=True).hinted(FEATURES, given, np.full(SIZE, UNKNOWN, np.uint8))
    (begun,) = seen
    odds = np.exp((1 - 2) / 2)  # of the scores of class 1 and class 3
    np.testing.assert_allclose(begun[:, 9, 9], [odds / (1 + odds), 1 / (1 + odds)], rtol=1e-5)


def test_inside_a_box_its_class_or_the_background_and_outside_never_its_class() -> None:
    index = np.full(SIZE, 7, np.uint8)
    index[4:12, 6:20] = 6
    given = still(
        present=(1,), sets=[[0, 1], [0, 2, 3]], index=index, hints=Hints("a", shapes=(Box("b", 6, 4, 20, 12),))
    )
    found = masks([0, 5, 9, 9, IMPOSSIBLE], background=0).hinted(FEATURES, given, np.full(SIZE, UNKNOWN, np.uint8))
    assert (found[4:12, 6:20] == 1).all()
    found[4:12, 6:20] = 0
    assert (found == 0).all()


def test_masks_have_the_photographs_own_size() -> None:
    given = still(marks={(3, 4): 1, (20, 30): 3}, present=(1, 3), hints=Hints("a", shapes=(Click("b", 1, 1),)))
    large = np.full((95, 143), UNKNOWN, np.uint8)
    large[9, 12] = 1
    found = masks([0, 0, 0, 2, IMPOSSIBLE]).hinted(FEATURES, given, large)
    assert found.shape == (95, 143)
    assert found[9, 12] == 1
    assert (
        masks([0, 0, 7, 2, IMPOSSIBLE]).plain(FEATURES, np.zeros((*SIZE, 3), np.uint8), (95, 143)).tolist()
        == np.full((95, 143), 2).tolist()
    )


def test_enlarging_class_by_class_is_the_greatest_of_all_enlarged_together() -> None:
    torch.manual_seed(0)
    head = LinearHead([6], 5)
    head.set_weights(torch.randn(5, 6), torch.randn(5))
    features = ImageFeatures((torch.randn(6, 8, 12).half(),), (32, 48))
    scores = LinearMasks(head, None).scores(features)
    resize = torch.nn.functional.interpolate
    seen = resize(scores[None], size=(32, 48), mode="bilinear")[:, :, :30, :41]
    expected = resize(seen, size=(77, 103), mode="bilinear")[0].argmax(0)
    rgb = np.zeros((30, 41, 3), np.uint8)
    assert (LinearMasks(head, None, crf=False).plain(features, rgb, (77, 103)) == expected.numpy()).all()


def test_masks_without_hints_are_those_of_the_sharpened_probabilities() -> None:
    torch.manual_seed(0)
    head = LinearHead([6], 5)
    head.set_weights(torch.randn(5, 6), torch.randn(5))
    features = ImageFeatures((torch.randn(6, 8, 12).half(),), SIZE)
    rgb = np.random.default_rng(0).integers(0, 256, (*SIZE, 3), dtype=np.uint8)
    made = LinearMasks(head, None)
    probabilities = features.enlarged(made.scores(features), SIZE).softmax(0).numpy()
    assert (made.plain(features, rgb, SIZE) == sharpened(probabilities, rgb).argmax(0)).all()
