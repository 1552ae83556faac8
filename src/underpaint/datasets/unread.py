"""Names files with the endings of annotations that no format recognises, with the reason where it is plain."""

from __future__ import annotations

from pathlib import Path

from underpaint.core.errors import listing
from underpaint.datasets.annotated import ANNOTATIONS, ENDINGS
from underpaint.imagefiles.walk import listing as files_in

HEAD = 1 << 12
"""How many bytes of a file are read to say why it is not recognised."""


def unread(root: Path) -> str:
    """The files in words; empty where there are none. To be asked only where no annotations were recognised."""
    here = files_in(root)
    folders = [root, *(root / name for name in sorted([*here.folders, *here.links, *ANNOTATIONS]))]
    files = [
        folder / name
        for folder in dict.fromkeys(folders)
        for ending in ENDINGS
        for name in files_in(folder).files.get(ending, ())
    ]
    if not files:
        return ""
    return f"no format recognises {listing(f'{file.relative_to(root)}{_why(file)}' for file in sorted(files))}"


def _why(file: Path) -> str:
    try:
        if not file.is_file():
            return ""
        with file.open("rb") as opened:
            head = opened.read(HEAD)
    except OSError:
        return " (it cannot be read)"
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return " (UTF-16 text: save it as UTF-8)"
    return "" if head.strip() else " (it is empty)"
