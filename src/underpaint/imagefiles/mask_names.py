"""Recognises label images by their names: the name of the image followed by a mark, ``x_mask.png`` for ``x.png``."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from underpaint.core.errors import DataError
from underpaint.imagefiles.decode import MAX_PIXELS, opened
from underpaint.imagefiles.masks import FORMATS, SUFFIXES

MARK = re.compile(
    r"(?<=.)(?:[ _.\-]+(?:masks?|seg|segmentation|labels?|gt|ground[ _\-]?truth|annotations?|scribbles?))+"
    r"(?:[ _.\-]?\d{1,3})?$",
    re.IGNORECASE,
)
"""The marks that medical data sets and Roboflow add to the name of an image to name its label image."""

EXAMINED = 3
"""Number of coloured files that are decoded, because "mask" and "label" can also be in the names of photographs."""

MOST_COLOURS = 256
"""A label image has at most as many colours as there can be classes; a photograph has more."""


def unmarked(name: str) -> str:
    """The name of the image of a label image, which is its own name without the mark; the same name if it has none."""
    return MARK.sub("", name)


def masks_beside(images: Mapping[str, Path]) -> dict[str, Path]:
    """The label images among image files, by their own names.

    They have the name of another file with a mark, and a lossless format. If a file with such a name has the colours of
    a photograph, all of them are taken as photographs.
    """
    found = {
        name: path
        for name, path in images.items()
        if path.suffix.lower() in SUFFIXES and (image := unmarked(name)) != name and image in images
    }
    some = list(found.values())[:: -(-len(found) // EXAMINED) or 1]
    return found if all(map(_has_labels, some)) else {}


def lies_beside(path: Path, endings: Collection[str]) -> bool:
    """Whether one file is such a label image; the other files need not be listed.

    Args:
        path: The file.
        endings: The endings of image files, in lower case with the dot.
    """
    image = unmarked(path.stem)
    if path.suffix.lower() not in SUFFIXES or image == path.stem:
        return False
    forms = [form for ending in endings for form in (ending, ending.upper())]
    return any(path.with_name(image + form).exists() for form in forms) and _has_labels(path)


def _has_labels(path: Path) -> bool:
    try:
        with opened(path, FORMATS, max_pixels=MAX_PIXELS) as image:
            return image.mode not in ("RGB", "RGBA") or image.getcolors(MOST_COLOURS) is not None
    except (DataError, OSError):
        return True  # a damaged label image is reported when it is read


def by_image(files: Mapping[str, Path], images: Collection[str]) -> dict[str, Path]:
    """Label images by the names of their images, if their own names have marks.

    A file for an image that another file names exactly keeps its own name, and so do several files for one image.
    """
    used = Counter(unmarked(name) for name in files if name not in images)
    renamed = {name: unmarked(name) for name in files if name not in images and used[unmarked(name)] == 1}
    return {
        image if (image := renamed.get(name, name)) in images and (image == name or image not in files) else name: file
        for name, file in files.items()
    }


def shared(files: Mapping[str, Path], images: Collection[str]) -> dict[str, Sequence[str]]:
    """The images to which several label images belong by their marks, each with the names of these files."""
    marked: dict[str, list[str]] = {}
    for name, path in files.items():
        if name not in images and unmarked(name) in images:
            marked.setdefault(unmarked(name), []).append(path.name)
    return {image: names for image, names in marked.items() if len(names) > 1}
