"""What is made of masks beside them: pictures, a contact sheet, measures, polygons."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt
from PIL import Image

from underpaint.core.atomic import scratch_folder
from underpaint.core.classes import ClassTable
from underpaint.core.outputs import Output
from underpaint.evaluation.contact_sheet import ContactCell, contact_sheet
from underpaint.evaluation.pictures import overlay, png
from underpaint.imagefiles.readers.base import About
from underpaint.imagefiles.rule import picture
from underpaint.predict.measures import (
    COUNTED,
    Measure,
    Region,
    measured,
    measures_csv,
    polygons,
    polygons_geojson,
    write_geopackage,
)

Pixels = npt.NDArray[np.uint8]

Polygons = Literal["geojson", "gpkg"]

SIDE = 2048
"""Longest side of an overlay in pixels: it is to be looked at, and the mask has every pixel."""

SHEET = 60
"""Images on the contact sheet, the first ones: more are no overview."""

STRENGTH = 0.5
"""Of the colour of a class over the image."""


@dataclass(frozen=True)
class Wanted:
    """What is wanted beside masks.

    Args:
        overlay: Pictures ``overlays/NAME.png``, and ``overlays.png`` with small ones of the first images.
        measures: ``measures.csv``: pixels, connected regions and area of each class in each image.
        polygons: The connected regions of all classes but the background, as ``polygons/NAME.geojson`` or as one
            ``polygons.gpkg``, in map coordinates where the image has them.
        least: Regions of fewer pixels are left out of measures and polygons.
        fill: Holes of at most so many pixels are filled in polygons.
        simplify: Pixels by which a polygon may differ from the edges of the pixels; 0 follows them.
    """

    overlay: bool = False
    measures: bool = False
    polygons: Polygons | None = None
    least: int = 1
    fill: int = 0
    simplify: float = 0.0


@dataclass
class Results:
    """Takes masks one by one and writes what is wanted of them.

    Args:
        output: The folder of masks.
        classes: The class table.
        wanted: What to write.
        large: Names of images that are too large for polygons and counts of regions.
    """

    output: Output
    classes: ClassTable
    wanted: Wanted
    large: list[str] = field(default_factory=list)
    _measures: list[Measure] = field(default_factory=list)
    _layers: list[tuple[str, Sequence[Region], About]] = field(default_factory=list)
    _cells: list[ContactCell] = field(default_factory=list)

    def see(self, name: str, pixels: Pixels, labels: Pixels) -> None:
        """Take the (H, W, B) pixels of an image and its mask, for pictures."""
        if not self.wanted.overlay:
            return
        step = -(-max(labels.shape) // SIDE)  # every so many pixels, so that no class is mixed with another
        small, mask = picture(pixels[::step, ::step]), np.ascontiguousarray(labels[::step, ::step])
        drawn = overlay(np.ascontiguousarray(small), mask, self.classes, alpha=STRENGTH)
        self.output.write(self.output.root / "overlays" / f"{name}.png", png(drawn))
        if len(self._cells) < SHEET:
            thumb = Image.fromarray(drawn)
            thumb.thumbnail((256, 256))
            words = [self.classes.names[i] for i in np.unique(mask) if i < len(self.classes)]
            self._cells.append(ContactCell(np.asarray(thumb), (name, ", ".join(words))))

    def add(self, name: str, labels: Pixels, about: About) -> None:
        """Take a finished mask, for measures and polygons."""
        if labels.size > COUNTED and (self.wanted.measures or self.wanted.polygons):
            self.large.append(name)
        if self.wanted.measures:
            self._measures += measured(name, labels, about, self.classes, least=self.wanted.least)
        if self.wanted.polygons is None or labels.size > COUNTED:
            return
        words = {"least": self.wanted.least, "fill": self.wanted.fill}
        found = polygons(labels, about, self.classes, simplify=self.wanted.simplify, **words)
        if self.wanted.polygons == "gpkg":
            self._layers.append((name, found, about))
        else:
            path = self.output.root / "polygons" / f"{name}.geojson"
            self.output.write(path, polygons_geojson(found, about))

    def finish(self) -> None:
        """Write what is of all images together."""
        if self.wanted.measures:
            self.output.write(self.output.root / "measures.csv", measures_csv(self._measures))
        if self._cells:
            self.output.write(self.output.root / "overlays.png", contact_sheet(self._cells))
        if self._layers:
            path = self.output.root / "polygons.gpkg"
            with scratch_folder(path) as folder:
                write_geopackage(folder / path.name, self._layers)
                self.output.take(path, folder / path.name)
