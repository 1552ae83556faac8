"""The candidate classes that hints leave to every pixel of an image, at the image's own size."""

from __future__ import annotations

from underpaint.core.classes import ClassTable
from underpaint.core.errors import DataError
from underpaint.data.samples import Geometry
from underpaint.data.views import View
from underpaint.hints.candidates import Candidates
from underpaint.hints.rasterise import Mask, covered_by, numbered, paint_regions
from underpaint.hints.types import Hints
from underpaint.imagefiles.masks import LabelFile, mask_size

Size = tuple[int, int]


def known_pixels(hints: Hints, classes: ClassTable, size: Size, file: LabelFile | None) -> Candidates:
    """Candidate sets of all pixels of an image, at its own size.

    Args:
        hints: Hints of the image.
        classes: The class table.
        size: (H, W) of the upright image.
        file: The label file that the hints name, or None.

    Raises:
        DataError: The hints or the label file were made for another size.
        HintError: Hints are contradictory, lie outside the image, or name an unknown class.
    """
    geometry = Geometry.of(hints, classes)
    check_fits(hints, geometry, size, file)
    labels, ignored = drawn_labels(hints, classes, size, file), ignored_pixels(hints, geometry, size)
    return geometry.candidates(whole_view(size), size, classes, labels=labels, made=None, ignored=ignored)


def check_fits(hints: Hints, geometry: Geometry, size: Size, file: LabelFile | None) -> None:
    """Check that hints and label file fit the size of the image.

    Raises:
        DataError: The hints or the label file were made for another size than (H, W).
        HintError: Hints lie outside the image.
    """
    if hints.size is not None and hints.size != size:
        raise DataError(
            f"the hints were made on {hints.size[1]}x{hints.size[0]} pixels, the image has {size[1]}x{size[0]}",
            where=f"image {hints.image!r}",
            fix="a rotated photograph, or another size? hints are never stretched to fit",
        )
    geometry.check_inside(hints.image, size)
    if file is not None and (held := mask_size(file.path)) != size:
        raise DataError(
            f"the mask has {held[1]}x{held[0]} pixels, its image {size[1]}x{size[0]}",
            where=file.path,
            fix="masks are never resized; make both of one size and orientation",
        )


def drawn_labels(hints: Hints, classes: ClassTable, size: Size, file: LabelFile | None) -> Mask | None:
    """(H, W) uint8 labels of the label file and, drawn over them, of the filled areas; 255 elsewhere.

    None if there is neither.
    """
    if file is None and not hints.regions:
        return None
    regions = numbered(hints.regions, classes, f"hints of image {hints.image!r}")
    return paint_regions(regions, size, None if file is None else file.read(classes))


def ignored_pixels(hints: Hints, geometry: Geometry, size: Size) -> Mask | None:
    """(H, W) uint8, 1 on the ignored areas; None if there are none, or no boxes that they affect."""
    ignored = hints.ignored()
    if not ignored or not (len(geometry.boxes) or geometry.knowledge.boxed.any()):
        return None
    return covered_by(ignored, size).astype("uint8")


def whole_view(size: Size, longest: int | None = None) -> View:
    """A view of the whole (H, W) image, reduced if its longer side is above ``longest`` pixels."""
    factor = 1.0 if longest is None else min(1.0, longest / max(size))
    canvas = (max(1, round(size[0] * factor)), max(1, round(size[1] * factor)))
    return View(0, 0, *size, canvas, (0, 0), canvas, flip=False)
