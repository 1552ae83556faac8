"""Reads the hints of a data set in any format, checks them and combines them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from underpaint.annotations.format import Base, ByImage, Reading
from underpaint.annotations.registry import recognise, with_second_files
from underpaint.core.classes import ClassTable
from underpaint.core.errors import DataError, HintError, listing
from underpaint.datasets.folder import DataFolder
from underpaint.datasets.report import HintsReport, rivalry
from underpaint.hints.check import check_hints, of_table
from underpaint.hints.fit import fit_hints
from underpaint.hints.merge import merge_hints
from underpaint.hints.types import Hints
from underpaint.imagefiles.images import image_size
from underpaint.imagefiles.naming import Names


def read_any_hints(
    paths: Path | Sequence[Path],
    data: DataFolder,
    *,
    ignore_unknown: bool = False,
    ignore_outside: bool = False,
    complete_tags: bool = False,
    voc_base: Base = "auto",
) -> tuple[ByImage, HintsReport]:
    """Read hints from files or folders of any known format, and merge the hints of several files for one image.

    A second file that belongs to a file (such as the background clicks of What's the Point) is read with it. Shapes up
    to one pixel outside their image are moved inside.

    Args:
        paths: One or more files or folders.
        data: The data set. Images are found by name, with or without suffix and folders.
        ignore_unknown: Leave out and count hints of classes that are not in the table, instead of raising an error.
            Their pixels become ignored areas.
        ignore_outside: Cut hints at the border of their image, leave out those outside, and count both, instead of
            raising an error. The VOC clicks have a few of them.
        complete_tags: Whether a table with lists of tags names all classes that are present; see `read_tags`.
        voc_base: The number of the first pixel in VOC XML; see `read_voc_boxes`.

    Returns:
        The hints by image name, in the order of the data set, and the report.

    Raises:
        DataError: The format of a path is unknown, or none of the hinted images is in the data set.
        FormatError, HintError: As the readers, `fit_hints` and `merge_hints`.
    """
    report = HintsReport()
    reading = Reading(
        data.classes,
        data.root,
        data.images,
        complete_tags=complete_tags,
        voc_base=voc_base,
        left_out=report.left_out,
        remarks=report.remarks,
        lenient=ignore_unknown,
    )
    found: ByImage = {}
    given = [paths] if isinstance(paths, Path) else list(paths)
    read: list[tuple[Path, ByImage]] = []
    for path in with_second_files(given):
        form = recognise(path)
        report.sources.append((path, form.title))
        read.append((path, form.hints(path, reading)))
    for (path, hints), matched in zip(read, Names(data.images).match(read), strict=True):
        for image, one in hints.items():
            name = matched.images.get(image)
            known = _known(replace(one, image=name or image), data.classes, path, report.unknown, ignore=ignore_unknown)
            if name is None:
                report.missing.append(image)
            else:
                found[name] = merge_hints(found[name], known) if name in found else known
        report.rivals |= matched.rivals
        if not matched.images:
            report.idle[path] = len(hints)
    if report.missing and not found:
        raise _no_images(report, data, given)
    fitted = _fit(found, data, report, drop=ignore_outside)
    report.images = len(fitted)
    return fitted, report


def given_hints(
    hints: Mapping[str, Hints], data: DataFolder, *, ignore_unknown: bool = False, ignore_outside: bool = False
) -> tuple[ByImage, HintsReport]:
    """Check hints that a program made or changed, and fit them to the images, like the hints of files.

    Args:
        hints: The hints by the name of the image in the data set.
        data: The data set.
        ignore_unknown: As in `read_any_hints`.
        ignore_outside: As in `read_any_hints`.

    Raises:
        HintError: A value is not `Hints`, hints have the name of another image, an image is not in the data set, a
            class is unknown, or a hint is outside its image.
    """
    report = HintsReport()
    for name, one in hints.items():
        if not isinstance(one, Hints) or one.image != name or name not in data.images:
            what = f"of the image {one.image!r}" if isinstance(one, Hints) else f"a {type(one).__name__}"
            accepted = f"underpaint.Hints of an image of the data set, such as {listing(data.images)}"
            raise HintError(f"the hints under {name!r} are {what}", where=data.root, accepted=accepted)
    where = Path("hints of the call")
    found = {
        name: _known(one, data.classes, where, report.unknown, ignore=ignore_unknown) for name, one in hints.items()
    }
    fitted = _fit(found, data, report, drop=ignore_outside)
    report.images = len(fitted)
    return fitted, report


def _known(hints: Hints, classes: ClassTable, where: Path, left_out: Counter[str], *, ignore: bool) -> Hints:
    """Check that the table has all classes of the hints. With ``ignore``, leave out hints of other classes."""
    unknown = set(hints.names()) - set(classes.names)
    if ignore:
        hints = of_table(hints, classes.names, left_out)
    try:
        check_hints(hints, classes, f"{where}, image {hints.image!r}")
    except HintError as error:
        if unknown and not ignore:
            raise HintError(
                f"{error}\n  or: leave out hints of unknown classes, and count them, with --lenient"
            ) from None
        raise
    return hints


def _no_images(report: HintsReport, data: DataFolder, paths: list[Path]) -> DataError:
    return DataError(
        f"none of the {len(report.missing)} hinted images is in the data set: {listing(report.missing)}",
        where=", ".join(map(str, paths)),
        accepted=f"names such as {listing(data.images)}",
        fix=f"{rivalry(report.rivals)}; use the names of the images" if report.rivals else None,
    )


def _fit(found: ByImage, data: DataFolder, report: HintsReport, *, drop: bool) -> ByImage:
    """Fit the hints to the images of the data set."""
    fitted: ByImage = {}
    for name in data.images:
        if name not in found:
            continue
        try:
            size = image_size(data.images[name])
        except DataError as error:
            report.unreadable[name] = error.what
            continue
        fit = fit_hints(found[name], size, drop=drop, where=found[name].source)
        report.outside += fit.dropped
        report.cut += fit.cut
        if fit.hints.kinds():  # otherwise all hints of the image were left out
            fitted[name] = fit.hints
    return fitted
