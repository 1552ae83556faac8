"""Draws a contact sheet: small photographs in rows, each with a text and perhaps a ring around a place."""

from __future__ import annotations

import io
import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from underpaint.core.errors import DataError, printable

SIDE, CAPTION, MARGIN, TEXT = 240, 40, 8, 14
"""Sizes in pixels: the square around a photograph, the text below it, the margin between cells, a line of text."""

COLUMNS = 4
LEAST_RADIUS = 8


@dataclass(frozen=True)
class RingedPhotograph:
    """A cell of a contact sheet.

    Args:
        rgb: (H, W, 3) uint8.
        x, y, radius: Centre and radius of the ring, in pixels of the photograph.
        words: Two lines of text below it.
    """

    rgb: npt.NDArray[np.uint8]
    x: float
    y: float
    radius: float
    words: tuple[str, str]


@dataclass(frozen=True)
class ContactCell:
    """A cell without a ring.

    Args:
        rgb: (H, W, 3) uint8.
        words: Two lines of text below it.
    """

    rgb: npt.NDArray[np.uint8]
    words: tuple[str, str]


def contact_sheet(cells: Iterable[RingedPhotograph | ContactCell]) -> bytes:
    """Draw the sheet as PNG with `COLUMNS` photographs per row. The photographs are read and reduced one by one.

    Raises:
        DataError: There is no photograph.
    """
    drawn = [_cell(cell) for cell in cells]
    if not drawn:
        raise DataError("a contact sheet needs a photograph", accepted="at least one")
    columns = min(COLUMNS, len(drawn))
    width, height = SIDE + MARGIN, SIDE + CAPTION + MARGIN
    rows = math.ceil(len(drawn) / columns)
    sheet = Image.new("RGB", (columns * width + MARGIN, rows * height + MARGIN), "white")
    for number, cell in enumerate(drawn):
        sheet.paste(cell, (MARGIN + number % columns * width, MARGIN + number // columns * height))
    buffer = io.BytesIO()
    sheet.save(buffer, "PNG")
    return buffer.getvalue()


def _cell(cell: RingedPhotograph | ContactCell) -> Image.Image:
    photograph = Image.fromarray(cell.rgb)
    factor = SIDE / max(photograph.size)
    width, height = (max(1, round(side * factor)) for side in photograph.size)
    photograph = photograph.resize((width, height))
    if isinstance(cell, RingedPhotograph):
        _ring(photograph, cell, factor)
    whole = Image.new("RGB", (SIDE, SIDE + CAPTION), "white")
    whole.paste(photograph, ((SIDE - photograph.width) // 2, (SIDE - photograph.height) // 2))
    text, font = ImageDraw.Draw(whole), ImageFont.load_default(TEXT)
    for line, words in enumerate(cell.words):
        text.text((2, SIDE + 2 + line * (TEXT + 4)), _fitting(printable(words), font), fill="black", font=font)
    return whole


def _ring(photograph: Image.Image, cell: RingedPhotograph, factor: float) -> None:
    pen = ImageDraw.Draw(photograph)
    x, y, radius = cell.x * factor, cell.y * factor, max(LEAST_RADIUS, cell.radius * factor)
    for reach, colour in ((radius, "black"), (radius - 2, "white")):  # visible on dark and on light photographs
        pen.ellipse((x - reach, y - reach, x + reach, y + reach), outline=colour, width=2)


def _fitting(words: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> str:
    """The text, shortened if it is wider than a cell."""
    while font.getlength(words) > SIDE - 4:
        words = words[:-2] + "…"
    return words
