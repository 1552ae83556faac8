"""Reads the images of a prediction one by one and writes what is made of each, whole or not at all."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from underpaint.core.atomic import scratch_folder
from underpaint.core.classes import ClassTable
from underpaint.core.errors import DataError, listing
from underpaint.core.outputs import Output
from underpaint.imagefiles.mapped import Mapped
from underpaint.imagefiles.mask_tiff import write_mask_tiff
from underpaint.imagefiles.masks import index_mask_png
from underpaint.imagefiles.opening import about_of
from underpaint.imagefiles.readers.base import About
from underpaint.imagefiles.rule import InputImage, ReadingRule, open_input
from underpaint.imagefiles.survey import Cut, count_cut, read_counted, survey, windows_in_words
from underpaint.predict.large import Spool, is_large
from underpaint.predict.predictor import Pixels
from underpaint.predict.summary import Row, summary_csv
from underpaint.predict.targets import mask_path

Item = TypeVar("Item")

Counts = npt.NDArray[np.int64]

Prepared = Callable[[Iterator[tuple[str, Pixels]]], Iterator[tuple[str, Item]]]
"""A function from images by name to the items from which results are made, in the same order."""


@dataclass(frozen=True)
class Summary:
    """The result of the prediction of a folder.

    Args:
        written: Number of masks or pictures that were written.
        skipped: The reason for each image that could not be read, by name.
        notes: Remarks for the user on how images were read.
    """

    written: int
    skipped: Mapping[str, str]
    notes: tuple[str, ...] = ()


def write_masks(
    found: Mapping[str, Path],
    output: Output,
    classes: ClassTable,
    index: Callable[[str, Item], Pixels],
    on_progress: Callable[[int, int], None] | None,
    *,
    rule: ReadingRule,
    prepared: Prepared[Item],
    stamp: Callable[[str], str] = lambda name: "",
    predict_large: Callable[[str, InputImage, Path], Spool] | None = None,
    on_mask: Callable[[str, Pixels | Mapped, Counts, About], None] = lambda name, labels, counts, about: None,
    at_end: Callable[[Mapping[str, str]], None] = lambda files: None,
) -> Summary:
    """Write a mask for every image that can be read, and ``summary.csv`` last.

    Args:
        found: Paths of the images by name.
        output: The output folder.
        classes: The classes.
        index: Returns the (H, W) class indices of an image from its name and its prepared item.
        on_progress: Called with (done, total), first with done = 0.
        rule: As in `underpaint.predict.folder.predict_folder`.
        prepared: As in `write_each`.
        stamp: Returns a fingerprint of everything that the mask of an image depends on, or an empty text.
        predict_large: Predicts an image that is not read as a whole into a spool, from its name, the image and the path
            of the spool; None where such images are refused.
        on_mask: Called with the name, the mask, the (C,) pixels of its classes and what the image says of itself, when
            the mask is written.
        at_end: Called with the file names of the images by name, before the table is written.

    Raises:
        DataError: A file cannot be written, or masks were removed during the prediction.
    """
    rows: list[Row] = []
    masks: list[Path] = []
    large = {name: path for name, path in found.items() if predict_large is not None and is_large(path)}

    def keep(name: str, labels: Pixels | Mapped) -> None:
        about = about_of(found[name])
        path = mask_path(output.root, name, found[name])
        if path.suffix == ".tif" or isinstance(labels, Mapped):
            with scratch_folder(path) as folder:
                write_mask_tiff(folder / path.name, labels, classes, about.place)
                output.take(path, folder / path.name, made_from=stamp(name))
        else:
            output.write(path, index_mask_png(path, labels, classes), made_from=stamp(name))
        masks.append(path)
        counts = _counted(labels, len(classes))
        rows.append(Row(name, labels.shape[0], labels.shape[1], tuple(counts / labels.size)))
        on_mask(name, labels, counts, about)

    def write(name: str, item: Item) -> int:
        keep(name, index(name, item))
        return 1

    def rest(skipped: dict[str, str], seen: ReadingRule, cut: Cut) -> int:
        for name, path in large.items():
            assert predict_large is not None  # else no image counts as large
            try:
                with open_input(path, seen) as image:
                    count_cut(name, image, cut)
                    spool = predict_large(name, image, _spool(output.root, name))
                    keep(name, spool.labels())
                    spool.remove()
            except DataError as error:
                if not output.root.is_dir():
                    raise
                skipped[name] = error.brief
        at_end({row.image: f"{row.image}{found[row.image].suffix}" for row in rows})
        output.write(output.root / "summary.csv", summary_csv(rows, classes))
        return sum(row.image in large for row in rows)

    small = {name: path for name, path in found.items() if name not in large}
    summary = write_each(small, output, write, on_progress, rule=rule, last=rest, prepared=prepared)
    _check_there(masks, output.root)
    stale = {name: why + _stale(mask_path(output.root, name, found[name])) for name, why in summary.skipped.items()}
    return replace(summary, skipped=stale)


def unprepared(read: Iterator[tuple[str, Pixels]]) -> Iterator[tuple[str, Pixels]]:
    """For results that are made directly from the images: returns them unchanged."""
    return read


def write_each(
    found: Mapping[str, Path],
    output: Output,
    write: Callable[[str, Item], int],
    on_progress: Callable[[int, int], None] | None,
    *,
    rule: ReadingRule,
    prepared: Prepared[Item],
    last: Callable[[dict[str, str], ReadingRule, Cut], int] = lambda skipped, rule, cut: 0,
) -> Summary:
    """Read the images one by one, and write and count the results of each.

    Args:
        found: Paths of the images by name.
        output: The output folder.
        write: Writes the results of an image, from its name and its prepared item; returns how many there are.
        on_progress: Called with (done, total), first with done = 0.
        rule: As in `underpaint.predict.folder.predict_folder`.
        prepared: Converts the images that can be read into the items that ``write`` receives; it may read some images
            in advance.
        last: Called after all images with what was skipped, the rule, and what was cut; returns how many more results
            there are.

    Raises:
        DataError: A file cannot be written; the message has the number of files written before.
    """
    skipped: dict[str, str] = {}
    written = 0
    seen, taken = _settled(rule, found)
    cut = Cut()
    try:
        for name, item in prepared(_read_each(found, skipped, on_progress, seen, cut)):
            written += write(name, item)
        written += last(skipped, seen, cut)
    except DataError as error:
        raise DataError(
            f"{error.what}; {written} of the {output.holds} were written before, each whole",
            where=output.root,
            fix="free some space or choose another folder, and give the same command again",
        ) from error
    return Summary(written, skipped, tuple(_windowed(taken, seen, cut)))


def _read_each(
    found: Mapping[str, Path],
    skipped: dict[str, str],
    on_progress: Callable[[int, int], None] | None,
    rule: ReadingRule,
    cut: Cut,
) -> Iterator[tuple[str, Pixels]]:
    """Name and pixels of every image that can be read; the others are added to ``skipped`` with the reasons."""
    for done, (name, path) in enumerate(found.items()):
        if on_progress is not None:
            on_progress(done, len(found))
        try:
            rgb = read_counted(name, path, rule, cut)
        except DataError as error:
            skipped[name] = error.brief
            continue
        yield name, rgb
    if on_progress is not None and found:
        on_progress(len(found), len(found))


def _settled(rule: ReadingRule, found: Mapping[str, Path]) -> tuple[ReadingRule, bool]:
    """The rule with windows, and whether they were taken from these images: the training saw none of their depth."""
    if rule.windows is not None or rule.each:
        return rule, False
    windows = survey(found, bands=rule.bands).rule.windows
    return replace(rule, windows=windows), windows is not None


def _windowed(taken: bool, rule: ReadingRule, cut: Cut) -> Iterator[str]:
    """What to say of images of more than 8 bits: where the windows came from, and what they cut."""
    if not cut.images:
        return
    origin = ", which was taken from them: the training saw none of such depth" if taken else ""
    yield f"{cut.images} image(s) of more than 8 bits are read with {windows_in_words(rule)}{origin}; {cut.words()}"


def _check_there(masks: list[Path], out: Path) -> None:
    """Raise `DataError` if masks that were written have been removed since."""
    gone = [mask.relative_to(out).as_posix() for mask in masks if not mask.is_file()]
    if gone:
        raise DataError(
            f"{len(gone)} of the {len(masks)} masks were removed while others were predicted: {listing(gone)}",
            where=out,
            fix="give the same command again, and leave the output folder alone until it ends",
        )


def _counted(labels: Pixels | Mapped, classes: int) -> Counts:
    """(C,) pixels of each class."""
    counts = np.zeros(classes, np.int64)
    for top in range(0, labels.shape[0], 1024):
        counts += np.bincount(labels[top : top + 1024].ravel(), minlength=classes)
    return counts


def _spool(out: Path, name: str) -> Path:
    """The hidden file of the rows of a large mask that are done."""
    path = out / name
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.with_name(f".{path.name}.rows")


def _stale(mask: Path) -> str:
    return f"; {mask} is of an earlier prediction" if mask.exists() else ""
