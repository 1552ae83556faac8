"""Randomness as a function of named keys: no state to save, none that depends on worker count or order."""

from __future__ import annotations

import hashlib

import numpy as np

Key = int | str


def derive(seed: int, *keys: Key) -> int:
    """A 64-bit seed that depends on ``seed`` and every key, and on nothing else (blake2b of their text)."""
    text = "\x1f".join([str(seed), *(f"{type(key).__name__}:{key}" for key in keys)])
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")


def generator(seed: int, *keys: Key) -> np.random.Generator:
    """A NumPy generator for one purpose, for example ``generator(seed, "crop", epoch, image_id)``."""
    return np.random.Generator(np.random.PCG64(derive(seed, *keys)))
