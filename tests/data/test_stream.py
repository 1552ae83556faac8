"""The order of the images: endless, from any step on, in parts."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from underpaint.data.sampling import BatchSampler

counts = st.integers(1, 17)


@settings(deadline=None)
@given(counts, counts, st.integers(0, 20), st.integers(0, 20), st.integers(0, 3))
def test_from_any_step_on_it_is_the_tail_of_the_whole(
    images: int, batch: int, first: int, more: int, seed: int
) -> None:
    whole = list(BatchSampler(images, batch, (0, first + more), seed=seed))
    tail = BatchSampler(images, batch, (first, first + more), seed=seed)
    assert list(tail) == whole[first:]
    assert len(tail) == more
    assert all(len(keys) == batch for keys in whole)


@settings(deadline=None)
@given(counts, counts, st.integers(0, 3))
def test_every_epoch_visits_every_image_once(images: int, batch: int, seed: int) -> None:
    """Also where a batch is larger than the data set, or spans two epochs."""
    epochs = 4
    steps = -(-epochs * images // batch)
    keys = [key for part in BatchSampler(images, batch, (0, steps), seed=seed) for key in part][: epochs * images]
    for epoch in range(epochs):
        part = keys[epoch * images : (epoch + 1) * images]
        assert {e for e, _ in part} == {epoch}
        assert sorted(index for _, index in part) == list(range(images))


def test_epochs_and_seeds_have_orders_of_their_own() -> None:
    orders = {
        tuple(index for keys in BatchSampler(20, 20, (epoch, epoch + 1), seed=seed) for _, index in keys)
        for epoch in range(6)
        for seed in range(3)
    }
    assert len(orders) == 18
    assert all(a != b for a, b in pairwise(sorted(orders)))
    assert [len(keys) for keys in BatchSampler(3, 8, (0, 2), seed=0)] == [8, 8]


shares = st.sampled_from([0.1, 0.25, 0.3, 0.5, 0.75, 1.0])
"""As a person writes them: none but the quarters is a binary fraction."""


@st.composite
def mixtures(draw: st.DrawFn) -> tuple[int, set[int]]:
    """A number of images, and which of them have masks: some, not all."""
    images = draw(st.integers(2, 17))
    masked = draw(st.sets(st.integers(0, images - 1), min_size=1, max_size=images - 1))
    return images, masked


@settings(deadline=None)
@given(mixtures(), counts, shares, st.integers(0, 20), st.integers(0, 20), st.integers(0, 3))
def test_with_a_share_of_masks_it_is_the_tail_of_the_whole(
    mixture: tuple[int, set[int]], batch: int, share: float, first: int, more: int, seed: int
) -> None:
    images, masked = mixture
    whole = list(BatchSampler(images, batch, (0, first + more), seed=seed, group=masked, share=share))
    tail = BatchSampler(images, batch, (first, first + more), seed=seed, group=masked, share=share)
    assert list(tail) == whole[first:]
    assert len(tail) == more
    assert all(len(keys) == batch for keys in whole)


@settings(deadline=None)
@given(mixtures(), counts, shares, st.integers(0, 3))
def test_images_with_masks_have_their_share(mixture: tuple[int, set[int]], batch: int, share: float, seed: int) -> None:
    images, masked = mixture
    steps = list(BatchSampler(images, batch, (0, 12), seed=seed, group=masked, share=share))
    least = max(Fraction(str(share)), Fraction(len(masked), images))
    held = [sum(index in masked for _, index in keys) for keys in steps]
    for k in range(1, 13):
        assert sum(held[:k]) == math.ceil(k * batch * least)
    assert min(held) > batch * least - 1, "a batch is short by less than one image"
    if (batch * least).denominator == 1:
        assert set(held) == {batch * least}
    if least < 1:
        assert sum(held) < 12 * batch or 12 * batch * (1 - least) < 1


@settings(deadline=None)
@given(mixtures(), counts, shares, st.integers(0, 3))
def test_each_part_is_drawn_in_whole_passes(mixture: tuple[int, set[int]], batch: int, share: float, seed: int) -> None:
    images, masked = mixture
    drawn = [key for keys in BatchSampler(images, batch, (0, 20), seed=seed, group=masked, share=share) for key in keys]
    for part_images in (masked, set(range(images)) - masked):
        keys = [key for key in drawn if key[1] in part_images]
        for number in range(len(keys) // len(part_images)):
            part = keys[number * len(part_images) : (number + 1) * len(part_images)]
            assert {epoch for epoch, _ in part} == {number}
            assert {index for _, index in part} == part_images


@settings(deadline=None)
@given(counts, counts, st.booleans())
def test_a_share_changes_nothing_where_all_images_are_alike(images: int, batch: int, all_masked: bool) -> None:
    masked = range(images) if all_masked else ()
    alike = BatchSampler(images, batch, (0, 6), seed=1, group=masked, share=0.5)
    assert list(alike) == list(BatchSampler(images, batch, (0, 6), seed=1))


def test_no_share_is_the_plain_stream() -> None:
    assert list(BatchSampler(9, 4, (0, 6), seed=1, group=(2, 3))) == list(BatchSampler(9, 4, (0, 6), seed=1))


def test_a_batch_of_one_sees_both_kinds_in_turn() -> None:
    drawn = [keys[0][1] for keys in BatchSampler(4, 1, (0, 8), seed=0, group=(1,), share=0.5)]
    assert [index == 1 for index in drawn] == [True, False] * 4


weighings = st.lists(st.sampled_from([1.0, 0.95, 0.5, 0.3, 1 / 7, 0.03]), min_size=1, max_size=17).map(np.array)


@settings(deadline=None)
@given(weighings, counts, st.integers(0, 20), st.integers(0, 20), st.integers(0, 3))
def test_with_weights_it_is_the_tail_of_the_whole(
    weights: npt.NDArray[np.float64], batch: int, first: int, more: int, seed: int
) -> None:
    whole = list(BatchSampler(len(weights), batch, (0, first + more), seed=seed, weights=weights))
    assert list(BatchSampler(len(weights), batch, (first, first + more), seed=seed, weights=weights)) == whole[first:]


@settings(deadline=None)
@given(weighings, st.integers(0, 3), st.sampled_from([1.0, 0.25]))
def test_images_are_drawn_as_often_as_they_weigh(weights: npt.NDArray[np.float64], seed: int, unit: float) -> None:
    """In n passes of the heaviest an image of rate r is drawn n r times, but for one more: no luck involved."""
    rate, passes = weights / weights.max(), 60
    heaviest = int(weights.argmax())
    seen: list[list[int]] = [[] for _ in weights]
    for [(time, index)] in BatchSampler(len(weights), 1, (0, 10**6), seed=seed, weights=unit * weights):
        if index == heaviest and time == passes:
            break
        seen[index].append(time)
    for times, each in zip(seen, rate, strict=True):
        assert times == list(range(len(times))), "an image's times follow each other"
        assert math.floor(passes * each) <= len(times) <= math.floor((passes + 1) * each) + 1


def test_of_weight_0_none_is_drawn_unless_all_are() -> None:
    drawn = {index for keys in BatchSampler(3, 2, (0, 9), seed=0, weights=np.array([0, 0.1, 0])) for _, index in keys}
    assert drawn == {1}
    assert list(BatchSampler(3, 2, (0, 9), seed=0, weights=np.zeros(3))) == list(BatchSampler(3, 2, (0, 9), seed=0))


@settings(deadline=None)
@given(counts, counts, st.sampled_from([1.0, 0.3]))
def test_equal_weights_are_the_plain_stream(images: int, batch: int, weight: float) -> None:
    assert list(BatchSampler(images, batch, (0, 9), seed=1, weights=np.full(images, weight))) == list(
        BatchSampler(images, batch, (0, 9), seed=1)
    )


def test_a_part_keeps_its_share_whatever_its_images_weigh() -> None:
    weights = np.array([0.03, 0.03, 1.0, 1.0, 0.5])
    steps = list(BatchSampler(5, 4, (0, 50), seed=0, group=(0, 2), share=0.5, weights=weights))
    assert all(sum(index in (0, 2) for _, index in keys) == 2 for keys in steps)
    drawn = [index for keys in steps for _, index in keys]
    assert drawn.count(0) < 5 < 90 < drawn.count(2), "rare within its part"
    assert drawn.count(3) == pytest.approx(2 * drawn.count(4), abs=2)


def test_it_can_be_read_twice() -> None:
    stream = BatchSampler(5, 2, (0, 7), seed=0)
    assert list(stream) == list(stream)
