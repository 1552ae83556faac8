"""Hints as sets of candidate classes, pixel by pixel: the one idea of the package.

An image has a palette of candidate sets and an index map into it. Set 0 is what is known of the whole image (all
classes, or the tagged ones). Every other set comes from a hint on that very pixel. If the tags leave an image a single
class, set 0 has one candidate, but no pixel becomes a seed, because nobody pointed at it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from underpaint.core.classes import ClassTable
from underpaint.core.errors import HintError
from underpaint.hints.rasterise import UNKNOWN, Area, Mask, box_slices
from underpaint.hints.types import Hints

MAX_SETS = 256
Boxes = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Candidates:
    """The classes that each pixel of an image may still have.

    Args:
        sets: (S, C) bool, S <= 256. ``sets[0]`` holds for pixels of which no hint says anything in particular.
        index: (H, W) uint8, indices into ``sets``.
    """

    sets: npt.NDArray[np.bool_]
    index: Mask

    def seeds(self) -> Mask:
        """(H, W) uint8: the class of each pixel to which a hint left one candidate, `UNKNOWN` elsewhere."""
        single = self.sets.sum(axis=1) == 1
        single[0] = False
        table = np.where(single, self.sets.argmax(axis=1), UNKNOWN).astype(np.uint8)
        return table[self.index]

    def allowed(self) -> npt.NDArray[np.bool_]:
        """(H, W, C) bool: the candidate sets written out, for tests and small images."""
        return self.sets[self.index]


@dataclass(frozen=True)
class ImageKnowledge:
    """What the hints say of an image as a whole.

    Args:
        present: (C,) bool, classes that occur at least once.
        absent: (C,) bool, classes that occur nowhere. A class in neither array is unknown.
        boxed: (C,) bool, classes of which every instance has a box.
    """

    present: npt.NDArray[np.bool_]
    absent: npt.NDArray[np.bool_]
    boxed: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, hints: Hints, classes: ClassTable) -> ImageKnowledge:
        """Read the tags and what the shapes imply.

        A drawn class occurs, a completely boxed class without a box does not.

        Where areas are ignored, a completely boxed class without a box may still occur in them.

        Raises:
            HintError: an unknown class, or a class that is drawn or tagged and also said to be absent.
        """
        where = f"hints of image {hints.image!r}"
        present, absent, boxed = (np.zeros(len(classes), bool) for _ in range(3))
        present[classes.indices(hints.drawn(), where)] = True
        boxed[classes.indices(sorted(hints.boxed), where)] = True
        without_box = frozenset() if hints.ignored() else hints.boxed - {box.name for box in hints.boxes}
        absent[classes.indices(sorted(without_box), where)] = True
        if hints.tags is not None:
            present[classes.indices(sorted(hints.tags.present), where)] = True
            absent[classes.indices(sorted(hints.tags.absent), where)] = True
        both = [classes.names[i] for i in np.flatnonzero(present & absent)]
        if both:
            raise HintError(
                f"{', '.join(both)}: drawn or tagged as present, and said to be absent",
                where=where,
                fix="correct the tags, or remove the clicks, strokes or boxes of the class",
            )
        if absent.all():
            raise HintError("every class is said to be absent", where=where, fix="tag what the image shows")
        return cls(present, absent, boxed)

    def surrounded(self, background: int | None) -> bool:
        """Whether all pixels outside the boxes are background: all other classes are completely boxed or absent."""
        if background is None or self.absent[background]:
            return False
        others = np.delete(self.boxed | self.absent, background)
        return bool(others.all() and self.boxed.any())

    def taught(self, background: int | None) -> npt.NDArray[np.bool_]:
        """(C,) bool: the classes that the hints show.

        The background is one of them where everything outside the boxes is background.
        """
        shown = self.present.copy()
        if self.surrounded(background):
            shown[background] = True
        return shown


def build_candidates(
    knowledge: ImageKnowledge,
    seeds: Mask,
    boxes: Boxes,
    box_classes: Sequence[int],
    background: int | None,
    ignored: Area | None = None,
) -> Candidates:
    """Combine what is known of the image, its boxes and its seeds into candidate sets.

    Inside boxes a pixel may have the class of any box that covers it, or the background. Where the table has no
    background, it may also have any class that is not completely boxed. Outside the boxes of a completely boxed class a
    pixel does not have that class. A seed leaves exactly its class. If there are more than 256 combinations of boxes,
    the further ones fall back to set 0, and so do pixels to which boxes and tags together leave no class: this says
    less, but nothing false. On ignored pixels boxes say nothing.

    Args:
        knowledge: What is known of the whole image, not of the crop.
        seeds: (H, W) uint8, class index or `UNKNOWN`.
        boxes: (B, 4) x0 y0 x1 y1 in the pixel coordinates of ``seeds``; they may leave the image.
        box_classes: (B,) class indices.
        background: The index of the background class, or None.
        ignored: (H, W) bool, or None: pixels of which only seeds and tags say something.
    """
    rest = ~knowledge.absent
    sets = [rest]
    index = np.zeros(seeds.shape, np.uint8)
    labelled = seeds != UNKNOWN
    for label in np.unique(seeds[labelled]):  # before the boxes: one set a class always has room
        _append(sets, index, seeds == label, np.arange(len(rest)) == label)
    if knowledge.boxed.any() or len(boxes):
        free = ~labelled if ignored is None else ~(labelled | ignored)
        covered, codes = _cover(seeds.shape, boxes, box_classes)
        for code, cover in enumerate(covered):
            allowed = _box_set(rest, knowledge.boxed, cover, background)
            # Inside a box a set is a hint on the pixel even where the tags alone say the same.
            if allowed.any() and (cover or not np.array_equal(allowed, rest)):
                _append(sets, index, (codes == code) & free, allowed)
    return Candidates(np.stack(sets), index)


def _append(
    sets: list[npt.NDArray[np.bool_]], index: Mask, where: npt.NDArray[np.bool_], allowed: npt.NDArray[np.bool_]
) -> None:
    for known, held in enumerate(sets[1:], start=1):
        if np.array_equal(held, allowed):
            index[where] = known
            return
    if len(sets) < MAX_SETS:
        index[where] = len(sets)
        sets.append(allowed)


def _cover(
    size: tuple[int, ...], boxes: Boxes, box_classes: Sequence[int]
) -> tuple[list[frozenset[int]], npt.NDArray[np.intp]]:
    """The distinct sets of classes whose boxes cover a pixel, and an (H, W) index map into them."""
    covers: list[frozenset[int]] = [frozenset()]
    codes = np.zeros(size, np.intp)
    for layer in sorted(set(box_classes)):
        inside = np.zeros(size, bool)
        for box, label in zip(boxes, box_classes, strict=True):
            if label == layer:
                inside[box_slices(box, (size[0], size[1]))] = True
        codes += len(covers) * inside
        covers += [cover | {layer} for cover in covers]
        # Only what occurs is kept and numbered anew, or the list would double with every class.
        occurs = np.bincount(codes.ravel(), minlength=len(covers)) > 0
        codes = (np.cumsum(occurs) - 1)[codes]
        covers = [cover for cover, here in zip(covers, occurs, strict=True) if here]
    return covers, codes


def _box_set(
    rest: npt.NDArray[np.bool_], boxed: npt.NDArray[np.bool_], cover: frozenset[int], background: int | None
) -> npt.NDArray[np.bool_]:
    inside = np.zeros(len(rest), bool)
    inside[list(cover)] = True
    if cover and background is not None:
        inside[background] = True
        return rest & inside
    return rest & (inside | ~boxed)
