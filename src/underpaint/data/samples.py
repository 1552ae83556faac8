"""One training sample: an image and its hints seen through a view, as candidate sets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from underpaint.core.classes import ClassTable
from underpaint.core.errors import HintError
from underpaint.data.views import Coordinates, View
from underpaint.hints.candidates import Candidates, ImageKnowledge, build_candidates
from underpaint.hints.rasterise import UNKNOWN, Mask, paint_seeds
from underpaint.hints.types import Hints, Polygon, Region
from underpaint.imagefiles.rule import picture
from underpaint.records import Batch


@dataclass(frozen=True)
class Geometry:
    """The hints of an image as arrays that a view can transform.

    Args:
        points: (P, 2) x and y of all vertices, stroke after stroke, in pixels.
        lengths, labels, widths: Number of vertices, class and width in pixels of each stroke; a click is a stroke with
            one vertex and width 0.
        boxes, box_labels: (B, 4) x0 y0 x1 y1 in pixels, and (B,) classes.
        extents: (R, 4) x0 y0 x1 y1 around each filled area. The pixels of filled areas are given as labels.
        knowledge: What is known of the whole image.
    """

    points: Coordinates
    lengths: tuple[int, ...]
    labels: tuple[int, ...]
    widths: tuple[float, ...]
    boxes: Coordinates
    box_labels: tuple[int, ...]
    extents: Coordinates
    knowledge: ImageKnowledge

    @classmethod
    def of(cls, hints: Hints, classes: ClassTable) -> Geometry:
        """Convert hints to arrays, with class indices instead of class names.

        Raises:
            HintError: An unknown class or contradictory hints; the message names the image.
        """
        where = f"hints of image {hints.image!r}"
        strokes = [(s.name, list(s.points), s.width) for s in hints.scribbles]
        strokes += [(c.name, [(c.x, c.y)], 0.0) for c in hints.clicks]
        vertices = [point for _, points, _ in strokes for point in points]
        return cls(
            points=np.array(vertices, np.float64).reshape(-1, 2),
            lengths=tuple(len(points) for _, points, _ in strokes),
            labels=tuple(classes.index(name, where) for name, _, _ in strokes),
            widths=tuple(width for _, _, width in strokes),
            boxes=np.array([(b.x0, b.y0, b.x1, b.y1) for b in hints.boxes], np.float64).reshape(-1, 4),
            box_labels=tuple(classes.index(b.name, where) for b in hints.boxes),
            extents=np.array([_extent(region) for region in hints.regions], np.float64).reshape(-1, 4),
            knowledge=ImageKnowledge.of(hints, classes),
        )

    def check_inside(self, image: str, size: tuple[int, int]) -> None:
        """Raise `HintError` if hints lie more than one pixel outside the (H, W) image."""
        areas = np.concatenate([self.boxes, self.extents])
        corners = np.concatenate([self.points, areas[:, :2], areas[:, 2:]])
        limit = np.array([size[1], size[0]])
        outside = ~((corners >= -1) & (corners <= limit + 1)).all(axis=1)  # written so that NaN counts as outside
        if outside.any():
            x, y = corners[outside][0]
            raise HintError(
                f"{int(outside.sum())} hint point(s) lie outside the image, the first at x={x:g}, y={y:g}",
                where=f"image {image!r}, {size[1]}x{size[0]} pixels (width x height)",
                fix="were the hints made on another size or rotation of this image? x is the column, y the row",
            )

    def anchors(self, rng: np.random.Generator) -> Coordinates:
        """(A, 2) points of which a crop should contain one: every vertex, and a random point of every box."""
        start, end = self.boxes[:, :2], self.boxes[:, 2:]
        return np.concatenate([self.points, start + (end - start) * rng.random(start.shape)])

    def seeds(self, view: View, source: tuple[int, int], labels: Mask | None) -> Mask:
        """(H, W) class of the pixels that a person labelled, 255 elsewhere; arguments as in `candidates`."""
        points = self.points if len(self.points) == 0 else view.points(self.points, source)
        cuts = np.cumsum(self.lengths)[:-1]
        widths = [width * view.factor for width in self.widths]  # widths are in pixels of the image, not of the crop
        strokes = zip(self.labels, np.split(points, cuts), widths, strict=True) if self.labels else ()
        return paint_seeds(strokes, view.canvas, None if labels is None else labels.copy())

    def candidates(
        self,
        view: View,
        source: tuple[int, int],
        classes: ClassTable,
        *,
        labels: Mask | None,
        made: Mask | None,
        ignored: Mask | None = None,
    ) -> Candidates:
        """Candidate sets of the pixels of a view. Strokes and boxes are rasterised after the geometry was transformed.

        Args:
            view: The view.
            source: (H', W') of the image.
            classes: The class table.
            labels: (H, W) labels of the view from a person's mask, or None; strokes of another class contradict them.
            made: (H, W) pseudo-labels of the view, or None; they are used only where no person labelled the pixel.
            ignored: (H, W) of the view, 1 where boxes give no information, or None.

        Raises:
            HintError: The hints contradict each other.
        """
        seeds = self.seeds(view, source, labels)
        if made is not None:
            seeds = np.where(seeds == UNKNOWN, made, seeds)
        boxes = view.boxes(self.boxes, source)
        nothing = None if ignored is None else ignored == 1  # 255 on padding
        return build_candidates(self.knowledge, seeds, boxes, self.box_labels, classes.background, nothing)


def _extent(region: Region) -> tuple[float, float, float, float]:
    if isinstance(region, Polygon):
        x, y = zip(*(point for ring in (region.ring, *region.holes) for point in ring), strict=True)
        return min(x), min(y), max(x), max(y)
    return region.x, region.y, region.x + region.width, region.y + region.height


@dataclass(frozen=True)
class TrainingImage:
    """A training image without augmentation, for making labels between two stages.

    Args:
        name: Its name in the data set.
        rgb: (H, W, B) uint8, at the working size at most (`underpaint.training.config.DataConfig`).
        full: (H', W', B) uint8, at the image's own size.
        hints: Its hints, in pixels of its own size.
        candidates: Candidate classes of every pixel of ``rgb``.
        allowed: (C,) bool, classes that the image may contain.
        present: (C,) bool, classes that the image is known to contain.
    """

    name: str
    rgb: npt.NDArray[np.uint8]
    full: npt.NDArray[np.uint8]
    hints: Hints
    candidates: Candidates
    allowed: npt.NDArray[np.bool_]
    present: npt.NDArray[np.bool_]

    @cached_property
    def picture(self) -> npt.NDArray[np.uint8]:
        """(H, W, 3) uint8, colours for kernels and for people."""
        return picture(self.rgb)

    @cached_property
    def seeds(self) -> Mask:
        """(H, W) uint8, the class of the pixels with exactly one candidate, 255 elsewhere."""
        return self.candidates.seeds()


@dataclass(frozen=True)
class Sample:
    """One view of one image. Shapes as in `Batch`, without N; ``rgb`` has all bands."""

    rgb: Tensor
    valid: Tensor
    candidates: npt.NDArray[np.uint8]
    sets: npt.NDArray[np.bool_]
    tags: npt.NDArray[np.bool_]
    tags_known: npt.NDArray[np.bool_]
    boxes: Coordinates
    box_classes: tuple[int, ...]
    image: str
    soft: Tensor | None = None
    subtags: npt.NDArray[np.int8] | None = None
    hinted: npt.NDArray[np.bool_] | None = None
    scene: npt.NDArray[np.float32] | None = None


def collate(samples: Sequence[Sample], mean: Tensor, std: Tensor) -> Batch:
    """Make a batch of samples.

    Samples with fewer candidate sets are padded with copies of their set 0; no pixel refers to the copies. If only some
    of the images have soft labels, those of the others are all 0, which means none. If only some have sub-categories,
    those of the others are all -1, which means unknown. If only some have a scene, those of the others are NaN.

    Args:
        samples: The samples, of one crop size.
        mean: (3,) mean of the encoder for RGB in [0, 1].
        std: (3,) standard deviation of the same.
    """
    most = max(len(s.sets) for s in samples)
    sets = np.stack([np.concatenate([s.sets, np.repeat(s.sets[:1], most - len(s.sets), axis=0)]) for s in samples])
    held = next((s.soft for s in samples if s.soft is not None), None)
    soft = None if held is None else [torch.zeros_like(held) if s.soft is None else s.soft for s in samples]
    shown = next((s.subtags for s in samples if s.subtags is not None), None)
    subtags = None if shown is None else [np.full_like(shown, -1) if s.subtags is None else s.subtags for s in samples]
    bands = torch.stack([s.rgb for s in samples])
    known = next((s.scene for s in samples if s.scene is not None), None)
    scene = None if known is None else [np.full_like(known, np.nan) if s.scene is None else s.scene for s in samples]
    return Batch(
        rgb=bands if bands.shape[1] == 3 else colours(bands),
        valid=torch.stack([s.valid for s in samples]),
        candidates=torch.from_numpy(np.stack([s.candidates for s in samples])),
        sets=torch.from_numpy(sets),
        tags=torch.from_numpy(np.stack([s.tags for s in samples])),
        tags_known=torch.from_numpy(np.stack([s.tags_known for s in samples])),
        boxes=tuple(torch.from_numpy(s.boxes).float() for s in samples),
        box_classes=tuple(torch.tensor(s.box_classes, dtype=torch.long) for s in samples),
        ids=tuple(s.image for s in samples),
        mean=mean,
        std=std,
        soft=None if soft is None else torch.stack(soft),
        subtags=None if subtags is None else torch.from_numpy(np.stack(subtags)),
        hinted=_hinted(samples),
        bands=None if bands.shape[1] == 3 else bands,
        scene=None if scene is None else torch.from_numpy(np.stack(scene)),
    )


def colours(bands: Tensor) -> Tensor:
    """(N, 3, H, W) to look at, of (N, B, H, W): as `underpaint.imagefiles.rule.picture`."""
    if bands.shape[1] == 1:
        return bands.repeat(1, 3, 1, 1)
    return bands[:, :3] if bands.shape[1] > 2 else torch.cat([bands, torch.zeros_like(bands[:, :1])], dim=1)


def _hinted(samples: Sequence[Sample]) -> Tensor | None:
    """(N, H, W) bool, the pixels that people labelled; None if no image of the batch has pseudo-labels."""
    if all(s.hinted is None for s in samples):
        return None
    none_made = np.ones_like(samples[0].candidates, dtype=bool)  # without pseudo-labels, all labels are a person's
    return torch.from_numpy(np.stack([none_made if s.hinted is None else s.hinted for s in samples]))
