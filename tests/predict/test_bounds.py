"""Hints of photographs that are predicted: what they rule out has the probability 0, and the rest its own shares."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from underpaint.core.classes import ClassTable
from underpaint.core.errors import DataError
from underpaint.data.whole import known_pixels
from underpaint.hints.candidates import Candidates
from underpaint.hints.types import Box, Click, Hints, Scribble, Tags
from underpaint.models.network import Network
from underpaint.predict import PredictConfig, Predictor
from underpaint.predict.bounds import Bound, kept_within, reordered

TABLE = ClassTable.of(["background", "a", "b", "c", "d"])
Pixels = NDArray[np.uint8]


def bound(size: tuple[int, int], *shapes: object, **said: object) -> Bound:
    return Bound(known_pixels(Hints("x", shapes=shapes, **said), TABLE, size, None))  # type: ignore[arg-type]


@settings(deadline=None, max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    seed=st.integers(0, 999),
    crf=st.booleans(),
    flip=st.booleans(),
    tile=st.sampled_from([None, 256]),
    sets=st.lists(st.lists(st.booleans(), min_size=5, max_size=5).filter(any), min_size=1, max_size=4),
)
def test_ruled_out_classes_have_no_probability_and_the_others_sum_to_one(
    local: Network, photo: Pixels, seed: int, crf: bool, flip: bool, tile: int | None, sets: list[list[bool]]
) -> None:
    rgb = photo[:40, :300] if tile else photo[:20, :30]
    index = np.random.default_rng(seed).integers(0, len(sets), rgb.shape[:2]).astype(np.uint8)
    known = Bound(Candidates(np.array(sets), index))
    predictor = Predictor(local, PredictConfig(crf=crf, flip=flip, tile=tile))
    seen = predictor.probabilities(rgb, bound=known)
    allowed = known.candidates.allowed().transpose(2, 0, 1)
    assert (seen[~allowed] == 0).all()
    np.testing.assert_allclose(seen.sum(axis=0), 1, atol=1e-5)
    labels = predictor.index(rgb, bound=known)
    assert np.take_along_axis(allowed, labels[None].astype(np.intp), axis=0).all()
    if not (crf or flip or tile):  # one pass: the shares of what is left are those of the free prediction
        free = predictor.probabilities(rgb) * allowed
        np.testing.assert_allclose(seen, free / free.sum(axis=0), atol=2e-5)


def test_a_bound_of_everything_changes_nothing(strided: Network, photo: Pixels) -> None:
    rgb = photo[:300, :280]
    predictor = Predictor(strided, PredictConfig(tile=256, crf=True))
    known = bound((300, 280), Click("a", 3, 4))
    known.candidates.sets[:] = True
    np.testing.assert_allclose(predictor.probabilities(rgb, bound=known), predictor.probabilities(rgb), atol=1e-6)


def test_a_class_that_the_network_holds_for_impossible_is_shown_where_hints_leave_no_other(local: Network) -> None:
    """Far below what single precision holds as a probability."""
    scores = torch.tensor([0.0, -400, -300, -500, -600])
    predictor = Predictor(
        local,
        PredictConfig(scales=(1.0, 0.5)),
        forward=lambda rgb: scores.view(1, 5, 1, 1).expand(1, 5, *rgb.shape[2:]),
    )
    known = bound((8, 8), tags=Tags(frozenset("a"), frozenset(["background", "b", "d"])))
    seen = predictor.probabilities(np.zeros((8, 8, 3), np.uint8), bound=known)
    assert (seen[1] == 1).all()


def test_strokes_hold_tags_bound_the_image_and_boxes_their_inside(local: Network, photo: Pixels) -> None:
    rgb = photo[:30, :40]
    known = bound(
        (30, 40),
        Scribble("c", ((2.5, 2.5), (20.5, 2.5)), 1.0),
        Box("a", 10, 10, 20, 25),
        boxed=frozenset({"a"}),
        tags=Tags(frozenset("ac"), frozenset("bd")),
    )
    labels = Predictor(local, PredictConfig()).index(rgb, bound=known)
    assert (labels[2, 2:21] == 3).all()
    assert set(np.unique(labels)) <= {0, 1, 3}
    assert set(np.unique(labels[10:25, 10:20])) <= {0, 1}
    outside = labels.copy()
    outside[10:25, 10:20] = 0
    assert not (outside == 1).any()


def test_what_a_crf_spreads_beyond_the_bound_is_taken_back() -> None:
    sharpened = torch.tensor([[[0.5, 1.0]], [[0.3, 0.0]], [[0.2, 0.0]]])
    before = torch.tensor([[[0.0, 0.0]], [[0.4, 0.3]], [[0.6, 0.7]]])
    allowed = torch.tensor([[[False, False]], [[True, True]], [[True, True]]])
    found = kept_within(sharpened, before, allowed)
    torch.testing.assert_close(found, torch.tensor([[[0.0, 0.0]], [[0.6, 0.3]], [[0.4, 0.7]]]))


def test_reordered_candidates_speak_of_the_same_classes() -> None:
    table = ["a", "b", "c"]
    own = ["c", "a", "b"]
    sets = np.array([[True, False, True], [False, True, False]])
    found = reordered(Candidates(sets, np.zeros((1, 1), np.uint8)), np.array([table.index(name) for name in own]))
    names = [{own[c] for c in np.flatnonzero(held)} for held in found.sets]
    assert names == [{"a", "c"}, {"b"}]


@pytest.mark.parametrize("size", [(31, 40), (30, 41)])
def test_hints_of_another_size_are_refused(size: tuple[int, int]) -> None:
    with pytest.raises(DataError, match="never stretched"):
        known_pixels(Hints("x", size=(30, 40), shapes=(Click("a", 1, 1),)), TABLE, size, None)
