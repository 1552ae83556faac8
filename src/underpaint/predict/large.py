"""Images that no memory holds: predicted row of tiles by row of tiles, into a file that a later call continues."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from underpaint.core.digest import fingerprint
from underpaint.core.errors import DataError
from underpaint.imagefiles.decode import MAX_PIXELS, Pixels
from underpaint.imagefiles.opening import about_of
from underpaint.imagefiles.rule import SeenImage
from underpaint.models.network import Network
from underpaint.predict.blend import ends_of_rows
from underpaint.predict.predictor import Predictor


@dataclass(frozen=True)
class Spool:
    """The rows of a mask that are done, one after the other, in a hidden file beside the mask to be.

    Args:
        path: The file of rows; beside it lies what they were made from, with the ending ``.json``.
        size: (H, W).
    """

    path: Path
    size: tuple[int, int]

    @property
    def stamp(self) -> Path:
        """The file that says what the rows were made from."""
        return self.path.with_name(f"{self.path.name}.json")

    def rows_done(self, made_from: str, ends: list[int]) -> int:
        """How many rows of tiles are whole in the file, which is cut behind them; 0 if made from other things."""
        try:
            same = json.loads(self.stamp.read_text()) == made_from
        except (OSError, ValueError):
            same = False
        done = self.path.stat().st_size // self.size[1] if same and self.path.is_file() else 0
        whole = sum(end <= done for end in ends)
        with self.path.open("ab") as file:
            file.truncate((ends[whole - 1] if whole else 0) * self.size[1])
        self.stamp.write_text(json.dumps(made_from))
        return whole

    def labels(self) -> Pixels:
        """(H, W) the finished mask, mapped from the file."""
        return np.memmap(self.path, np.uint8, "r", shape=self.size)

    def remove(self) -> None:
        """Remove both files."""
        self.path.unlink(missing_ok=True)
        self.stamp.unlink(missing_ok=True)


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
    image: SeenImage,
    spool: Spool,
    *,
    stamp: str,
    on_rows: Callable[[int, int], None] = lambda done, total: None,
) -> Pixels:
    """Predict an image into a spool. Memory holds a tile, a row of the mask, and where two rows of tiles are averaged.

    A call that was interrupted goes on behind the last whole row of tiles; to average there, it predicts the row before
    once more. The mask is the same to the byte.

    Args:
        predictor: Network and settings.
        image: The opened image.
        spool: Where the rows go.
        stamp: Of everything that the mask depends on beside the settings: weights, file, rule.
        on_rows: Called with the rows of pixels that are done, and their number.

    Returns:
        (H, W) uint8, mapped from the file.
    """
    side, overlap = predictor.config.image_tile(predictor.network.field)
    ends = ends_of_rows(image.size, tile=side, overlap=overlap)
    made_from = fingerprint(stamp, predictor.config.model_dump(mode="json"), image.size, side, overlap)
    first = spool.rows_done(made_from, ends)
    with spool.path.open("ab") as file:
        band: Pixels | None = None
        for (top, bottom, left, right), labels in predictor.areas(image.size, image.read, first=first):
            if band is None:
                band = np.empty((bottom - top, image.size[1]), np.uint8)
            band[:, left:right] = labels
            if right == image.size[1]:
                file.write(band.tobytes())
                file.flush()
                band = None
                on_rows(bottom, image.size[0])
    return spool.labels()
