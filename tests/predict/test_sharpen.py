"""The dense CRF on final probabilities: which classes take part, and what the others keep."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from underpaint.core.errors import DataError
from underpaint.kernels.meanfield import mean_field
from underpaint.predict.sharpen import LEAST, MASK_CRF, sharpened

SIZE = (12, 17)


def picture(rng: np.random.Generator, bands: int = 3) -> npt.NDArray[np.uint8]:
    return rng.integers(0, 256, (*SIZE, bands), dtype=np.uint8)


def distribution(rng: np.random.Generator, classes: int) -> npt.NDArray[np.float32]:
    found = rng.random((classes, *SIZE)) ** 2 + 1e-3
    return np.asarray(found / found.sum(0), np.float32)


def test_with_all_classes_probable_somewhere_it_is_mean_field_inference() -> None:
    rng = np.random.default_rng(0)
    given_, rgb = distribution(rng, 4), picture(rng)
    np.testing.assert_allclose(sharpened(given_, rgb), mean_field(given_, rgb, MASK_CRF), atol=1e-6)


def test_a_class_that_is_improbable_everywhere_keeps_its_probabilities_and_changes_no_mask() -> None:
    rng = np.random.default_rng(1)
    rest = np.full((1, *SIZE), LEAST / 2, np.float32)
    given_, rgb = np.concatenate([distribution(rng, 3) * (1 - rest), rest]), picture(rng)
    made = sharpened(given_, rgb)
    np.testing.assert_array_equal(made[3], rest[0])
    alone = mean_field(given_[:3] / given_[:3].sum(0), rgb, MASK_CRF)
    np.testing.assert_allclose(made[:3], alone * (1 - rest), atol=1e-6)
    assert (made.argmax(0) == mean_field(given_, rgb, MASK_CRF).argmax(0)).mean() > 0.99


def test_one_class_alone_stays_as_it_is() -> None:
    rng = np.random.default_rng(2)
    given_ = np.stack([np.ones(SIZE, np.float32), np.zeros(SIZE, np.float32)])
    assert sharpened(given_, picture(rng)) is given_


@pytest.mark.parametrize("bands", [1, 2, 3, 5])
def test_images_of_any_number_of_bands(bands: int) -> None:
    rng = np.random.default_rng(bands)
    given_ = distribution(rng, 2)
    assert sharpened(given_, picture(rng, bands)).shape == given_.shape


def test_probabilities_that_are_no_numbers_are_refused() -> None:
    rng = np.random.default_rng(3)
    given_ = distribution(rng, 3)
    given_[:, 4, 5] = np.nan
    with pytest.raises(DataError, match="not all finite"):
        sharpened(given_, picture(rng))


@settings(max_examples=50, deadline=None)
@given(classes=st.integers(2, 200), seed=st.integers(0, 99), scale=st.sampled_from([0.0, 0.01, 1.0, 30.0]))
def test_the_result_is_a_distribution_also_where_no_class_is_probable(classes: int, seed: int, scale: float) -> None:
    rng = np.random.default_rng(seed)
    scores = scale * rng.normal(size=(classes, *SIZE))
    odds = np.exp(scores - scores.max(0))
    made = sharpened(np.asarray(odds / odds.sum(0), np.float32), picture(rng))
    assert made.min() >= 0
    np.testing.assert_allclose(made.sum(0), 1, atol=1e-4)
