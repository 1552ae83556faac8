"""Predicting a folder of photographs: names, tree and sizes kept, every file written whole or not at all."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from underpaint.core.atomic import write_atomic
from underpaint.core.classes import ClassTable
from underpaint.core.errors import ConfigError, DataError
from underpaint.core.inside import lies_in, real
from underpaint.formats.folder import listing
from underpaint.formats.images import SUFFIXES, find_images, read_rgb, write_index_mask
from underpaint.predict.predictor import Coarse, Pixels, Predictor
from underpaint.predict.summary import Row, summary_csv

PROBABILITIES = "probabilities"
"""Folder of the probabilities within the output folder."""


@dataclass(frozen=True)
class Summary:
    """What came of a folder.

    Args:
        written: Masks written.
        skipped: Why, for each image that could not be read, by name.
    """

    written: int
    skipped: Mapping[str, str]


def predict_folder(
    predictor: Predictor,
    images: Path,
    out: Path,
    classes: ClassTable,
    *,
    probabilities: bool = False,
    on_progress: Callable[[int, int], None] | None = None,
) -> Summary:
    """Write a mask for every photograph, under its own name and of its own upright size.

    ``OUT/NAME.png`` is a palette PNG; NAME is the photograph's path below ``images`` without its suffix.
    ``OUT/summary.csv`` gives the share of every class (`summary_csv`), and is written last. With ``probabilities``,
    ``OUT/probabilities/NAME.npz`` holds ``probabilities`` (C, ceil(H/4), ceil(W/4)) float16, ``size`` (H, W) and
    ``classes``, and is read by `numpy.load` without pickle. They are kept at a quarter of the size since networks
    decide no finer, and since that bounds memory at C H W / 8 bytes.

    All images are predicted on every call; an older file of the same name is replaced in one step. Nothing is deleted:
    the masks of photographs that are gone since an earlier call stay.

    Args:
        predictor: Network and settings.
        images: A photograph, a folder of them at any depth, or a data set, whose photographs are taken.
        out: The output folder; made where it is missing.
        classes: The network's classes.
        probabilities: Also keep probabilities.
        on_progress: Called with (done, total), first with 0 done.

    Returns:
        How many masks were written, and which images were skipped because they cannot be read.

    Raises:
        DataError: no photographs, an output folder among them, output names that would collide, cover a photograph or
            leave the output folder, or a disk that refuses; what was written before stays.
        ConfigError: a class table of another length than the network's.
    """
    if len(classes) != predictor.classes:
        raise ConfigError(f"{len(classes)} classes for a network of {predictor.classes}", where="classes")
    found = open_output(images, out)
    skipped: dict[str, str] = {}
    rows = [
        _predict_one(predictor, rgb, out, name, classes, probabilities=probabilities)
        for name, rgb in read_each(found, skipped, on_progress)
    ]
    write_atomic(out / "summary.csv", summary_csv(rows, classes), root=out)
    stale = {name: why + _stale(_mask(out, name)) for name, why in skipped.items()}
    return Summary(written=len(rows), skipped=stale)


def open_output(images: Path, out: Path) -> dict[str, Path]:
    """The photographs by name, and an output folder in which a PNG can be written for each.

    Raises:
        DataError: as `predict_folder`.
    """
    found = find_photographs(images)
    _check_apart(images, out)
    _check_targets(found, out)
    _check_writable(out)
    return found


def read_each(
    found: Mapping[str, Path], skipped: dict[str, str], on_progress: Callable[[int, int], None] | None
) -> Iterator[tuple[str, Pixels]]:
    """Name and pixels of every photograph that can be read.

    Args:
        found: Photographs by name.
        skipped: Takes the others, with the reasons.
        on_progress: Called with (done, total), first with 0 done.
    """
    for done, (name, path) in enumerate(found.items()):
        if on_progress is not None:
            on_progress(done, len(found))
        try:
            rgb = read_rgb(path)
        except DataError as error:
            skipped[name] = error.what
            continue
        yield name, rgb
    if on_progress is not None:
        on_progress(len(found), len(found))


def _predict_one(
    predictor: Predictor, rgb: Pixels, out: Path, name: str, classes: ClassTable, *, probabilities: bool
) -> Row:
    if probabilities:
        index, coarse = predictor.index_and_coarse(rgb)
        write_atomic(out / PROBABILITIES / f"{name}.npz", _npz(coarse, index.shape, classes), root=out)
    else:
        index = predictor.index(rgb)
    write_index_mask(_mask(out, name), index, classes, root=out)
    counts = np.bincount(index.ravel(), minlength=len(classes))
    return Row(name, index.shape[0], index.shape[1], tuple(counts / index.size))


def _npz(coarse: Coarse, size: tuple[int, ...], classes: ClassTable) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, probabilities=coarse, size=np.array(size), classes=np.array(classes.names))
    return buffer.getvalue()


def _mask(out: Path, name: str) -> Path:
    return out / f"{name}.png"  # not with_suffix: "photo.v2" would lose its ending


def _stale(mask: Path) -> str:
    return f"; {mask} is of an earlier prediction" if mask.exists() else ""


def find_photographs(images: Path) -> dict[str, Path]:
    """Photographs by name: of one file, of a folder at any depth, or of a data set.

    A data set is a folder with ``images/`` and ``classes.txt``, or a VOC devkit's year with ``JPEGImages/``; the
    names are then those of the data set.

    Raises:
        DataError: no such file or folder, no photograph in it, or two that differ in the suffix alone.
    """
    if images.is_file():
        return {images.stem: images}
    folder = _image_folder(images)
    found = find_images(folder)
    if not found:
        raise DataError("no photographs found", where=folder, accepted=", ".join(sorted(SUFFIXES)))
    return found


def _image_folder(images: Path) -> Path:
    if (images / "images").is_dir() and (images / "classes.txt").is_file():
        return images / "images"
    return images / "JPEGImages" if (images / "JPEGImages").is_dir() else images


def _check_apart(images: Path, out: Path) -> None:
    """Refuse an output folder among the photographs: the next call would take its masks for photographs."""
    if images.is_dir() and lies_in(out, _image_folder(images)):
        raise DataError(
            "the output folder lies among the photographs",
            where=out,
            fix="choose a folder beside them: the next prediction would take these masks for photographs",
        )


def _check_targets(found: Mapping[str, Path], out: Path) -> None:
    """Refuse outputs that would be written over each other, over a photograph, or outside the output folder."""
    targets = {name: _mask(out, name) for name in found}
    files = {*targets.values(), out / "summary.csv"}
    folders = {parent for target in targets.values() for parent in target.parents}
    clashes = sorted(str(path.relative_to(out)) for path in files & folders)
    if clashes:
        raise DataError(
            f"{len(clashes)} output name(s) would be a file and a folder at once: {listing(clashes)}",
            where=out,
            fix="rename the photographs' folders",
        )
    photographs = {real(path) for path in found.values()}
    covered = [name for name, target in targets.items() if real(target) in photographs]
    if covered:
        raise DataError(
            f"{len(covered)} mask(s) would be written over photographs: {listing(covered)}",
            where=out,
            fix="choose an output folder of its own",
        )
    outside = [n for n, target in targets.items() if not lies_in(target.parent, out)]
    if outside:
        raise DataError(
            f"{len(outside)} mask(s) would be written outside the output folder, through a link: {listing(outside)}",
            where=out,
            fix="choose an empty output folder",
        )


def _check_writable(out: Path) -> None:
    """Fail before the work and not after it."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=out):
            pass
    except OSError as error:
        raise DataError(
            f"the output folder cannot be written: {error.strerror or error}", where=out, fix="choose another folder"
        ) from error
