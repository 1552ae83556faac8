"""Labels of the training split: where they come from, what is wrong with them, and what they add up to."""

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
from underpaint.doctor.look import Fault, LabelsSeen, Seen
from underpaint.doctor.rest import Rest
from underpaint.hints.check import check_hints, of_table
from underpaint.hints.fit import fit_hints
from underpaint.hints.merge import merge_hints
from underpaint.hints.rest import UNPLACED, fill_rest
from underpaint.hints.types import Hints, Kind
from underpaint.imagefiles.label_shares import SPARSE
from underpaint.imagefiles.masks import LabelFile
from underpaint.imagefiles.naming import Names


@dataclass
class Sources:
    """Hints as their files have them, by the data set's names.

    Args:
        given: Whether there are hints to learn from; without, the data set's masks are.
        hints: Of the data set's photographs; taken out one by one as they are examined.
        titles: Each file with the format that was recognised.
        strays: Names without a photograph.
        idle: Files of which no image is in the data set.
        rivals: Those of them that come down to a photograph which another name means as well.
        words: Classes outside the table, by how many hints of them there are.
        contradictions: Images of which two sources say what cannot both be.
        left_out: What the readers left out, by the reason.
        remarks: What they took in a way that a person may not have meant.
        errors: Files that cannot be read at all.
    """

    given: bool
    hints: dict[str, Hints] = field(default_factory=dict)
    titles: list[tuple[str, str]] = field(default_factory=list)
    strays: Group = field(default_factory=Group)
    idle: Group = field(default_factory=Group)
    rivals: dict[str, str] = field(default_factory=dict)
    words: Counter[str] = field(default_factory=Counter)
    contradictions: Group = field(default_factory=Group)
    left_out: Counter[str] = field(default_factory=Counter)
    remarks: Counter[str] = field(default_factory=Counter)
    errors: list[Finding] = field(default_factory=list)


def read_sources(data: DataFolder, paths: Sequence[Path]) -> Sources:
    """Read every file or folder of hints, and go on past those that cannot be read.

    Without ``paths`` the annotations beside the photographs are read, as training does.
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
            one = read.pop(image)  # so that hints which are changed are not held twice
            if image in matched.images:
                _take(sources, data, replace(one, image=matched.images[image]), path)
            else:
                sources.strays.add(image)
    return sources


def _take(sources: Sources, data: DataFolder, one: Hints, path: Path) -> None:
    name = one.image
    known = of_table(one, data.classes.names, sources.words)
    try:
        check_hints(known, data.classes, f"{path}, image {name!r}")
        sources.hints[name] = merge_hints(sources.hints[name], known) if name in sources.hints else known
    except HintError as error:
        sources.contradictions.add(name, error.what)


class Labels:
    """Labels met image by image: faults, kinds and balance; ``rest`` as `fill_rest` has it."""

    def __init__(self, data: DataFolder, sources: Sources, trained: frozenset[str], rest: str | None) -> None:
        self.data, self.sources, self.trained, self.rest = data, sources, trained, rest
        self.balance = Balance(data.classes)
        self.unlabelled = Rest(data.classes)
        self.kinds: Counter[Kind] = Counter()
        self.mixtures: Counter[str] = Counter()
        self.faults: dict[Fault, Group] = {}
        self.blocking: set[Fault] = set()
        self.bare, self.empty, self.outside, self.sizes = Group(), Group(), Group(), Group()
        self.unfilled = Group()
        self.excess = Group()
        self.strays_outside = 0

    def files(self, name: str) -> tuple[LabelFile, ...]:
        """The label files of an image: the data set's own mask, then the one that its hints name."""
        own = [self.data.label_file(name)] if name in self.data.masks else []
        hints = self.sources.hints.get(name)
        named = None if hints is None else self.data.labels(hints)
        return tuple(own) if named is None else (*own, named)

    def add(self, seen: Seen) -> None:
        """Take in one photograph with its label files; its hints are let go."""
        trained, own = seen.name in self.trained, seen.name in self.data.masks
        hints = self.sources.hints.pop(seen.name, None)
        if seen.fault is not None:
            return
        for i, labels in enumerate(seen.labels):
            self._fault(seen.name, labels, blocks=trained and (not self.sources.given or i >= own))
        if not trained:
            return
        if not self.sources.given:
            self._mask(seen.name, seen.labels[0] if own else None)
        elif hints is not None and hints.kinds():
            self._hints(hints, seen, seen.labels[own] if hints.mask is not None and len(seen.labels) > own else None)
        else:
            self.bare.add(seen.name)

    def _fault(self, name: str, labels: LabelsSeen, *, blocks: bool) -> None:
        if labels.fault is not None:
            self.faults.setdefault(labels.fault, Group()).add(name, labels.detail)
            if blocks:
                self.blocking.add(labels.fault)

    def _mask(self, name: str, labels: LabelsSeen | None) -> None:
        if labels is None:
            self.bare.add(name)
        elif labels.pixels is not None and not labels.pixels[:-1].any():
            self.empty.add(name)
        elif labels.pixels is not None:
            self._count({Kind.SCRIBBLE if labels.pixels[:-1].sum() < SPARSE * labels.pixels.sum() else Kind.MASK})
            self.balance.add_mask(labels.pixels)

    def _hints(self, hints: Hints, seen: Seen, labels: LabelsSeen | None) -> None:
        assert seen.size is not None  # the photograph has no fault
        try:
            fit = fit_hints(hints, seen.size, drop=True, where=hints.source)
        except HintError as error:
            group = self.sizes if hints.size not in (None, seen.size) else self.excess
            group.add(seen.name, error.what)
            return
        if fit.outside:
            self.outside.add(seen.name)
            self.strays_outside += fit.outside
        if not fit.hints.kinds():
            self.bare.add(seen.name)
            return
        if labels is not None and labels.pixels is not None and not labels.pixels[:-1].any():
            self.empty.add(seen.name)
            if not replace(fit.hints, mask=None).kinds():
                return
        self._count(fit.hints.kinds())
        try:
            full = fit.hints if self.rest is None else fill_rest(fit.hints, self.rest, self.data.classes)
            if self.rest is not None and fit.hints.unplaced:
                self.unfilled.add(seen.name)
            self.balance.add_hints(full, labels.pixels if labels is not None else None, exact=self.rest is not None)
            self.unlabelled.add(full)
        except HintError as error:
            self.sources.contradictions.add(seen.name, error.what)

    def _count(self, kinds: set[Kind] | frozenset[Kind]) -> None:
        self.kinds.update(kinds)
        self.mixtures[" + ".join(kind for kind in Kind if kind in kinds)] += 1

    @property
    def whole(self) -> bool:
        """Whether full masks, and nothing else, are learned from."""
        return not self.sources.given

    def findings(self) -> list[Finding]:
        """What is to be said of the labels; the classes' balance included."""
        where = bool(set(self.kinds) - {Kind.TAG})
        background = where and (self.whole or self.unlabelled.shown)
        balance = self.balance.findings(where=where, background=background)
        return [*_of_sources(self.sources), *_of_files(self), *_of_images(self), *balance]


