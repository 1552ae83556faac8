"""What is made of masks beside them: pictures, a contact sheet, measures, polygons."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field

import numpy as np
import numpy.typing as npt
from PIL import Image

from underpaint.annotations.format import Format, Writing
from underpaint.core.atomic import scratch_folder
from underpaint.core.classes import ClassTable
from underpaint.core.outputs import Output
from underpaint.datasets.objects import ObjectRule, hints_of_regions, object_format
from underpaint.evaluation.contact_sheet import ContactCell, contact_sheet
from underpaint.evaluation.pictures import overlay, png
from underpaint.hints.regions import Region, bands, regions
from underpaint.hints.types import Hints
from underpaint.imagefiles.mapped import Mapped
from underpaint.imagefiles.readers.base import About
from underpaint.imagefiles.rule import InputImage, picture
from underpaint.predict.measures import (
    Layer,
    Measure,
    features,
    layer,
    measured,
    measures_csv,
    write_geojson,
    write_geopackage,
)

Pixels = npt.NDArray[np.uint8]
Counts = npt.NDArray[np.int64]

GEOPACKAGE, GEOJSON = "gpkg", "geojson"

SIDE = 2048
"""Longest side of an overlay in pixels: it is to be looked at, and the mask has every pixel."""

SHEET = 60
"""Images on the contact sheet, the first ones: more are no overview."""

BAND = 512
"""Rows of a large image that are read together for its overlay, at least."""

STRENGTH = 0.5
"""Of the colour of a class over the image."""


@dataclass(frozen=True)
class Wanted:
    """What is wanted beside masks.

    Args:
        overlay: Pictures ``overlays/NAME.png``, and ``overlays.png`` with small ones of the first images.
        measures: ``measures.csv``: pixels, connected regions and area of each class in each image.
        polygons: The connected regions of all classes but the background: ``geojson`` as ``polygons/NAME.geojson`` and
            ``gpkg`` as one ``polygons.gpkg``, in map coordinates where the image has them; or an annotation format with
            polygons or boxes (`underpaint.datasets.objects`), as ``polygons.json`` or ``polygons/``, in pixels.
        rule: Which regions there are in measures and polygons.

    Raises:
        DataError: a format that is unknown or holds no objects.
    """

    overlay: bool = False
    measures: bool = False
    polygons: str | None = None
    rule: ObjectRule = field(default_factory=ObjectRule)

    def __post_init__(self) -> None:
        if self.polygons not in (None, GEOJSON, GEOPACKAGE):
            object_format(self.polygons)


@dataclass
class Results:
    """Takes masks one by one and writes what is wanted of them.

    Args:
        output: The folder of masks.
        classes: The class table.
        wanted: What to write.
    """

    output: Output
    classes: ClassTable
    wanted: Wanted
    _measures: list[Measure] = field(default_factory=list)
    _layers: list[Layer] = field(default_factory=list)
    _hints: list[Hints] = field(default_factory=list)
    _cells: list[ContactCell] = field(default_factory=list)

    def see(self, name: str, pixels: Pixels, labels: Pixels) -> None:
        """Take the (H, W, B) pixels of an image and its mask, for pictures."""
        if self.wanted.overlay:
            step = _step(labels)
            self._draw(name, pixels[::step, ::step], labels[::step, ::step])

    def see_large(self, image: InputImage, name: str, labels: Mapped) -> None:
        """As `see`, for an image that is read band by band."""
        if self.wanted.overlay:
            step = _step(labels)
            rows = step * -(-BAND // step)
            height, width = image.size
            bands = [(top, min(height, top + rows)) for top in range(0, height, rows)]
            seen = [image.read((top, end, 0, width))[::step, ::step].copy() for top, end in bands]
            drawn = [labels[top:end:step, ::step] for top, end in bands]
            self._draw(name, np.concatenate(seen), np.concatenate(drawn))

    def _draw(self, name: str, small: Pixels, labels: Pixels) -> None:
        mask = np.ascontiguousarray(labels)
        drawn = overlay(np.ascontiguousarray(picture(small)), mask, self.classes, alpha=STRENGTH)
        self.output.write(self.output.root / "overlays" / f"{name}.png", png(drawn))
        if len(self._cells) < SHEET:
            thumb = Image.fromarray(drawn)
            thumb.thumbnail((256, 256))
            words = [self.classes.names[i] for i in np.unique(mask) if i < len(self.classes)]
            self._cells.append(ContactCell(np.asarray(thumb), (name, ", ".join(words))))

    def add(self, name: str, labels: Pixels | Mapped, counts: Counts, about: About) -> None:
        """Take a finished mask and the (C,) pixels of its classes, for measures and polygons.

        Memory holds a band of the mask, and the outlines of the regions that go on below it.
        """
        if not self.wanted.measures and self.wanted.polygons is None:
            return
        found = Counter[int]()
        outlined = self.classes.foreground if self.wanted.polygons is not None else ()
        wanted = range(len(self.classes)) if self.wanted.measures else outlined
        present = [label for label in wanted if counts[label]]
        every = regions(bands(labels), present, outlined=outlined, **asdict(self.wanted.rule))
        self._keep(name, _tallied(every, found), about)
        if self.wanted.measures:
            self._measures += measured(name, counts, found, about, self.classes)

    def _keep(self, name: str, found: Iterator[Region], about: About) -> None:
        """Write or keep the polygons of an image, and take all its regions from the iterator."""
        if self.wanted.polygons is None:
            deque(found, maxlen=0)
        elif self.wanted.polygons == GEOPACKAGE:
            self._layers.append(layer(name, features(found, about, self.classes), about))
        elif self.wanted.polygons == GEOJSON:
            path = self.output.root / "polygons" / f"{name}.geojson"
            with scratch_folder(path) as folder:
                write_geojson(folder / path.name, features(found, about, self.classes), about)
                self.output.take(path, folder / path.name)
        else:
            form = object_format(self.wanted.polygons)
            self._hints.append(hints_of_regions(name, about.size, found, self.classes, form))

    def finish(self, files: Mapping[str, str]) -> None:
        """Write what is of all images together; ``files`` are the file names of the images."""
        if self.wanted.measures:
            self.output.write(self.output.root / "measures.csv", measures_csv(self._measures))
        if self._cells:
            self.output.write(self.output.root / "overlays.png", contact_sheet(self._cells))
        if self._layers:
            path = self.output.root / "polygons.gpkg"
            with scratch_folder(path) as folder:
                write_geopackage(folder / path.name, self._layers)
                self.output.take(path, folder / path.name)
        said = [one for one in self._hints if one.kinds()]
        if said and self.wanted.polygons is not None:
            self._write(object_format(self.wanted.polygons), said, files)

    def _write(self, form: Format, said: list[Hints], files: Mapping[str, str]) -> None:
        """Polygons in an annotation format: one file ``polygons.ENDING``, or the files of a folder ``polygons``."""
        ending = next(word for word in form.layout.split() if word.startswith(".")) if form.one_file else ""
        path = self.output.root / f"polygons{ending}"
        with scratch_folder(path) as folder:
            made = folder / path.name
            form.write(made, said, Writing(self.classes, files))
            for one in [made] if form.one_file else sorted(file for file in made.rglob("*") if file.is_file()):
                target = path if one == made else path / one.relative_to(made)
                target.parent.mkdir(parents=True, exist_ok=True)
                self.output.take(target, one)


def _step(labels: Pixels | Mapped) -> int:
    """Every so many pixels are drawn, so that no class is mixed with another."""
    return -(-int(max(labels.shape)) // SIDE)


def _tallied(found: Iterator[Region], tally: Counter[int]) -> Iterator[Region]:
    """The regions with outlines; all regions are counted by their class."""
    for one in found:
        tally[one.label] += 1
        if one.parts:
            yield one
