"""Writes the gap report as one HTML page without external files, and its numbers as JSON."""

from __future__ import annotations

import base64
import io
import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from PIL import Image

from underpaint.core.atomic import write_atomic
from underpaint.core.classes import ClassTable
from underpaint.core.errors import DataError
from underpaint.evaluation import charts
from underpaint.evaluation.compare import PROTOCOL
from underpaint.evaluation.confusion import confusion, scores
from underpaint.evaluation.gap import Estimate, Gap, estimate
from underpaint.evaluation.pictures import Mask, Rgb, draw_hints, overlay
from underpaint.evaluation.results import GapReport, MethodRow, PictureRow, Role

__all__ = ["GapReport", "MethodRow", "PictureRow", "Role", "write_report"]

PANEL = 400
"""Largest width of pictures in pixels; each has about 40 kB."""

ALPHA = 0.6
"""Strength of the class colours over the photograph. The class and the outline are then both visible."""

JPEG_QUALITY = 88
"""Quality of the pictures. With full colour resolution, outlines are sharp at a third of the size of a PNG."""


DASH = "\N{EN DASH}"
"""The text for a missing number."""

NBSP = "\N{NO-BREAK SPACE}"
"""Keeps a number and its unit on one line."""

PALE = 0.35
"""Brightness that is added to the grey photograph under a mask, so that only the classes have colours."""


@dataclass(frozen=True)
class Panel:
    """One embedded picture with its caption."""

    caption: str
    note: str
    source: str


@dataclass(frozen=True)
class TableRow:
    """One row of the table of methods."""

    row: MethodRow
    colour: str
    quality: Estimate
    outline: Estimate | None
    gap: Gap | None


