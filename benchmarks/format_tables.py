"""The tables of formats in the documentation, made from the registry: ``python -m benchmarks.format_tables FILE``."""

from __future__ import annotations

import sys
from pathlib import Path

from underpaint.annotations.format import Format
from underpaint.annotations.registry import FORMATS, WRITABLE
from underpaint.core.atomic import write_atomic
from underpaint.core.errors import DataError
from underpaint.datasets.adapt import AREAS, Losses
from underpaint.hints.parts import Part

BEGIN = "<!-- from here to the end mark made by: python -m benchmarks.format_tables docs/formats.md -->"
END = "<!-- end -->"

LETTERS = {
    Part.CLICKS: "C",
    Part.SCRIBBLES: "S",
    Part.WIDTHS: "W",
    Part.BOXES: "B",
    Part.BOXED: "D",
    Part.TAGS: "T",
    Part.ABSENT: "A",
    Part.POLYGONS: "P",
    Part.HOLES: "H",
    Part.BITMAPS: "M",
    Part.LABELS: "L",
    Part.IGNORED: "I",
}
"""Letters of the parts that say something of an image; who said it, how long it took and the size are left aside."""


def tables() -> str:
    """Markdown: what each format holds, and what is lost between each two."""
    legend = ", ".join(f"{letter} {part}" for part, letter in LETTERS.items())
    holding = [_row("format", "`--to`", "files", "holds", "as pixels"), _row(*["---"] * 5)]
    holding += [_row(*_held(form)) for form in FORMATS]
    losing = [_row("from \\ to", *(form.name for form in WRITABLE)), _row(*["---"] * (len(WRITABLE) + 1))]
    losing += [_row(form.name, *(_lost(form, target) for target in WRITABLE)) for form in FORMATS]
    between = (
        "What is lost from one format to another (letters as above; in brackets: kept as the pixels that it covers; "
        "empty: nothing is lost):"
    )
    return "\n\n".join([f"Letters: {legend}.", "\n".join(holding), between, "\n".join(losing)])


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _held(form: Format) -> tuple[str, ...]:
    return (
        form.title,
        f"`{form.name}`" if form.writer else "read only",
        form.layout,
        _letters(form.holds),
        _letters(form.as_pixels),
    )


def _lost(form: Format, target: Format) -> str:
    """The letters of what ``target`` loses of all that ``form`` can say, those kept as pixels in brackets."""
    losses = Losses()
    for part in _said(form) & LETTERS.keys():
        losses.of(part, target)[part] += 1
    lost, pixels = (_letters(frozenset(counts)) for counts in (losses.lost, losses.as_pixels))
    return " ".join(filter(None, [lost, f"({pixels})" if pixels else ""]))


def _said(form: Format) -> frozenset[Part]:
    """The parts that a reader returns: what the format holds, and its areas where it holds them as pixels alone."""
    if AREAS & form.holds or not AREAS & form.as_pixels:
        return form.holds
    return form.holds | {Part.LABELS if Part.LABELS in form.as_pixels else Part.BITMAPS}


def _letters(held: frozenset[Part]) -> str:
    return " ".join(letter for part, letter in LETTERS.items() if part in held)


def updated(text: str) -> str:
    """A page with the tables between its two marks made anew. Raises `DataError` where it has not the marks."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise DataError("the page has no place for the tables", accepted=f"{BEGIN} and {END}")
    return f"{before}{BEGIN}\n\n{tables()}\n\n{END}{after}"


def main() -> None:
    """Update the page that is named."""
    page = Path(sys.argv[1])
    write_atomic(page, updated(page.read_text(encoding="utf-8")).encode())


if __name__ == "__main__":
    main()
