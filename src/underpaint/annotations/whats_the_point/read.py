"""Clicks of What's the Point: one JSON file for all images (Bearman et al., ECCV 2016)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from underpaint.annotations.parsing.fields import Fields
from underpaint.annotations.parsing.sniff import is_json
from underpaint.core.atomic import write_atomic
from underpaint.core.errors import DataError, FormatError, HintError, listing
from underpaint.core.json_text import read_json
from underpaint.hints.check import check_hints
from underpaint.hints.types import Click, Hints
from underpaint.imagefiles.numbering import VOC_NAMES

BACKGROUND_ENDING = "_bg_from_scribbles"
"""Ending of the second file's name, the background clicks, which A. Obukhov drew from ScribbleSup's lines."""


def background_file(path: Path) -> Path:
    """Where the background clicks that belong to a click file lie, if they are there."""
    return path.with_name(f"{path.stem}{BACKGROUND_ENDING}{path.suffix}")


def is_clicks(path: Path) -> bool:
    """Whether a file looks like a click file."""
    return is_json(path, "{", "cls", "x", "y")


def read_clicks(path: Path) -> dict[str, Hints]:
    """Read clicks ``{image: [{"x", "y", "cls", "rank"}, ...]}``; ``rank`` may be missing and gives the order.

    ``cls`` is VOC's number, 0 for background and 1 to 20; the clicks get VOC's class words. ``x`` and ``y`` are
    continuous pixel coordinates. Images without clicks are passed over, since no click says nothing. Tags are not
    derived: an image may hold classes that nobody clicked.

    Raises:
        FormatError: not JSON of this structure; names the file, the image and the click.
    """
    content = read_json(path)
    if not isinstance(content, dict) or not all(isinstance(clicks, list) for clicks in content.values()):
        accepted = '{"image": [{"x": 1.5, "y": 2.5, "cls": 8, "rank": 1}]}'
        raise FormatError("not the structure of a click file", where=path, accepted=accepted)
    return {
        image: Hints(image=image, clicks=_clicks(clicks, f"{path}, image {image!r}"), source="What's the Point clicks")
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


def write_clicks(path: Path, hints: Iterable[Hints]) -> None:
    """Write clicks as `read_clicks` reads them, those on the background into the file of `background_file`.

    Args:
        path: The file; neither it nor the other may be there. It is written last, so that there are both or none.
        hints: Hints of one image each; what is no click is left out.

    Raises:
        HintError: classes that VOC has not, no click on any of its 20, an image given twice, or hints that contradict
            themselves.
        DataError: there is a file already, or the disk refuses.
    """
    background = background_file(path)
    for file in (path, background):
        if file.exists():
            raise DataError("there is something under this name already", where=file, fix="choose a new name")
    every = _by_image(path, hints)
    things, rest = (
        {image: records for image, clicks in every.items() if (records := list(_records(clicks, background=here)))}
        for here in (False, True)
    )
    if not things:
        fix = "choose another format: this one is of objects"
        raise HintError(
            "no click is on one of VOC's 20 classes", where=path, accepted=", ".join(VOC_NAMES[1:]), fix=fix
        )
    if rest:
        write_atomic(background, _text(rest))
    try:
        write_atomic(path, _text(things))
    except DataError:
        background.unlink(missing_ok=True)
        raise


def _by_image(path: Path, hints: Iterable[Hints]) -> dict[str, tuple[Click, ...]]:
    """The clicks, of which all are of VOC's classes."""
    found: dict[str, tuple[Click, ...]] = {}
    for one in hints:
        check_hints(one, None, f"{path}: image {one.image!r}")
        if one.image in found:
            raise HintError(f"the image {one.image!r} is given twice", where=path)
        found[one.image] = one.clicks
    strange = sorted({click.name for clicks in found.values() for click in clicks} - set(VOC_NAMES))
    if strange:
        raise HintError(
            f"clicks of {len(strange)} class(es) that VOC has not: {listing(strange)}",
            where=path,
            accepted=", ".join(VOC_NAMES),
            fix="choose another format: in this one classes are VOC's numbers",
        )
    return found


def _records(clicks: Iterable[Click], *, background: bool) -> Iterator[dict[str, float]]:
    """The clicks on the background, or those on everything else, which have ranks."""
    wanted = (click for click in clicks if (click.name == VOC_NAMES[0]) is background)
    for rank, click in enumerate(wanted, start=1):
        record = {"x": click.x, "y": click.y, "cls": VOC_NAMES.index(click.name)}
        yield record if background else {**record, "rank": rank}


def _text(content: dict[str, list[dict[str, float]]]) -> bytes:
    return json.dumps(content, allow_nan=False).encode() + b"\n"