def write_report(report: GapReport, path: Path, *, write: Callable[[Path, bytes], None] = write_atomic) -> None:
    """Write the page to ``path``, and its numbers to a file with the suffix ``.json``; each is written atomically.

    Args:
        report: The report.
        path: The file of the page, which ends in .html.
        write: Writes a file from a path and its content; `Output.write` refuses to replace files of the user.

    Raises:
        DataError: ``path`` does not end in .html, the arrays of a picture differ in size, the curves cannot be read, or
            a file cannot be written.
    """
    if path.suffix != ".html":
        raise DataError(f"the file of the report is {path.name!r}", where=path, accepted="a name that ends in .html")
    page = _render(report).encode("utf-8")
    numbers = json.dumps(report.to_json(), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    write(path.with_suffix(".json"), numbers.encode("utf-8"))
    write(path, page)


def _render(report: GapReport) -> str:
    """The page as a string. The template engine escapes all names in it."""
    environment = Environment(
        loader=PackageLoader("underpaint.evaluation"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(pm=_with_interval, points=_points, percent=_percent, minutes=duration)
    table = _table(report)
    inference = list(dict.fromkeys(name for row in report.rows for name in row.inference))
    return environment.get_template("report.html").render(
        report=report,
        table=table,
        inference=inference,
        highest=_highest(table),
        best=_best(table),
        floor=_only(table, Role.FLOOR),
        ceiling=_only(table, Role.CEILING),
        gap_chart=_gap_chart(table),
        cost_chart=charts.cost_chart(_costs(report, table)),
        pictures=[(picture.name, _panels(picture, table, report.classes)) for picture in report.pictures],
        curves=None if report.curves is None else _curves(report.curves),
        protocol=PROTOCOL,
        Role=Role,
    )


def _table(report: GapReport) -> list[TableRow]:
    """The rows in the order floor, methods, ceiling, each with its colour."""
    order = [Role.FLOOR, Role.METHOD, Role.CEILING]
    colours = {Role.FLOOR: [charts.GREY], Role.METHOD: list(charts.COLOURS), Role.CEILING: [charts.INK]}
    used = dict.fromkeys(order, 0)
    table = []
    for row in sorted(report.rows, key=lambda row: order.index(row.role)):
        palette = colours[row.role]
        colour = palette[used[row.role] % len(palette)]
        used[row.role] += 1
        outline = estimate(list(row.boundary_iou.values())) if row.boundary_iou else None
        table.append(TableRow(row, colour, estimate(list(row.miou.values())), outline, report.gap(row)))
    return table


def _costs(report: GapReport, table: list[TableRow]) -> list[charts.CostPoint]:
    """One point for each row with a known annotation time, or the points of its budget curve if it has one."""
    curves = {point.method for point in report.budget}
    single = [row for row in table if row.row.minutes is not None and row.row.method not in curves]
    colours = {row.row.method: row.colour for row in table}
    points = [charts.CostPoint(row.row.method, row.colour, row.row.minutes or 0.0, row.quality) for row in single]
    return points + [
        charts.CostPoint(p.method, colours.get(p.method, charts.GREY), p.minutes, estimate([p.miou]))
        for p in report.budget
    ]


def _only(table: list[TableRow], role: Role) -> TableRow | None:
    return next((row for row in table if row.row.role == role), None)


def _highest(table: list[TableRow]) -> TableRow | None:
    methods = [row for row in table if row.row.role == Role.METHOD]
    return max(methods, key=lambda row: row.quality.mean, default=None)


def _best(table: list[TableRow]) -> TableRow | None:
    """The method with the highest score, if it is above the floor."""
    highest, floor = _highest(table), _only(table, Role.FLOOR)
    if highest is None or floor is None:
        return highest
    paired = highest.gap.reduction if highest.gap else None  # uses only common seeds
    gained = highest.quality.mean - floor.quality.mean if paired is None else paired.mean
    return highest if gained > 0 else None


def _gap_chart(table: list[TableRow]) -> charts.GapChart:
    means = {row.row.role: row.quality.mean for row in table if row.row.role != Role.METHOD}
    lines = [
        charts.Line(
            row.row.method,
            row.colour,
            row.quality,
            tuple(row.row.miou[seed] for seed in sorted(row.row.miou)),
            row.gap if row.row.role == Role.METHOD else None,
        )
        for row in table
    ]
    return charts.gap_chart(lines, floor=means.get(Role.FLOOR), ceiling=means.get(Role.CEILING))


def _panels(picture: PictureRow, table: list[TableRow], classes: ClassTable) -> list[Panel]:
    """The photograph with hints, the mask of each method with its score on this image, and the ground truth."""
    factor = max(1, math.ceil(PANEL / picture.photo.shape[1]))
    photo = _enlarged(picture.photo, factor)
    first = photo if picture.hints is None else draw_hints(photo, _repeated(picture.hints, factor), classes)
    pale = _pale(photo)
    panels = [Panel("photo" if picture.hints is None else "photo and hints", "", _jpeg(first))]
    for method in (line.row.method for line in table):
        mask = picture.masks.get(method)
        if mask is not None:
            note = _image_score(picture.truth, mask, len(classes), f"{picture.name}, {method}")
            shown = overlay(pale, _repeated(mask, factor), classes, alpha=ALPHA)
            panels.append(Panel(method, note, _jpeg(shown)))
    truth = overlay(pale, _repeated(picture.truth, factor), classes, alpha=ALPHA)
    return [*panels, Panel("truth", "", _jpeg(truth))]


def _image_score(truth: Mask, mask: Mask, classes: int, where: str) -> str:
    matrix = confusion(truth, mask, classes, where=where)
    return f"{scores(matrix).miou:.0f}" if matrix.any() else ""


def _enlarged(photo: Rgb, factor: int) -> Rgb:
    if factor == 1:
        return photo
    height, width = photo.shape[:2]
    return np.asarray(Image.fromarray(photo).resize((width * factor, height * factor), Image.Resampling.BICUBIC))


def _pale(photo: Rgb) -> Rgb:
    grey = np.asarray(Image.fromarray(photo).convert("L"), dtype=np.float64)
    return np.rint(grey + PALE * (255 - grey)).astype(np.uint8)[..., None].repeat(3, axis=2)


def _repeated(mask: Mask, factor: int) -> Mask:
    return mask.repeat(factor, axis=0).repeat(factor, axis=1)


def _jpeg(picture: Rgb) -> str:
    image = Image.fromarray(picture)
    if image.width > PANEL:
        size = (PANEL, max(1, round(image.height * PANEL / image.width)))
        image = image.resize(size, Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.save(buffer, format="JPEG", quality=JPEG_QUALITY, subsampling=0)
    return _data("jpeg", buffer.getvalue())


def _curves(path: Path) -> str:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"the curves cannot be read: {error}", where=path) from None
    if not content.startswith(b"\x89PNG"):
        raise DataError("the curves are not a PNG picture", where=path, accepted="a PNG file")
    return _data("png", content)


def _data(kind: str, content: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode('ascii')}"


def _with_interval(value: Estimate | None, scale: float = 1.0, digits: int = 1) -> str:
    """``81.8 ± 0.4``, or ``81.8`` for one seed, or a dash."""
    if value is None:
        return DASH
    mean = f"{scale * value.mean:.{digits}f}"
    if value.interval is None:
        return mean
    return f"{mean} ± {scale * (value.interval[1] - value.interval[0]) / 2:.{digits}f}"


def _points(value: float | None) -> str:
    return DASH if value is None else f"{value:.1f}"


def _percent(value: Estimate | None) -> str:
    return DASH if value is None else f"{100 * value.mean:.0f}{NBSP}%"


def duration(minutes: float | None) -> str:
    """``45 s``, ``6.5 min``, ``12 min`` or ``3 h 20``; a dash for None."""
    if minutes is None:
        return DASH
    if minutes < 1:
        return f"{60 * minutes:.0f}{NBSP}s"
    if minutes < 10:
        return f"{minutes:.1f}{NBSP}min"
    if minutes < 90:
        return f"{minutes:.0f}{NBSP}min"
    hours, rest = divmod(round(minutes), 60)
    return f"{hours:,}{NBSP}h{NBSP}{rest:02d}"
