"""The images of a prediction, and the output folder in which a mask is written for each of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from underpaint.core.errors import DataError, listing
from underpaint.core.outputs import Output
from underpaint.core.paths import lies_in, real
from underpaint.imagefiles.images import SUFFIXES, find_images
from underpaint.imagefiles.opening import is_geo
from underpaint.predict.large import is_large


def open_output(images: Path, out: Path, *, holds: str, by: str, of: str = "") -> tuple[dict[str, Path], Output]:
    """Find the images and open an output folder in which a PNG can be written for each of them.

    Args:
        images: As in `underpaint.predict.folder.predict_folder`.
        out: The output folder.
        holds: The kind of its files in words, such as "masks".
        by: Name of the caller.
        of: As in `Output.open`.

    Returns:
        The paths of the images by name, and the output folder.

    Raises:
        DataError: As in `underpaint.predict.folder.predict_folder`.
    """
    found = find_photographs(images)
    return found, open_beside(images, found, out, holds=holds, by=by, of=of)


def open_beside(images: Path, found: Mapping[str, Path], out: Path, *, holds: str, by: str, of: str = "") -> Output:
    """Open an output folder in which a PNG can be written for each of the images ``found`` below ``images``.

    Arguments and errors are those of `open_output`.
    """
    _check_apart(images, out)
    _check_targets(found, out)
    return Output.open(out, holds=holds, by=by, of=of)


def mask_path(out: Path, name: str, source: Path) -> Path:
    """The path of the mask of an image: a PNG, or a TIFF if the image has a place on a map or is too large for a PNG.

    Args:
        out: The output folder.
        name: Name of the image.
        source: Path of the image.
    """
    ending = "tif" if is_geo(source) or is_large(source) else "png"
    return out / f"{name}.{ending}"  # not with_suffix: "photo.v2" would lose its ending


def find_photographs(images: Path) -> dict[str, Path]:
    """Find the images in a file, in a folder at any depth, or in a data set.

    A data set is a folder with ``images/`` and ``classes.txt``, or the folder of a year of a VOC devkit with
    ``JPEGImages/``; the names are then those of the data set.

    Returns:
        The paths of the images by name.

    Raises:
        DataError: There is no such file or folder, it contains no image, or two images differ only in the suffix.
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
    """Refuse an output folder among the images: the next call would read its masks as images."""
    if images.is_dir() and lies_in(out, _image_folder(images)):
        raise DataError(
            "the output folder lies among the photographs",
            where=out,
            fix="choose a folder beside them: the next prediction would read these masks as photographs",
        )


def _check_targets(found: Mapping[str, Path], out: Path) -> None:
    """Refuse outputs that would replace each other or an image, or that lie outside the output folder."""
    targets = {name: mask_path(out, name, path) for name, path in found.items()}
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
