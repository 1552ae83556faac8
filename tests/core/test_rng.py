"""Randomness as a function of its keys."""

from __future__ import annotations

import hashlib
import itertools
import subprocess
import sys

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from underpaint.core.rng import Key, derive, generator

keys = st.lists(st.one_of(st.integers(-5, 5), st.sampled_from(["", "a", "0", "1", "view", "2007_000032"])), max_size=3)


def test_value_is_that_of_the_stated_rule() -> None:
    text = b"7\x1fstr:view\x1fint:3\x1fstr:a"
    assert derive(7, "view", 3, "a") == int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little")


@given(st.integers(0, 3), keys, st.integers(0, 3), keys)
def test_equal_keys_and_only_equal_keys_agree(seed: int, one: list[Key], other_seed: int, other: list[Key]) -> None:
    same = (seed, one) == (other_seed, other)
    assert (derive(seed, *one) == derive(other_seed, *other)) == same
    assert (generator(seed, *one).random() == generator(other_seed, *other).random()) == same


def test_many_keys_are_distinct_and_spread() -> None:
    seeds = [derive(s, name, epoch) for s, name, epoch in itertools.product(range(4), "abcde", range(50))]
    assert len(set(seeds)) == len(seeds)
    first = np.array([generator(0, "order", epoch).random() for epoch in range(400)])
    assert abs(first.mean() - 0.5) < 0.06  # four standard errors of a uniform mean
    assert abs(np.corrcoef(first[1:], first[:-1])[0, 1]) < 0.2


def test_a_number_and_its_text_are_two_keys() -> None:
    assert derive(0, 1) != derive(0, "1")
    assert derive(0, "ab", "c") != derive(0, "a", "bc")


def test_no_state_is_read_or_left() -> None:
    first = generator(0, "crop", 1).random(5)
    np.random.seed(3)  # noqa: NPY002  # the global state is what must not matter
    before = np.random.get_state(legacy=True)[1].copy()  # type: ignore[index]  # noqa: NPY002  # as above
    assert (generator(0, "crop", 1).random(5) == first).all()
    assert (np.random.get_state(legacy=True)[1] == before).all()  # type: ignore[index]  # noqa: NPY002  # as above


def test_another_process_draws_the_same() -> None:
    """No `hash()` inside, which Python salts for every process."""
    code = "from underpaint.core.rng import derive; print(derive(3, 'view', 1, 'x/y'))"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert int(printed) == derive(3, "view", 1, "x/y")
