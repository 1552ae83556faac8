"""Examines a data set: one pass over the photographs, and then a search for copies."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from underpaint.core.errors import UnderpaintError, printable
from underpaint.core.parallel import stream
from underpaint.datasets.folder import DataFolder
from underpaint.datasets.open import open_dataset
from underpaint.datasets.sizes import crop_side, enlargement
from underpaint.datasets.unread import unread
from underpaint.doctor.copies import MANY, Copies
from underpaint.doctor.estimate import estimate
from underpaint.doctor.findings import Finding, Level
from underpaint.doctor.image import CHUNK, Job, crashed, examine_image
from underpaint.doctor.kinds import Kinds
from underpaint.doctor.labels import Labels, Sources, read_sources
from underpaint.doctor.photographs import Photographs, other_files, own_folders
from underpaint.doctor.report import Report
from underpaint.doctor.splits import Chosen, choose

Progress = Callable[[int, int], None]
"""Called after each photograph with the number that are done and the number of all."""


def examine(
    path: Path,
    *,
    hints: Sequence[Path] = (),
    rest: str | None = None,
    split: str | None = None,
    workers: int = 1,
    progress: Progress | None = None,
) -> Report:
    """Examine a data set and its hints before a training. Nothing is written.

    Args:
        path: The data set, as in `open_dataset`.
        hints: Files or folders of hints, as for a training. Without hints, the masks or the annotations of the data set
            are examined.
        rest: The class of pixels without an annotation, as for a training.
        split: The training split, or several joined with '+'; by default ``train`` if it exists, else all images.
        workers: Number of processes that decode images.
        progress: Called after each photograph.

    Returns:
        The report. Problems are findings in it and raise no error.
    """
    try:
        data = open_dataset(path, rest=rest, hints=hints)
        if rest is not None:
            data.classes.indices([rest], "--rest")
    except UnderpaintError as error:
        return Report(str(path), split, [Finding.of_error("data-set", error)])
    chosen, findings = choose(data, split)
    sources = read_sources(data, hints)
    labels, photographs, copies = Labels(data, sources, chosen.images, rest), Photographs(), Copies(chosen.parts)
    kinds = Kinds()
    jobs = (Job(name, file, labels.files(name), data.classes) for name, file in data.images.items())
    processes = workers if len(data.images) > MANY else 1
    every = stream(examine_image, jobs, workers=processes, lost=crashed, chunk=CHUNK, threads=1)
    for done, examined in enumerate(every, start=1):
        kinds.add(examined)
        photographs.add(examined, trained=examined.name in chosen.images)
        copies.add(examined)
        labels.add(examined)
        if progress is not None:
            progress(done, len(data.images))
    copies.compare(data, workers=processes)
    findings = [
        *labels.background.findings(),
        *findings,
        *other_files(data, sources.titles),
        *own_folders(data),
        *photographs.findings(),
        *kinds.findings(data.images, chosen.images),
        *labels.findings(),
        *copies.findings(),
    ]
    return _report(path, data, chosen, sources, labels, photographs, findings)


def _report(
    path: Path,
    data: DataFolder,
    chosen: Chosen,
    sources: Sources,
    labels: Labels,
    photographs: Photographs,
    findings: list[Finding],
) -> Report:
    scale = enlargement(photographs.median_side)
    crop = (crop_side(scale), crop_side(scale))
    expected = estimate(labels.balance.labelled, photographs.mean_pixels, crop=crop, scale=scale)
    if chosen.images and photographs.usable == 0:
        what = "no photograph of the split can be read"
        findings.append(Finding("image-none", Level.BLOCKS, what, fix="see the photographs that cannot be read"))
    elif labels.balance.labelled == 0 and chosen.images:
        what = "no photograph of the split has a label that can be used, so nothing can be learned"
        fix = "give hints with --hints, masks in masks/, or another split with --split"
        cause = "" if sources.given else printable(unread(data.root))
        findings.append(Finding("labels-none", Level.BLOCKS, what, cause, fix))
    if expected.available is not None and expected.megabytes > expected.available:
        what = f"a training needs about {expected.megabytes} MB of memory, the machine has {expected.available} MB"
        fix = "train with --set train.batch=4 --set views.cache_mb=256, or smaller crops"
        findings.append(Finding("memory-short", Level.WARNS, what, fix=fix))
    return Report(
        data=str(path),
        split=chosen.name,
        findings=findings,
        images=len(data.images),
        splits={name: len(names) for name, names in data.splits.items()},
        classes=data.classes.names,
        background=None if data.classes.background is None else data.classes.names[data.classes.background],
        sources=sources.titles,
        kinds={kind.value: count for kind, count in sorted(labels.kinds.items())},
        mixtures=dict(labels.mixtures.most_common()),
        labelled=labels.balance.labelled,
        sizes=photographs.summary(),
        balance=labels.balance.table(),
        estimate=expected,
    )
