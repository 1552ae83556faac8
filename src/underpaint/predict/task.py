"""The prediction of one image of a folder, in this process or in another, or its mask from an earlier call."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from underpaint.imagefiles.decode import MAX_PIXELS, opened
from underpaint.predict.bounds import Bound
from underpaint.predict.predictor import Coarse, Pixels, Predictor


@dataclass(frozen=True)
class Task:
    """One image to predict.

    Args:
        rgb: (H, W, B) uint8 pixels.
        bound: The classes that its hints allow; None without hints.
        probabilities: Whether coarse probabilities are wanted.
        kept: The finished mask of an earlier call, which is read instead; None where there is none.
    """

    rgb: Pixels
    bound: Bound | None
    probabilities: bool
    kept: Path | None


Labels = tuple[Pixels, Coarse | None]
"""A mask, and coarse probabilities where they are wanted and new."""

Answer = tuple[Pixels, Pixels, Coarse | None]
"""The pixels of an image, then its `Labels`."""

Pool = Callable[[Iterator[Task]], Iterator[Labels]]
"""Returns what `perform` returns for each task, in order."""


def perform(predictor: Predictor, task: Task) -> Labels:
    """Predict one image, or read its mask."""
    if task.kept is not None:
        with opened(task.kept, ("PNG", "TIFF"), max_pixels=MAX_PIXELS) as image:
            return np.array(image, np.uint8), None
    if not task.probabilities:
        return predictor.index(task.rgb, bound=task.bound), None
    return predictor.index_and_coarse(task.rgb, bound=task.bound)


def answers(
    predictor: Predictor, task: Callable[[str, Pixels], Task], pool: Pool | None, read: Iterator[tuple[str, Pixels]]
) -> Iterator[tuple[str, Answer]]:
    """The results of images in their order; images wait here while a pool works ahead.

    Args:
        predictor: Network and settings, for this process.
        task: Makes the task of an image from its name and pixels.
        pool: Other processes; None for this one.
        read: Names and pixels.
    """
    waiting: deque[tuple[str, Pixels]] = deque()

    def tasks() -> Iterator[Task]:
        for name, rgb in read:
            waiting.append((name, rgb))
            yield task(name, rgb)

    for labels, coarse in map(partial(perform, predictor), tasks()) if pool is None else pool(tasks()):
        name, rgb = waiting.popleft()
        yield name, (rgb, labels, coarse)


def pixels_digest(rgb: Pixels, bound: Bound | None) -> str:
    """A digest of what a network is given: the pixels of an image, and the classes that its hints allow."""
    digest = hashlib.blake2b(digest_size=16)
    arrays = [rgb] if bound is None else [rgb, bound.candidates.sets, bound.candidates.index]
    for array in arrays:
        digest.update(f"{array.shape} {array.dtype} ".encode() + np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
