"""Random numbers that depend only on a seed and named keys.

There is no state to save, and the number of processes and the order of the work have no influence.
"""

from __future__ import annotations

import hashlib

import numpy as np

Key = int | str


def derive(seed: int, *keys: Key) -> int:
    """Return a 64-bit seed that depends only on ``seed`` and the keys (the BLAKE2b hash of their text)."""
    text = "\x1f".join([str(seed), *(f"{type(key).__name__}:{key}" for key in keys)])
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")


def generator(seed: int, *keys: Key) -> np.random.Generator:
    """Return a NumPy generator for one purpose, for example ``generator(seed, "crop", epoch, image_id)``."""
    return np.random.Generator(np.random.PCG64(derive(seed, *keys)))
