"""Recognises folders that commands of underpaint made, and which are not images or annotations of the user."""

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
PAINT = "annotations of underpaint paint"

_RECORDED = {"masks": MASKS, "a comparison": COMPARISON}
"""The content of a folder, by the text in its record."""

HEAD = 1 << 16
"""Number of bytes that are read at the beginning of a file; ``about.json`` has about 1 kB."""


def own_folder(folder: Path) -> str | None:
    """The content of a folder that underpaint made, in words; None for any other folder.

    A training run is recognised by the versions in ``about.json``, annotations by ``project.json``, results by their
    record, and results of earlier versions by the heading of ``summary.csv`` or by the files of a comparison.
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


def log_skipped(folder: Path, holds: str) -> None:
    """Log once that a folder which underpaint made is skipped."""
    _log_skipped(real(folder), holds)


@cache
def _log_skipped(folder: Path, holds: str) -> None:
    log.warning("skipped: %s has %s that underpaint made", folder, holds)


def log_label_images(folder: Path, files: str) -> None:
    """Log once that label images in the folders of their images are skipped, with the names of some of them."""
    _log_label_images(real(folder), files)


@cache
def _log_label_images(folder: Path, files: str) -> None:
    log.warning("skipped in %s: label images in the folders of their images: %s", folder, files)


def _head(file: Path) -> str:
    """The beginning of a file; empty if it cannot be read."""
    try:
        if not file.is_file():
            return ""
        with file.open("rb") as opened:
            return opened.read(HEAD).decode("utf-8", "replace")
    except OSError:
        return ""
