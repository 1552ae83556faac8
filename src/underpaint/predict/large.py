"""Images that no memory holds: predicted row of tiles by row of tiles, into a file that a later call continues."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from underpaint.core.digest import fingerprint
from underpaint.core.errors import DataError
from underpaint.imagefiles.decode import MAX_PIXELS, Pixels
from underpaint.imagefiles.mapped import Mapped
from underpaint.imagefiles.mask_tiff import mask_rows
from underpaint.imagefiles.opening import about_of
from underpaint.imagefiles.rule import InputImage
from underpaint.models.network import Network
from underpaint.predict.blend import ends_of_rows
from underpaint.predict.predictor import STRIDE, Coarse, Predictor


@dataclass(frozen=True)
class Spool:
    """The rows of a mask that are done, one after the other, in a hidden file beside the mask to be.

    Args:
        path: The file of rows; beside it lies what they were made from, with the ending ``.json``, and the
            probabilities, with the ending ``.cells``.
        size: (H, W).
        classes: Number of classes whose probabilities are kept; 0 for none.
    """

    path: Path
    size: tuple[int, int]
    classes: int = 0

    @property
    def stamp(self) -> Path:
        """The file that says what the rows were made from."""
        return self.path.with_name(f"{self.path.name}.json")

    @property
    def cells(self) -> Path:
        """The file of probabilities: rows of cells, each with a row of float16 for every class."""
        return self.path.with_name(f"{self.path.name}.cells")

    def rows_done(self, made_from: str, ends: list[int]) -> int:
        """How many rows of tiles are whole in the files, which are cut behind them; 0 if made from other things.

        Raises:
            DataError: the disk has no room for the rest.
        """
        try:
            same = json.loads(self.stamp.read_text()) == made_from
        except (OSError, ValueError):
            same = False
        sizes = {path: path.stat().st_size if path.is_file() else 0 for path, _, _ in self._files(0)}
        whole = sum(
            1 for end in ends if same and all(sizes[path] >= row * rows for path, row, rows in self._files(end))
        )
        end = ends[whole - 1] if whole else 0
        for path, row, rows in self._files(end):
            with path.open("ab") as file:
                file.truncate(row * rows)
        needed = sum(row * rows for _, row, rows in self._files(self.size[0]))
        needed -= sum(row * rows for _, row, rows in self._files(end))
        free = shutil.disk_usage(self.path.parent).free
        if free < needed:
            raise DataError(
                f"{needed / 1e9:.1f} GB are needed on the way to the mask, and {free / 1e9:.1f} GB are free",
                where=self.path.parent,
                fix="free some space or choose another folder",
            )
        self.stamp.write_text(json.dumps(made_from))
        return whole

    def _files(self, end: int) -> Iterator[tuple[Path, int, int]]:
        """Each file with the bytes of a row and the number of rows that ``end`` rows of pixels have in it."""
        yield self.path, self.size[1], end
        if self.classes:
            yield self.cells, 2 * self.classes * self._across, -(-end // STRIDE)

    @property
    def _across(self) -> int:
        return -(-self.size[1] // STRIDE)

    def copy(self, mask: Path) -> Mapped:
        """Take the finished mask of an earlier call, and return what `labels` returns."""
        with self.path.open("wb") as file:
            for rows in mask_rows(mask):
                file.write(rows.tobytes())
        return self.labels()

    def labels(self) -> Mapped:
        """(H, W) uint8, the finished mask."""
        return Mapped(self.path, np.uint8, self.size)

    def probabilities(self) -> Mapped:
        """(C, ceil(H / 4), ceil(W / 4)) float16, the finished probabilities."""
        return Mapped(self.cells, np.float16, (-(-self.size[0] // STRIDE), self.classes, self._across), (1, 0, 2))

    def remove(self) -> None:
        """Remove all files."""
        for path in (self.path, self.cells, self.stamp):
            path.unlink(missing_ok=True)


def is_large(path: Path) -> bool:
    """Whether an image has too many pixels to be read as a whole, and can be read by regions."""
    try:
        about = about_of(path)
    except DataError:
        return False
    return about.by_regions and about.pixels > MAX_PIXELS


def weights_digest(network: Network) -> str:
    """A digest of the weights."""
    digest = hashlib.blake2b(digest_size=16)
    for name, value in sorted(network.state_dict().items()):
        digest.update(name.encode() + np.ascontiguousarray(value.detach().cpu().numpy()).tobytes())
    return digest.hexdigest()


def predict_rows(
    predictor: Predictor,
    image: InputImage,
    spool: Spool,
    *,
    stamp: str,
    on_rows: Callable[[int, int], None] = lambda done, total: None,
) -> Mapped:
    """Predict an image into a spool. Memory holds a tile, a row of the mask, and where two rows of tiles are averaged.

    A call that was interrupted goes on behind the last whole row of tiles; to average there, it predicts the row before
    once more. The mask is the same to the byte.

    Args:
        predictor: Network and settings.
        image: The opened image.
        spool: Where the rows go.
        stamp: Of everything that the mask depends on beside the settings: weights, file, rule.
        on_rows: Called with the rows of tiles that are done, and their number, first with those of an earlier call.

    Returns:
        (H, W) uint8, in the file.
    """
    side, overlap = predictor.config.image_tile(predictor.network.field)
    ends = ends_of_rows(image.size, tile=side, overlap=overlap)
    made_from = fingerprint(stamp, predictor.config.model_dump(mode="json"), image.size, side, overlap)
    first = spool.rows_done(made_from, ends)
    on_rows(first, len(ends))
    width = image.size[1]
    band: Pixels | None = None
    cells: Coarse | None = None
    for (top, bottom, left, right), labels, coarse in predictor.areas(image.size, image.read, first=first):
        if band is None or cells is None:
            band = np.empty((bottom - top, width), np.uint8)
            cells = np.empty((coarse.shape[1], len(coarse), -(-width // STRIDE)), np.float16)
        band[:, left:right] = labels
        cells[:, :, left // STRIDE : -(-right // STRIDE)] = coarse.swapaxes(0, 1)
        if right == width:
            if spool.classes:
                _append(spool.cells, cells)
            _append(spool.path, band)
            band = cells = None
            first += 1
            on_rows(first, len(ends))
    return spool.labels()


def _append(path: Path, rows: Pixels | Coarse) -> None:
    with path.open("ab") as file:
        file.write(rows.tobytes())
