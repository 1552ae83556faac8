"""Findings about the labels of the training split: their files, their faults, and their counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from underpaint.annotations.format import Reading
from underpaint.annotations.registry import recognise, with_second_files
from underpaint.core.errors import HintError, UnderpaintError, printable
from underpaint.datasets.folder import DataFolder
from underpaint.datasets.report import rivalry
from underpaint.doctor.balance import Balance
from underpaint.doctor.findings import Finding, Group, Level
from underpaint.doctor.image import ExaminedImage, ExaminedLabels, Fault
from underpaint.doctor.rest import BackgroundCheck
from underpaint.hints.check import check_hints, of_table
from underpaint.hints.fit import fit_hints
from underpaint.hints.merge import merge_hints
from underpaint.hints.rest import UNPLACED, fill_rest
from underpaint.hints.types import Hints, Kind
from underpaint.imagefiles.masks import SPARSE, LabelFile
from underpaint.imagefiles.naming import Names


@dataclass
class Sources:
    """The hints of all files, by the image names of the data set.

    Args:
        given: Whether there are hints for a training; otherwise the masks of the data set are used.
        hints: The hints of the photographs; they are removed one by one when they are examined.
        titles: Each file with its format.
        unmatched: Names without a photograph.
        idle: Files none of whose images is in the data set.
        rivals: The names among ``unmatched`` that match a photograph which another name matches as well.
        words: The number of hints of classes that are not in the table, by class.
        contradictions: Images with hints that contradict each other.
        left_out: The numbers of hints that the readers left out, by reason.
        remarks: The numbers of hints that readers interpreted in a way that the annotator perhaps did not mean.
        errors: Files that cannot be read.
    """

    given: bool
    hints: dict[str, Hints] = field(default_factory=dict)
    titles: list[tuple[str, str]] = field(default_factory=list)
    unmatched: Group = field(default_factory=Group)
    idle: Group = field(default_factory=Group)
    rivals: dict[str, str] = field(default_factory=dict)
    words: Counter[str] = field(default_factory=Counter)
    contradictions: Group = field(default_factory=Group)
    left_out: Counter[str] = field(default_factory=Counter)
    remarks: Counter[str] = field(default_factory=Counter)
    errors: list[Finding] = field(default_factory=list)


def read_sources(data: DataFolder, paths: Sequence[Path]) -> Sources:
    """Read every file or folder of hints, and collect the errors of those that cannot be read.

    Without ``paths`` the annotations of the data set are read, as in a training.
    """
    paths = paths or data.annotations
    sources = Sources(given=bool(paths))
    reading = Reading(data.classes, data.root, data.images, left_out=sources.left_out, remarks=sources.remarks)
    found: list[tuple[Path, dict[str, Hints]]] = []
    for path in with_second_files(paths):
        try:
            form = recognise(path)
            found.append((path, form.hints(path, reading)))
        except UnderpaintError as error:
            sources.errors.append(Finding.of_error("hints-unreadable", error))
            continue
        sources.titles.append((str(path), form.title))
    for (path, read), matched in zip(found, Names(data.images).match(found), strict=True):
        sources.rivals |= matched.rivals
        if not matched.images:
            sources.idle.add(str(path))
        for image in list(read):
            one = read.pop(image)  # removed, so that hints and their changed copies do not need twice the memory
            if image in matched.images:
                _merge(sources, data, replace(one, image=matched.images[image]), path)
            else:
                sources.unmatched.add(image)
    return sources


def _merge(sources: Sources, data: DataFolder, one: Hints, path: Path) -> None:
    name = one.image
    known = of_table(one, data.classes.names, sources.words)
    try:
        check_hints(known, data.classes, f"{path}, image {name!r}")
        sources.hints[name] = merge_hints(sources.hints[name], known) if name in sources.hints else known
    except HintError as error:
        sources.contradictions.add(name, error.what)


class Labels:
    """Collects the faults, kinds and counts of labels, image by image; ``rest`` is the class of `fill_rest`."""

    def __init__(self, data: DataFolder, sources: Sources, trained: frozenset[str], rest: str | None) -> None:
        self.data, self.sources, self.trained, self.rest = data, sources, trained, rest
        self.balance = Balance(data.classes)
        self.background = BackgroundCheck(data.classes)
        self.kinds: Counter[Kind] = Counter()
        self.mixtures: Counter[str] = Counter()
        self.faults: dict[Fault, Group] = {}
        self.blocking: set[Fault] = set()
        self.bare, self.empty, self.outside, self.sizes = Group(), Group(), Group(), Group()
        self.unfilled = Group()
        self.excess = Group()
        self.shapes_outside = 0

    def files(self, name: str) -> tuple[LabelFile, ...]:
        """The label files of an image: the mask of the data set, then the file to which its hints refer."""
        own = [self.data.label_file(name)] if name in self.data.masks else []
        hints = self.sources.hints.get(name)
        named = None if hints is None else self.data.labels(hints)
        return tuple(own) if named is None else (*own, named)

    def add(self, examined: ExaminedImage) -> None:
        """Add one photograph with its label files, and remove its hints from the memory."""
        trained, own = examined.name in self.trained, examined.name in self.data.masks
        hints = self.sources.hints.pop(examined.name, None)
        if examined.fault is not None:
            return
        for i, labels in enumerate(examined.labels):
            self._fault(examined.name, labels, blocks=trained and (not self.sources.given or i >= own))
        if not trained:
            return
        if not self.sources.given:
            self._mask(examined.name, examined.labels[0] if own else None)
        elif hints is not None and hints.kinds():
            named = hints.mask is not None and len(examined.labels) > own
            self._hints(hints, examined, examined.labels[own] if named else None)
        else:
            self.bare.add(examined.name)

    def _fault(self, name: str, labels: ExaminedLabels, *, blocks: bool) -> None:
        if labels.fault is not None:
            self.faults.setdefault(labels.fault, Group()).add(name, labels.detail)
            if blocks:
                self.blocking.add(labels.fault)

    def _mask(self, name: str, labels: ExaminedLabels | None) -> None:
        if labels is None:
            self.bare.add(name)
        elif labels.pixels is not None and not labels.pixels[:-1].any():
            self.empty.add(name)
        elif labels.pixels is not None:
            self._count({Kind.SCRIBBLE if labels.pixels[:-1].sum() < SPARSE * labels.pixels.sum() else Kind.MASK})
            self.balance.add_mask(labels.pixels)

    def _hints(self, hints: Hints, examined: ExaminedImage, labels: ExaminedLabels | None) -> None:
        assert examined.size is not None  # the photograph has no fault
        try:
            fit = fit_hints(hints, examined.size, drop=True, where=hints.source)
        except HintError as error:
            group = self.sizes if hints.size not in (None, examined.size) else self.excess
            group.add(examined.name, error.what)
            return
        if fit.outside:
            self.outside.add(examined.name)
            self.shapes_outside += fit.outside
        if not fit.hints.kinds():
            self.bare.add(examined.name)
            return
        if labels is not None and labels.pixels is not None and not labels.pixels[:-1].any():
            self.empty.add(examined.name)
            if not replace(fit.hints, mask=None).kinds():
                return
        self._count(fit.hints.kinds())
        try:
            full = fit.hints if self.rest is None else fill_rest(fit.hints, self.rest, self.data.classes)
            if self.rest is not None and fit.hints.unplaced:
                self.unfilled.add(examined.name)
            self.balance.add_hints(full, labels.pixels if labels is not None else None, exact=self.rest is not None)
            self.background.add(full)
        except HintError as error:
            self.sources.contradictions.add(examined.name, error.what)

    def _count(self, kinds: set[Kind] | frozenset[Kind]) -> None:
        self.kinds.update(kinds)
        self.mixtures[" + ".join(kind for kind in Kind if kind in kinds)] += 1

    @property
    def whole(self) -> bool:
        """Whether a training would use only full masks."""
        return not self.sources.given

    def findings(self) -> list[Finding]:
        """The findings about the labels, including those about the balance of the classes."""
        where = bool(set(self.kinds) - {Kind.TAG})
        background = where and (self.whole or self.background.shown)
        balance = self.balance.findings(where=where, background=background)
        return [*_of_sources(self.sources), *_of_files(self), *_of_images(self), *balance]


def _of_sources(sources: Sources) -> list[Finding]:
    words = ", ".join(f"{printable(word)} ({count})" for word, count in sources.words.most_common(8))
    return [
        *sources.errors,
        *Group.of(sources.words).finding(
            "hints-unknown-class",
            Level.BLOCKS,
            f"hints of {{n}} classes that are not in the class table: {words}",
            cause="the spelling differs, or these classes are not wanted",
            fix="correct the words or add them to the class table; or leave these hints out with train --lenient",
        ),
        *(
            Finding("hints-left-out", Level.WARNS, f"{count} left out: {printable(reason)}", count=count)
            for reason, count in sources.left_out.most_common()
        ),
        *(
            Finding("hints-read-as", Level.NOTES, f"{count} {printable(remark)}", count=count)
            for remark, count in sources.remarks.most_common()
        ),
        *sources.contradictions.finding(
            "hints-contradict",
            Level.BLOCKS,
            "the hints of {n} images contradict each other",
            cause=printable(sources.contradictions.detail),
            fix="correct them, or give only one source of hints",
        ),
        *sources.idle.finding(
            "hints-idle",
            Level.WARNS if len(sources.titles) > sources.idle.count else Level.BLOCKS,
            "{n} files or folders of hints name no photograph of the data set",
            cause="these are hints of other photographs, or the names differ",
            fix="use the names of the photographs' files, as paths below the image folder",
        ),
        *sources.unmatched.finding(
            "hints-without-photograph",
            Level.WARNS,
            "{n} images with hints have no photograph in the data set",
            cause=printable(rivalry(sources.rivals))
            if sources.rivals
            else "the name or the folder differs, or these are hints of another data set",
            fix="use the names of the photographs; suffixes and leading folders may differ",
        ),
    ]


_FILE_FAULTS = {
    Fault.UNREADABLE: ("label-unreadable", "{n} label images cannot be decoded", "copy or export them again"),
    Fault.SIZE: (
        "label-size",
        "{n} label images have another size than their photograph",
        "export them again at the size of the upright photograph; labels are never resized",
    ),
    Fault.VALUES: (
        "label-values",
        "{n} label images have numbers or colours outside the class table",
        "add the classes in the order of their numbers, or remap the images; see the first one's cause",
    ),
    Fault.AMBIGUOUS: (
        "label-ambiguous",
        "{n} label images have only the grey values 0 and 255, so 255 may be the object, or void",
        "write the class number of the object; if 255 is void, save a palette PNG",
    ),
}


def _of_files(labels: Labels) -> list[Finding]:
    findings: list[Finding] = []
    for fault, (key, what, fix) in _FILE_FAULTS.items():
        group = labels.faults.get(fault, Group())
        level = Level.BLOCKS if fault in labels.blocking else Level.WARNS
        findings += group.finding(key, level, what, cause=f"the first: {printable(group.detail)}", fix=fix)
    names = (name for name in labels.data.masks if name not in labels.data.images)
    findings += Group.of(names).finding(
        "label-without-photograph",
        Level.WARNS,
        "{n} label images have no photograph",
        cause="the name differs, or the photograph was removed",
        fix="give each label image the name of its photograph; the suffix may differ",
    )
    return findings


def _of_images(labels: Labels) -> list[Finding]:
    every = labels.balance.labelled == 0
    elsewhere = labels.data.elsewhere(labels.bare.names) if labels.whole else ""
    # Full supervision needs the mask of every image; hints may be missing.
    level = Level.BLOCKS if every or labels.whole else Level.WARNS
    return [
        *labels.bare.finding(
            "image-without-labels",
            level,
            "{n} photographs of the split have no " + ("mask" if labels.whole else "hint"),
            cause=printable(elsewhere) or "they are not labelled yet, or the labels have other names",
            fix="give hints with --hints, or remove them from the list" if labels.whole else "label more, or leave it",
        ),
        *labels.empty.finding(
            "label-empty",
            Level.WARNS,
            "{n} label images have only void pixels",
            cause="they were saved before anything was drawn",
            fix="draw in them, or remove them",
        ),
        *labels.sizes.finding(
            "hints-size",
            Level.BLOCKS,
            "the hints of {n} images were made for another size than that of the photograph",
            cause=printable(labels.sizes.detail),
            fix="give the photographs that were annotated; hints are never resized",
        ),
        *labels.excess.finding(
            "hints-excess",
            Level.BLOCKS,
            "the strokes and areas of {n} images would take too long to rasterise",
            cause=printable(labels.excess.detail),
            fix="remove repeated shapes, or use fewer points",
        ),
        *labels.outside.finding(
            "hints-outside",
            Level.BLOCKS,
            f"{{n}} images have hints outside the photograph ({labels.shapes_outside} in all)",
            cause="they were drawn beyond the border, or belong to another size or rotation",
            fix="correct them; or use train --lenient to cut them at the border and to leave out those outside",
        ),
        *labels.unfilled.finding(
            "rest-unfilled",
            Level.WARNS,
            f"{{n}} images: {UNPLACED}",
            cause="see the shapes that were left out",
            fix="draw these shapes again in a form that is read, or remove them from the annotations",
        ),
    ]
