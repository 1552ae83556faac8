"""Counts the images and the labelled pixels of each class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from underpaint.core.classes import VOID, ClassTable
from underpaint.doctor.findings import Finding, Group, Level
from underpaint.doctor.tags import CONSTANT, tag_findings
from underpaint.hints.candidates import ImageKnowledge
from underpaint.hints.rasterise import box_slices, numbered, paint_regions, region_pixels
from underpaint.hints.types import IGNORED, Box, Hints, Scribble
from underpaint.imagefiles.decode import MAX_PIXELS

RARE = 5
"""A class with fewer images is called rare: a single unusual photograph would then be a large part of its examples."""

MAX_VOID = 0.25
"""If a mask has a larger fraction of void pixels, classes that it does not show are not counted as absent, because they
may be in the void pixels. The void borders of PASCAL VOC are about 5 % of a photograph."""

BAND = 1 << 24
"""Number of pixels that are counted together, because an image may be larger than the memory."""

Counts = npt.NDArray[np.int64]


class Balance:
    """Counts by class over the images of the training split."""

    def __init__(self, classes: ClassTable) -> None:
        self.classes = classes
        self.images, self.negatives, self.pixels = (np.zeros(len(classes), np.int64) for _ in range(3))
        self.labelled = 0

    def add_mask(self, pixels: Counts) -> None:
        """Add a mask, given as the number of pixels of each class with void last; see `MAX_VOID` for absent classes."""
        shown = pixels[:-1] > 0
        complete = pixels[-1] <= MAX_VOID * pixels.sum()
        self._add(shown, ~shown & complete)
        self.pixels += pixels[:-1]

    def add_hints(self, hints: Hints, masks: Counts | None, *, exact: bool = False) -> None:
        """Add the hints of one image, and the pixels of their label file.

        Args:
            hints: The hints with the size of the image.
            masks: (C + 1,) number of pixels of each class in the label file, void last, or None.
            exact: Rasterise the regions and count their pixels. The sum of their areas is too large if they overlap.

        Raises:
            HintError: A class is not in the table, or is both shown and absent.
        """
        known = ImageKnowledge.of(hints, self.classes)
        shown = known.taught(self.classes.background)
        if known.surrounded(self.classes.background) and hints.size is not None:
            self.pixels[self.classes.background] += outside_pixels(hints.boxes, hints.size)
        if (exact or hints.ignored()) and hints.size is not None:
            painted = paint_regions(numbered(hints.regions, self.classes), hints.size)
            self.pixels += np.bincount(painted.ravel(), minlength=VOID + 1)[: len(self.classes)]
        else:
            for region in (one for one in hints.regions if one.name != IGNORED):
                self.pixels[self.classes.index(region.name)] += region_pixels(region)
        for scribble in hints.scribbles:
            self.pixels[self.classes.index(scribble.name)] += stroke_area(scribble, hints.size)
        for click in hints.clicks:
            self.pixels[self.classes.index(click.name)] += 1
        if masks is not None:
            shown |= masks[:-1] > 0
            self.pixels += masks[:-1]
        self._add(shown, known.absent)

    def _add(self, shown: npt.NDArray[np.bool_], absent: npt.NDArray[np.bool_]) -> None:
        self.labelled += 1
        self.images += shown
        self.negatives += absent

    def findings(self, *, where: bool, background: bool = False) -> list[Finding]:
        """The findings about the classes.

        Args:
            where: Whether there are hints that state the positions of classes, in contrast to tags.
            background: Whether some hint must show the background, as any other class.
        """
        if self.labelled == 0:
            return []
        names, things = self.classes.names, self.classes.foreground
        never = [i for i in range(len(names)) if self.images[i] == 0 and (background or i in things)]
        rare = [i for i in things if 0 < self.images[i] < RARE]
        return [
            *Group.of(names[i] for i in never).finding(
                "class-never",
                Level.WARNS,
                "no label shows {n} of the classes",
                cause="no image has them, or the labels use another name",
                fix="label some; or remove them from the class table: a class without examples cannot be learned",
            ),
            *(self._constant() if where else tag_findings(self.images, self.negatives, self.classes)),
            *Group.of(f"{names[i]} ({self.images[i]})" for i in rare).finding(
                "class-rare",
                Level.WARNS,
                f"fewer than {RARE} images show {{n}} of the classes",
                cause="there are few photographs of them, or few labels",
                fix="label more images of these classes first",
            ),
        ]

    def _constant(self) -> list[Finding]:
        """Notes about classes that could not be learned from tags alone, if there are other hints."""
        names, things = self.classes.names, self.classes.foreground
        known = self.images + self.negatives
        constant = [
            i for i in things if self.negatives[i] and self.images[i] >= CONSTANT * known[i] and known[i] >= 2 * RARE
        ]
        always = [i for i in things if self.images[i] and not self.negatives[i]]
        return [
            *Group.of(names[i] for i in always).finding(
                "class-no-negatives",
                Level.NOTES,
                "of {n} classes no image is known to be without them",
                cause="every image shows them, or the tags name only the classes that are present",
                fix="tag some images as images without the class (0 in a table of tags); learning from tags needs both",
            ),
            *Group.of(names[i] for i in constant).finding(
                "class-nearly-constant",
                Level.NOTES,
                f"{{n}} classes are in {CONSTANT:.0%} or more of the images, so their tags are of little use",
                cause="the scene is always the same, or the images were selected by the class",
                fix="learn from clicks, scribbles or boxes of these classes; or add images without them",
            ),
        ]

    def table(self) -> list[dict[str, Any]]:
        """One row per class: images with the class, images known to be without it, labelled pixels and their share."""
        total = max(int(self.pixels.sum()), 1)
        return [
            {
                "class": name,
                "images": int(self.images[i]),
                "negatives": int(self.negatives[i]),
                "pixels": int(self.pixels[i]),
                "share": int(self.pixels[i]) / total,
            }
            for i, name in enumerate(self.classes.names)
        ]


def outside_pixels(boxes: Sequence[Box], size: tuple[int, int]) -> int:
    """The number of pixels of an image (H, W) outside all boxes, counted in bands of rows."""
    covered = [box_slices(np.array([box.x0, box.y0, box.x1, box.y1]), size) for box in boxes]
    count, step = 0, max(1, BAND // size[1])
    for top in range(0, size[0], step):
        free = np.ones((min(step, size[0] - top), size[1]), bool)
        for rows, columns in covered:
            free[max(0, rows.start - top) : max(0, rows.stop - top), columns] = False
        count += int(free.sum())
    return count


def stroke_area(scribble: Scribble, size: tuple[int, int] | None) -> int:
    """The approximate number of pixels of a stroke: length times width, but not more than the image (H, W) has."""
    along = np.hypot(*np.diff(np.array(scribble.points), axis=0).T).sum() + scribble.width
    return int(min(along * scribble.width, size[0] * size[1] if size is not None else MAX_PIXELS))
