"""Reads the clicks of What's the Point: one JSON file for all images (Bearman et al., ECCV 2016)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from underpaint.annotations.parsing.fields import Fields
from underpaint.annotations.parsing.sniff import is_json
from underpaint.core.errors import FormatError
from underpaint.core.json_text import read_json
from underpaint.hints.types import Click, Hints
from underpaint.imagefiles.numbering import VOC_NAMES

BACKGROUND_ENDING = "_bg_from_scribbles"
"""The ending of the second file's name. Its background clicks were drawn by A. Obukhov from ScribbleSup's lines."""


def background_file(path: Path) -> Path:
    """The path of the background clicks that belong to a click file, which need not exist."""
    return path.parent / f"{path.stem}{BACKGROUND_ENDING}{path.suffix}"


def is_clicks(path: Path) -> bool:
    """Whether a file looks like a click file."""
    return is_json(path, "{", "cls", "x", "y")


def read_clicks(path: Path) -> dict[str, Hints]:
    """Read clicks ``{image: [{"x", "y", "cls", "rank"}, ...]}``; ``rank`` gives the order and may be missing.

    ``cls`` is VOC's number, 0 for background and 1 to 20. The clicks get VOC's class names. ``x`` and ``y`` are
    continuous pixel coordinates. Images without clicks are left out. Tags are not inferred, because an image may show
    classes without a click.

    Raises:
        FormatError: not JSON of this structure. The error names the file, the image and the click.
    """
    content = read_json(path)
    if not isinstance(content, dict) or not all(isinstance(clicks, list) for clicks in content.values()):
        accepted = '{"image": [{"x": 1.5, "y": 2.5, "cls": 8, "rank": 1}]}'
        raise FormatError("not the structure of a click file", where=path, accepted=accepted)
    return {
        image: Hints(image=image, shapes=_clicks(clicks, f"{path}, image {image!r}"), source="What's the Point clicks")
        for image, clicks in content.items()
        if clicks
    }


def _clicks(clicks: list[Any], where: str) -> tuple[Click, ...]:
    ranked = [_click(Fields(click, f"{where}, click {i}")) for i, click in enumerate(clicks, start=1)]
    return tuple(click for _, click in sorted(ranked, key=lambda pair: pair[0]))


def _click(fields: Fields) -> tuple[int, Click]:
    number = fields.whole("cls", low=0)
    if number >= len(VOC_NAMES):
        fields.refuse("cls", f"VOC's class numbers 0..{len(VOC_NAMES) - 1}")
    rank = fields.whole("rank", low=0) if "rank" in fields else 0
    return rank, Click(VOC_NAMES[number], fields.number("x"), fields.number("y"))
