"""Recognises folders that underpaint's own commands made, which hold neither images nor annotations of a person."""

from __future__ import annotations

import logging
from functools import cache
from pathlib import Path

from underpaint.core.outputs import RECORD
from underpaint.core.paths import real

log = logging.getLogger(__name__)

MASKS = "predicted masks"
RUN = "a training run"
COMPARISON = "a comparison"
RESULTS = "results"
PAINT = "marks of underpaint paint"

_RECORDED = {"masks": MASKS, "a comparison": COMPARISON}
"""What a folder holds, by the word in its record."""

HEAD = 1 << 16
"""How many bytes at the beginning of a file are read; ``about.json`` has about 1 kB."""


def own_folder(folder: Path) -> str | None:
    """What a folder that underpaint made holds, in words; None for any other folder.

    A training run is known by the versions in its ``about.json``, marks by their ``project.json``, results by their
    record, and results of earlier versions by the heading of ``summary.csv`` or by the parts of a comparison.
    """
    about = _head(folder / "about.json")
    if '"versions"' in about and '"underpaint"' in about:
        return RUN
    if '"underpaint": "paint"' in _head(folder / "project.json"):
        return PAINT
    record = _head(folder / RECORD).partition("\n")[0]
    if record:
        return next((holds for word, holds in _RECORDED.items() if f'"holds": "{word}"' in record), RESULTS)
    if (folder / "artifacts").is_dir() and (folder / "report.html").is_file():
        return COMPARISON
    return MASKS if _head(folder / "summary.csv").startswith("image,height,width,") else None


def say_passed_over(folder: Path, holds: str) -> None:
    """Log once that a folder which underpaint made is skipped."""
    _say(real(folder), holds)


@cache
def _say(folder: Path, holds: str) -> None:
    log.warning("passed over: %s, %s that underpaint made", folder, holds)


def say_beside(folder: Path, files: str) -> None:
    """Log once that label images beside their images are no images, with the names of some of them."""
    _say_beside(real(folder), files)


@cache
def _say_beside(folder: Path, files: str) -> None:
    log.warning("passed over in %s: label images beside their images: %s", folder, files)


def _head(file: Path) -> str:
    """The beginning of a file; empty where it cannot be read."""
    try:
        if not file.is_file():
            return ""
        with file.open("rb") as opened:
            return opened.read(HEAD).decode("utf-8", "replace")
    except OSError:
        return ""
