"""Pseudo-labels of an earlier stage: hard labels as index PNGs, soft labels in 8 bits, sub-categories of tags."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

from underpaint.core.classes import ClassTable
from underpaint.core.errors import DataError
from underpaint.hints.rasterise import Mask
from underpaint.imagefiles.masks import read_index_mask, write_index_mask

Soft = npt.NDArray[np.float32]
Subtags = npt.NDArray[np.int8]

REMAKE = "remove the folder of the artifact; the run makes it again when it continues"


class PseudoLabels:
    """A folder with ``labels/NAME.png``, ``soft/NAME.npz``, ``subtags/NAME.npy``; any may be missing for an image.

    Args:
        root: The folder.
        classes: The class table.
    """

    def __init__(self, root: Path, classes: ClassTable) -> None:
        self.root, self.classes = root, classes

    def files(self) -> list[Path]:
        """All files of labels, in the order of their names."""
        folders = (self.root / kind for kind in ("labels", "soft", "subtags"))
        return sorted(path for folder in folders for path in folder.rglob("*") if path.is_file())

    def write_labels(self, name: str, index: Mask) -> None:
        """Write hard labels: (H, W) uint8, 255 where unknown."""
        path = self.root / "labels" / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_index_mask(path, index, self.classes)

    def write_soft(self, name: str, probabilities: Soft) -> None:
        """Write soft labels: (C, h, w) in [0, 1] at any stride; classes that stay below 1/510 are left out."""
        path = self.root / "soft" / f"{name}.npz"
        path.parent.mkdir(parents=True, exist_ok=True)
        levels = np.rint(np.clip(probabilities, 0, 1) * 255).astype(np.uint8)
        kept = np.flatnonzero(levels.reshape(len(levels), -1).any(axis=1)).astype(np.uint8)
        np.savez_compressed(path, levels=levels[kept], classes=kept)

    def write_subtags(self, name: str, subtags: Subtags) -> None:
        """Write sub-categories: (C, K) with 1 (present), 0 (absent) and -1 (unknown)."""
        path = self.root / "subtags" / f"{name}.npy"
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, subtags.astype(np.int8), allow_pickle=False)

    def subtags(self, name: str) -> Subtags | None:
        """(C, K) int8 sub-categories of an image, or None.

        Raises:
            DataError: The file is damaged.
        """
        path = self.root / "subtags" / f"{name}.npy"
        if not path.is_file():
            return None
        try:
            held: Subtags = np.load(path, allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise DataError(f"the sub-categories cannot be read: {error}", where=path, fix=REMAKE) from None
        if held.dtype != np.int8 or held.ndim != 2 or len(held) != len(self.classes):
            raise DataError("the sub-categories do not fit the class table", where=path, fix=REMAKE)
        return held

    def labels(self, name: str, classes: ClassTable) -> Mask | None:
        """(H, W) uint8 hard labels of an image, or None."""
        path = self.root / "labels" / f"{name}.png"
        return read_index_mask(path, classes) if path.is_file() else None

    def soft(self, name: str, size: tuple[int, int]) -> Tensor | None:
        """(C, H, W) uint8 soft labels of an image at full size, 255 for the probability 1; None if there are none.

        Raises:
            DataError: The file is damaged, or contains a class outside the table.
        """
        path = self.root / "soft" / f"{name}.npz"
        if not path.is_file():
            return None
        try:
            with np.load(path, allow_pickle=False) as held:
                levels, kept = torch.from_numpy(held["levels"]), torch.from_numpy(held["classes"]).long()
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise DataError(f"the soft labels cannot be read: {error}", where=path, fix=REMAKE) from None
        if levels.ndim != 3 or len(levels) != len(kept) or bool((kept >= len(self.classes)).any()):
            raise DataError("the soft labels do not fit the class table", where=path, fix=REMAKE)
        whole = torch.zeros((len(self.classes), *size), dtype=torch.uint8)
        if len(kept):
            full = F.interpolate(levels[None].float(), size=size, mode="bilinear", align_corners=False)[0]
            whole[kept] = full.round().to(torch.uint8)
        return whole
