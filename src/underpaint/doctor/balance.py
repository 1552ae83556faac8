"""How many images and labelled pixels each class has."""

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
"""Images of a class below which it is called rare: with fewer, one unusual photograph is a fifth of all that is
learned of it, and three splits cannot each have two."""

HIDES = 0.25
"""Share of void pixels above which a mask does not say that a class is absent: it may lie there. PASCAL VOC's rims are
some 5 % of a photograph, and are drawn around objects whose class the mask shows."""

BAND = 1 << 24
"""Pixels of an image that are counted together: it may have more than memory holds."""

Counts = npt.NDArray[np.int64]


class Balance:
    """Counts by class over the images of the training split."""

    def __init__(self, classes: ClassTable) -> None:
        self.classes = classes
        self.images, self.negatives, self.pixels = (np.zeros(len(classes), np.int64) for _ in range(3))
        self.labelled = 0

    def add_mask(self, pixels: Counts) -> None:
        """A mask, as pixels of each class with void last: what it does not show is absent, if little of it is void."""
        shown = pixels[:-1] > 0
        little = pixels[-1] <= HIDES * pixels.sum()
        self._add(shown, ~shown & little)
        self.pixels += pixels[:-1]

    def add_hints(self, hints: Hints, masks: Counts | None, *, exact: bool = False) -> None:
        """Hints of one image, and the pixels of their label file.

        Args:
            hints: With the size of the image.
            masks: (C + 1,) pixels of each class in the label file, void last, or None.
            exact: Paint the regions and count, where the sum of areas would not do since regions cover each other.

        Raises:
            HintError: a class outside the table, or one that is shown and absent at once.
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
        """What is to be said of the classes.

        Args:
            where: Whether hints say where classes are, not only that they are.
            background: Whether the background is a class like the others, which some hint must show.
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
                cause="no image has them, or they are named otherwise",
                fix="label some; or take them out of the class table: a class without examples is not learned",
            ),
            *(self._constant() if where else tag_findings(self.images, self.negatives, self.classes)),
            *Group.of(f"{names[i]} ({self.images[i]})" for i in rare).finding(
                "class-rare",
                Level.WARNS,
                f"fewer than {RARE} images show {{n}} of the classes",
                cause="few photographs of them, or few labels",
                fix="label more images of them before anything else",
            ),
        ]

    def _constant(self) -> list[Finding]:
        """Classes that tags alone could not teach; a note if other hints can."""
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
                cause="every image shows them, or the tags name only what is there",
                fix="say of some images that they lack the class (0 in a table of tags); learning from tags needs both",
            ),
            *Group.of(names[i] for i in constant).finding(
                "class-nearly-constant",
                Level.NOTES,
                f"{{n}} classes are in {CONSTANT:.0%} or more of the images, so their tags teach almost nothing",
                cause="the scene is always the same, or the images were chosen by the class",
                fix="learn from clicks, scribbles or boxes of these classes; or add images without them",
            ),
        ]

    def table(self) -> list[dict[str, Any]]:
        """A row a class: images that show it, images known to lack it, labelled pixels and their share."""
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
    """Pixels of an image (H, W) that lie in no box, counted in bands of rows."""
    covered = [box_slices(np.array([box.x0, box.y0, box.x1, box.y1]), size) for box in boxes]
    count, step = 0, max(1, BAND // size[1])
    for top in range(0, size[0], step):
        free = np.ones((min(step, size[0] - top), size[1]), bool)
        for rows, columns in covered:
            free[max(0, rows.start - top) : max(0, rows.stop - top), columns] = False
        count += int(free.sum())
    return count


def stroke_area(scribble: Scribble, size: tuple[int, int] | None) -> int:
    """About the pixels of a stroke: length times width, and no more than the image (H, W) has."""
    along = np.hypot(*np.diff(np.array(scribble.points), axis=0).T).sum() + scribble.width
    return int(min(along * scribble.width, size[0] * size[1] if size is not None else MAX_PIXELS))