def _of_sources(sources: Sources) -> list[Finding]:
    words = ", ".join(f"{printable(word)} ({count})" for word, count in sources.words.most_common(8))
    return [
        *sources.errors,
        *Group.of(sources.words).finding(
            "hints-unknown-class",
            Level.BLOCKS,
            f"hints of {{n}} classes that the class table lacks: {words}",
            cause="another spelling, or classes that are not wanted",
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
            "the hints of {n} images cannot all be true",
            cause=printable(sources.contradictions.detail),
            fix="correct them, or give one source of hints alone",
        ),
        *sources.idle.finding(
            "hints-idle",
            Level.WARNS if len(sources.titles) > sources.idle.count else Level.BLOCKS,
            "{n} files or folders of hints name no photograph of the data set",
            cause="hints of other photographs, or other names",
            fix="names are those of the photographs' files, as a path below the image folder",
        ),
        *sources.strays.finding(
            "hints-without-photograph",
            Level.WARNS,
            "{n} images with hints have no photograph in the data set",
            cause=printable(rivalry(sources.rivals))
            if sources.rivals
            else "another name, another folder, or hints of another data set",
            fix="names are matched without suffix and, from the front, without folders",
        ),
    ]


_FILE_FAULTS = {
    Fault.UNREADABLE: ("label-unreadable", "{n} label images cannot be decoded", "copy or export them again"),
    Fault.SIZE: (
        "label-size",
        "{n} label images have another size than their photograph",
        "export them again at the size of the upright photograph; labels are never stretched",
    ),
    Fault.VALUES: (
        "label-values",
        "{n} label images hold numbers or colours outside the class table",
        "add the classes in the order of their numbers, or remap the images; see the first one's cause",
    ),
    Fault.AMBIGUOUS: (
        "label-ambiguous",
        "{n} label images hold the grey values 0 and 255 alone, where 255 may be the object, or void",
        "write the object as its class number; if 255 is void, save a palette PNG",
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
        cause="another name, or a photograph that was removed",
        fix="a label image has the name of its photograph, but for the suffix",
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
            cause=printable(elsewhere) or "not labelled yet, or labels under another name",
            fix="give hints with --hints, or take them out of the list" if labels.whole else "label more, or leave it",
        ),
        *labels.empty.finding(
            "label-empty",
            Level.WARNS,
            "{n} label images say nothing: every pixel is void",
            cause="saved before anything was drawn",
            fix="draw, or remove them",
        ),
        *labels.sizes.finding(
            "hints-size",
            Level.BLOCKS,
            "the hints of {n} images were made on another size than the photograph has",
            cause=printable(labels.sizes.detail),
            fix="give the photographs that were annotated; hints are never stretched",
        ),
        *labels.excess.finding(
            "hints-excess",
            Level.BLOCKS,
            "the strokes and areas of {n} images would take too long to paint",
            cause=printable(labels.excess.detail),
            fix="remove shapes that are given many times over, or thin out their points",
        ),
        *labels.outside.finding(
            "hints-outside",
            Level.BLOCKS,
            f"{{n}} images have hints outside the photograph ({labels.strays_outside} in all)",
            cause="a slip of the hand, or hints of another size or rotation",
            fix="correct them; or cut them at the border, and leave out what lies outside, with train --lenient",
        ),
        *labels.unfilled.finding(
            "rest-unfilled",
            Level.WARNS,
            f"{{n}} images: {UNPLACED}",
            cause="see what was left out",
            fix="draw these shapes again in a form that is read, or take them out of the annotations",
        ),
    ]
