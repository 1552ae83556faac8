"""Prediction of a folder of images. Names, folders and sizes are kept; a file is written completely or not at all."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from underpaint.core.atomic import scratch_folder
from underpaint.core.classes import ClassTable
from underpaint.core.digest import files_digest, fingerprint
from underpaint.core.errors import ConfigError, DataError, listing
from underpaint.core.outputs import Output
from underpaint.core.paths import lies_in, real
from underpaint.imagefiles.images import SUFFIXES, find_images
from underpaint.imagefiles.mapped import Mapped
from underpaint.imagefiles.mask_tiff import write_mask_tiff, write_planes_tiff, write_planes_zarr
from underpaint.imagefiles.masks import index_mask_png
from underpaint.imagefiles.opening import about_of, is_geo
from underpaint.imagefiles.readers.base import About, Place
from underpaint.imagefiles.rule import COLOUR, InputImage, ReadingRule, open_input
from underpaint.imagefiles.survey import Cut, count_cut, read_counted, survey, windows_in_words
from underpaint.predict.bounds import Bound
from underpaint.predict.large import Spool, is_large, predict_rows, weights_digest
from underpaint.predict.predictor import STRIDE, Coarse, Pixels, Predictor
from underpaint.predict.results import Results, Wanted
from underpaint.predict.summary import Row, summary_csv
from underpaint.predict.task import Answer, Pool, Task, answers, pixels_digest

PROBABILITIES = "probabilities"
"""Folder of the probabilities within the output folder."""


Item = TypeVar("Item")

Counts = npt.NDArray[np.int64]

Prepared = Callable[[Iterator[tuple[str, Pixels]]], Iterator[tuple[str, Item]]]
"""A function from images by name to the items from which results are made, in the same order."""


Bounds = Callable[[str, tuple[int, int]], Bound | None]
"""Returns the classes that hints allow in an image, from its name and (H, W), or None if it has no hints."""


def unbounded(name: str, size: tuple[int, int]) -> None:
    """For images without hints: returns None."""


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


def predict_folder(
    predictor: Predictor,
    images: Path,
    out: Path,
    classes: ClassTable,
    *,
    by: str = "a call of predict_folder",
    rule: ReadingRule = COLOUR,
    probabilities: bool = False,
    bounds: Bounds = unbounded,
    wanted: Wanted | None = None,
    resume: bool = False,
    pool: Pool | None = None,
    on_progress: Callable[[int, int], None] | None = None,
    on_rows: Callable[[int, int], None] | None = None,
) -> Summary:
    """Write a mask for every image, with the image's name and upright size.

    ``OUT/NAME.png`` is a palette PNG; NAME is the path of the image below ``images`` without its suffix.
    ``OUT/summary.csv`` has the share of every class in every image (`summary_csv`) and is written last. With
    ``probabilities``, ``OUT/probabilities/NAME.npz`` contains ``probabilities`` (C, ceil(H/4), ceil(W/4)) float16,
    ``size`` (H, W) and ``classes``, and can be read with `numpy.load` without pickle. The probabilities are stored at a
    quarter of the size, because the outputs of networks are not finer, and because this limits memory to C H W / 8
    bytes.

    Every call predicts all images, unless ``resume`` is set. A file of an earlier prediction is replaced in one step.
    An output folder that contains other files is refused before the prediction (`Output`). No file is deleted: the
    masks of images that were
    removed after an earlier call remain.

    Args:
        predictor: Network and settings.
        images: An image, a folder of images at any depth, or a data set, whose images are used.
        out: The output folder; it is made if it is missing.
        classes: The network's classes.
        by: Name of the caller, for the record of the output folder.
        rule: Bands and windows of the training. Without windows, images of more than 8 bits are read with percentiles
            over these images.
        probabilities: Also store probabilities.
        bounds: Returns the classes that hints allow in an image, from its name and (H, W).
        wanted: Pictures, measures and polygons to write beside the masks.
        resume: Take the masks of an earlier call as they are, if the pixels of the image, its hints, the network and
            the settings are the same. Images that are too large to be read as a whole are predicted again.
        pool: Predicts images in other processes, in the order in which they come; None for this process.
        on_progress: Called with (done, total), first with done = 0.
        on_rows: Called with (done, total) rows of tiles of each image that is too large to be read as a whole.

    Returns:
        The number of masks that were written, and the images that were skipped because they cannot be read.

    Raises:
        DataError: There are no images; the output folder lies among them, contains files that no prediction wrote or
            masks of other classes, or is removed during the prediction; output names collide, would replace an image,
            or lie outside the output folder; or a file cannot be written. Files that were written before remain.
        ConfigError: The number of classes differs from the network's.
    """
    if len(classes) != predictor.classes:
        raise ConfigError(f"{len(classes)} classes for a network of {predictor.classes}", where="classes")
    found, output = open_output(images, out, holds="masks", by=by, of=of_classes(classes))
    results = Results(output, classes, wanted or Wanted())
    settings = fingerprint(weights_digest(predictor.network), predictor.config.model_dump(mode="json"), probabilities)
    stamps: dict[str, str] = {}

    def task(name: str, rgb: Pixels) -> Task:
        bound = bounds(name, (rgb.shape[0], rgb.shape[1]))
        stamps[name] = fingerprint(settings, pixels_digest(rgb, bound))
        mask = _mask(output.root, name, found[name])
        kept = mask if resume and output.made(mask, stamps[name]) else None
        return Task(rgb, bound, probabilities, kept)

    def index(name: str, answer: Answer) -> Pixels:
        rgb, labels, coarse = answer
        if coarse is not None:
            output.write(output.root / PROBABILITIES / f"{name}.npz", _npz(coarse, labels.shape, classes))
            _keep_map(output, name, found[name], coarse, classes)
        results.see(name, rgb, labels)
        return labels

    def large(name: str, image: InputImage, path: Path) -> Spool:
        if bounds(name, image.size) is not None:
            raise DataError("hints do not bound the masks of images of this size", fix="predict it without --hints")
        stamp = fingerprint(weights_digest(predictor.network), files_digest([image.path]), str(image.windows))
        spool = Spool(path, image.size, predictor.classes if probabilities else 0)
        labels = predict_rows(predictor, image, spool, stamp=stamp, on_rows=on_rows or unheard)
        results.see_large(image, name, labels)
        if probabilities:
            _keep_large(output, name, image.about, spool.probabilities(), classes)
        return spool

    return write_masks(
        found,
        output,
        classes,
        index,
        on_progress,
        rule=rule,
        prepared=partial(answers, predictor, task, pool),
        stamp=lambda name: stamps.pop(name, ""),
        predict_large=large,
        on_mask=results.add,
        at_end=results.finish,
    )


def unheard(done: int, total: int) -> None:
    """For calls that nobody watches."""


def of_classes(classes: ClassTable) -> str:
    """The classes of a folder of masks, for its record, so that masks of two class tables are not mixed in a folder."""
    return f"the classes {', '.join(classes.names)}"


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
        rule: As in `predict_folder`.
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
        path = _mask(output.root, name, found[name])
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
    stale = {name: why + _stale(_mask(output.root, name, found[name])) for name, why in summary.skipped.items()}
    return replace(summary, skipped=stale)


def open_output(images: Path, out: Path, *, holds: str, by: str, of: str = "") -> tuple[dict[str, Path], Output]:
    """Find the images and open an output folder in which a PNG can be written for each of them.

    Args:
        images: As in `predict_folder`.
        out: The output folder.
        holds: The kind of its files in words, such as "masks".
        by: Name of the caller.
        of: As in `Output.open`.

    Returns:
        The paths of the images by name, and the output folder.

    Raises:
        DataError: As in `predict_folder`.
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
        rule: As in `predict_folder`.
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


