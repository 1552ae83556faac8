"""The images that a training would use, and the findings about the split lists."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from underpaint.datasets.folder import ALL, TRAIN, DataFolder
from underpaint.doctor.findings import Finding, Group, Level

LEARNING = ("train", ALL)
"""The starts of the names of training splits: train, trainval, train_aug. The other splits are used for scores."""


@dataclass(frozen=True)
class Chosen:
    """The split that is examined as training data.

    Args:
        name: The name as in the command; several are joined with '+'.
        images: Its names with a photograph.
        parts: For each photograph, the split that counts for leaks: ``name`` if it is a training image, else the first
            split that is used for scores.
    """

    name: str
    images: frozenset[str]
    parts: Mapping[str, str]


def choose(data: DataFolder, asked: str | None) -> tuple[Chosen, list[Finding]]:
    """The requested split, or by default ``train``, or all images; and the findings about all lists."""
    name = asked or (TRAIN if TRAIN in data.splits else "+".join(data.splits))
    wanted = name.split("+")
    unknown = [part for part in wanted if part not in data.splits]
    listed = [image for part in wanted if part not in unknown for image in data.splits[part]]
    images = frozenset(image for image in listed if image in data.images)
    scored = {split: names for split, names in data.splits.items() if not split.startswith(LEARNING)}
    parts = {
        image: split for split, names in reversed(scored.items()) for image in names if split not in wanted
    } | dict.fromkeys(images, name)
    findings = [
        *_unknown(unknown, data),
        *_unnamed(name, asked, data),
        *_empty(listed, name),
        *_without_photograph(data, wanted),
        *_shared(images, scored, wanted, name),
        *_unlisted(data),
    ]
    return Chosen(name, images, parts), findings


def _unknown(unknown: list[str], data: DataFolder) -> list[Finding]:
    what, fix = f"the data set has no split {', '.join(unknown)}", f"choose of: {', '.join(sorted(data.splits))}"
    return Group.of(unknown).finding("split-unknown", Level.BLOCKS, what, fix=fix)


def _unnamed(name: str, asked: str | None, data: DataFolder) -> list[Finding]:
    """Where the split that a training takes by itself is missing."""
    if asked is not None or TRAIN in data.splits or set(data.splits) == {ALL}:
        return []
    what = "there is no split 'train', so every image is examined as one to learn from"
    fix = f"train with --split {name}, or list the images to learn from in splits/train.txt"
    return [Finding("split-no-train", Level.NOTES, what, fix=fix, count=len(data.images))]


def _empty(listed: list[str], name: str) -> list[Finding]:
    if listed:
        return []
    return [Finding("split-empty", Level.BLOCKS, f"the split {name!r} names no image", fix="write names to its list")]


def _without_photograph(data: DataFolder, wanted: list[str]) -> list[Finding]:
    findings = []
    for split, names in data.splits.items():
        level = Level.BLOCKS if split in wanted else Level.WARNS
        findings += Group.of(name for name in names if name not in data.images).finding(
            "split-without-photograph",
            level,
            f"{{n}} of the {len(names)} names of split {split!r} have no photograph",
            cause="files were moved or renamed, or the list belongs to another data set",
            fix="correct the list; names are paths below the image folder",
        )
    return findings


def _shared(
    images: frozenset[str], scored: Mapping[str, tuple[str, ...]], wanted: list[str], name: str
) -> list[Finding]:
    findings = []
    for split, names in scored.items():
        if split in wanted:
            continue
        findings += Group.of(image for image in names if image in images).finding(
            "split-overlap",
            Level.WARNS,
            f"{{n}} images of split {split!r} are in {name!r} as well",
            cause="one list was made from the other",
            fix="remove them from one of the two: scores on training images have no meaning",
        )
    return findings


def _unlisted(data: DataFolder) -> list[Finding]:
    listed = {name for names in data.splits.values() for name in names}
    return Group.of(name for name in data.images if name not in listed).finding(
        "split-unlisted",
        Level.NOTES,
        "{n} photographs are in no split, and are not used",
        fix="add them to a list if you want to use them",
    )
