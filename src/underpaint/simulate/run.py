"""Simulates hints for a split of a data set, with one process or several."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from underpaint.core.classes import ClassTable
from underpaint.core.errors import ConfigError
from underpaint.core.parallel import stream
from underpaint.datasets.folder import DataFolder, DrawnMask
from underpaint.hints.types import Hints, Kind
from underpaint.imagefiles.images import image_size
from underpaint.imagefiles.masks import LabelFile
from underpaint.simulate.mixture import EQUAL_PARTS, pick_kind, simulate_kind


def simulate(
    data: DataFolder,
    split: str,
    kind: Kind | Literal["mixture"],
    *,
    seed: int = 0,
    budget: float = 1.0,
    fractions: Mapping[Kind, float] = EQUAL_PARTS,
    workers: int = 1,
) -> Iterator[Hints]:
    """Hints for every image of a split, in the order of the split, from the images' masks.

    The hints of an image depend only on its name, its mask and the settings, not on other images or on ``workers``.

    Args:
        data: The data set; every image of the split must have a mask.
        split: Name of the split, or several joined with '+'.
        kind: Kind of hint, or a mixture of kinds by ``fractions``.
        seed: Any whole number.
        budget: Factor on the usual amount of scribbles or clicks; 1 for other kinds and mixtures.
        fractions: Share of each kind in a mixture.
        workers: Number of processes. More than 1 is faster from about 100 images with scribbles on.

    Raises:
        DataError: There is no such split, an image has no mask, or a mask cannot be read or has another size than its
            image.
        ConfigError: The budget or the mixture is not accepted.
        RunError: A process was killed; the message names its image.
    """
    if kind == "mixture" and budget != 1:
        raise ConfigError(f"budget {budget:g} with a mixture", accepted="1")
    names = data.split(split)
    data.require_masks(names)
    kinds = [pick_kind(name, seed=seed, fractions=fractions) if kind == "mixture" else kind for name in names]
    jobs = [
        _Job(data.images[name], data.mask(name), data.mask_hints(name), data.classes, one, name, seed, budget)
        for name, one in zip(names, kinds, strict=True)
    ]
    return stream(_simulate, jobs, workers=workers, threads=1, named=lambda job: job.image)


@dataclass(frozen=True)
class _Job:
    """The arguments of a process for one image."""

    photograph: Path
    mask: LabelFile | DrawnMask
    full: Hints
    classes: ClassTable
    kind: Kind
    image: str
    seed: int
    budget: float


def _simulate(job: _Job) -> Hints:
    mask = job.mask.read(job.classes, size=image_size(job.photograph))
    made = simulate_kind(mask, job.classes, kind=job.kind, image=job.image, seed=job.seed, budget=job.budget)
    if job.kind is not Kind.MASK:
        return made
    return replace(made, mask=job.full.mask, numbering=job.full.numbering, shapes=job.full.regions)
