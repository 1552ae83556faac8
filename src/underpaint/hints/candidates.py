"""Candidate classes of every pixel, into which all kinds of hints are converted.

An image has a list of candidate sets and a map with the index of the set of each pixel. Set 0 is what is known about
the whole image: all classes, or the tagged ones. Every other set comes from a hint on that pixel. If the tags leave
only one class, set 0 has one candidate, but no pixel becomes a seed, because nobody marked a pixel.
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
    """The classes that each pixel of an image may have.

    Args:
        sets: (S, C) bool, S <= 256. ``sets[0]`` is the set of pixels without a hint of their own.
        index: (H, W) uint8, indices into ``sets``.
    """

    sets: npt.NDArray[np.bool_]
    index: Mask

    def seeds(self) -> Mask:
        """Return (H, W) uint8: the class of pixels whose hint leaves one candidate, `UNKNOWN` elsewhere."""
        single = self.sets.sum(axis=1) == 1
        single[0] = False
        table = np.where(single, self.sets.argmax(axis=1), UNKNOWN).astype(np.uint8)
        return table[self.index]

    def allowed(self) -> npt.NDArray[np.bool_]:
        """Return (H, W, C) bool, the candidate set of every pixel, for tests and small images."""
        return self.sets[self.index]


@dataclass(frozen=True)
class ImageKnowledge:
    """What the hints state about an image as a whole.

    Args:
        present: (C,) bool, classes that occur in the image.
        absent: (C,) bool, classes that do not occur. Nothing is known about a class in neither array.
        boxed: (C,) bool, classes all of whose objects have a box.
    """

    present: npt.NDArray[np.bool_]
    absent: npt.NDArray[np.bool_]
    boxed: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, hints: Hints, classes: ClassTable) -> ImageKnowledge:
        """Combine the tags with what follows from the shapes.

        A class with a shape is present. A completely boxed class without a box is absent, except if the image has
        ignored areas, in which it may occur.

        Raises:
            HintError: A class is unknown, or is drawn or tagged as present and also stated to be absent.
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
                f"{', '.join(both)}: drawn or tagged as present, but also stated to be absent",
                where=where,
                fix="correct the tags, or remove the clicks, strokes or boxes of the class",
            )
        if absent.all():
            raise HintError("every class is stated to be absent", where=where, fix="tag what the image shows")
        return cls(present, absent, boxed)

    def surrounded(self, background: int | None) -> bool:
        """Whether all pixels outside the boxes must be background, as all other classes are fully boxed or absent."""
        if background is None or self.absent[background]:
            return False
        others = np.delete(self.boxed | self.absent, background)
        return bool(others.all() and self.boxed.any())

    def taught(self, background: int | None) -> npt.NDArray[np.bool_]:
        """Return (C,) bool, the classes that the hints show, including a background that surrounds the boxes."""
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
    """Combine what is known about the image, its boxes and its seeds into candidate sets.

    Inside boxes a pixel may have the class of any box that covers it, or the background. If the table has no
    background, it may also have any class that is not completely boxed. Outside the boxes of a completely boxed class a
    pixel does not have that class. A seed allows only its class. Boxes have no effect on ignored pixels. Set 0 is used
    if there are more than 256 combinations of boxes, and for pixels to which boxes and tags together leave no class:
    this uses less information, but nothing wrong.

    Args:
        knowledge: What is known about the whole image, not only about the crop.
        seeds: (H, W) uint8, class index or `UNKNOWN`.
        boxes: (B, 4) x0 y0 x1 y1 in the pixel coordinates of ``seeds``; they may extend beyond the image.
        box_classes: (B,) class indices.
        background: The index of the background class, or None.
        ignored: (H, W) bool, or None: pixels for which only seeds and tags are used.
    """
    rest = ~knowledge.absent
    sets = [rest]
    index = np.zeros(seeds.shape, np.uint8)
    labelled = seeds != UNKNOWN
    for label in np.unique(seeds[labelled]):  # seeds come before boxes, so that their sets are within the limit
        _append(sets, index, seeds == label, np.arange(len(rest)) == label)
    if knowledge.boxed.any() or len(boxes):
        free = ~labelled if ignored is None else ~(labelled | ignored)
        covered, codes = _cover(seeds.shape, boxes, box_classes)
        for code, cover in enumerate(covered):
            allowed = _box_set(rest, knowledge.boxed, cover, background)
            # Inside a box a pixel has a hint of its own, even if the tags alone allow the same classes.
            if allowed.any() and (cover or not np.array_equal(allowed, rest)):
                _append(sets, index, (codes == code) & free, allowed)
    return Candidates(np.stack(sets), index)


def _append(
    sets: list[npt.NDArray[np.bool_]], index: Mask, where: npt.NDArray[np.bool_], allowed: npt.NDArray[np.bool_]
) -> None:
    for number, known in enumerate(sets[1:], start=1):
        if np.array_equal(known, allowed):
            index[where] = number
            return
    if len(sets) < MAX_SETS:
        index[where] = len(sets)
        sets.append(allowed)


def _cover(
    size: tuple[int, ...], boxes: Boxes, box_classes: Sequence[int]
) -> tuple[list[frozenset[int]], npt.NDArray[np.intp]]:
    """Return the different sets of classes whose boxes cover a pixel, and an (H, W) map of indices into them."""
    covers: list[frozenset[int]] = [frozenset()]
    codes = np.zeros(size, np.intp)
    for layer in sorted(set(box_classes)):
        inside = np.zeros(size, bool)
        for box, label in zip(boxes, box_classes, strict=True):
            if label == layer:
                inside[box_slices(box, (size[0], size[1]))] = True
        codes += len(covers) * inside
        covers += [cover | {layer} for cover in covers]
        # Sets that do not occur are removed, otherwise the list would double with every class.
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