def _npz(coarse: Coarse, size: tuple[int, ...], classes: ClassTable) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, probabilities=coarse, size=np.array(size), classes=np.array(classes.names))
    return buffer.getvalue()


def _keep_map(output: Output, name: str, source: Path, coarse: Coarse, classes: ClassTable) -> None:
    """Probabilities of an image with a place on a map, also as a GeoTIFF of float32 with a band for each class."""
    place = about_of(source).place if is_geo(source) else None
    if place is not None:
        _write_map(output, name, place, coarse, classes)


def _write_map(output: Output, name: str, place: Place, coarse: Coarse | Mapped, classes: ClassTable) -> None:
    a, b, c, d, e, f = place.transform
    cells = replace(place, transform=(a * STRIDE, b * STRIDE, c, d * STRIDE, e * STRIDE, f))
    path = output.root / PROBABILITIES / f"{name}.tif"
    with scratch_folder(path) as folder:
        write_planes_tiff(folder / path.name, coarse, classes.names, cells)
        output.take(path, folder / path.name)


def _keep_large(output: Output, name: str, about: About, coarse: Mapped, classes: ClassTable) -> None:
    """Probabilities that no memory holds: as a GeoTIFF where the image has a place on a map, else as OME-Zarr."""
    if about.place is not None:
        _write_map(output, name, about.place, coarse, classes)
        return
    path = output.root / PROBABILITIES / f"{name}.zarr"
    with scratch_folder(path) as folder:
        made = folder / path.name
        write_planes_zarr(made, coarse, classes.names, about, cell=STRIDE)
        for file in sorted(one for one in made.rglob("*") if one.is_file()):
            target = path / file.relative_to(made)
            target.parent.mkdir(parents=True, exist_ok=True)
            output.take(target, file)


def _counted(labels: Pixels | Mapped, classes: int) -> Counts:
    """(C,) pixels of each class."""
    counts = np.zeros(classes, np.int64)
    for top in range(0, labels.shape[0], 1024):
        counts += np.bincount(labels[top : top + 1024].ravel(), minlength=classes)
    return counts


def _mask(out: Path, name: str, source: Path) -> Path:
    """A PNG; of images with a place on a map, or too large for one, a TIFF."""
    ending = "tif" if is_geo(source) or is_large(source) else "png"
    return out / f"{name}.{ending}"  # not with_suffix: "photo.v2" would lose its ending


def _spool(out: Path, name: str) -> Path:
    """The hidden file of the rows of a large mask that are done."""
    path = out / name
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.with_name(f".{path.name}.rows")


def _stale(mask: Path) -> str:
    return f"; {mask} is of an earlier prediction" if mask.exists() else ""


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
    targets = {name: _mask(out, name, path) for name, path in found.items()}
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
