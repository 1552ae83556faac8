"""The report on hints that were read: how many there are, what was left out, and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from underpaint.core.errors import listing


@dataclass
class HintsReport:
    """Counts of the hints that were read and left out.

    Args:
        sources: Each file or folder with its format.
        images: The number of images of the data set with hints.
        missing: The names in the hints for which the data set has no image.
        rivals: The names among ``missing`` that match an image which another name matches equally or better, with that
            image.
        idle: The files none of whose images is in the data set, with the number of their images.
        unreadable: The images that cannot be opened, with the reason. Their hints are left out.
        unknown: The number of hints that were left out because their class is not in the table, by class.
        outside: The number of shapes that were left out because they are outside their image.
        cut: The number of shapes that were cut at the border of their image.
        left_out: The numbers of hints that the readers left out, by reason.
        remarks: The numbers of hints that readers interpreted in a way that the annotator perhaps did not mean.
    """

    sources: list[tuple[Path, str]] = field(default_factory=list)
    images: int = 0
    missing: list[str] = field(default_factory=list)
    rivals: dict[str, str] = field(default_factory=dict)
    idle: dict[Path, int] = field(default_factory=dict)
    unreadable: dict[str, str] = field(default_factory=dict)
    unknown: Counter[str] = field(default_factory=Counter)
    outside: int = 0
    cut: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    remarks: Counter[str] = field(default_factory=Counter)

    def lines(self) -> list[str]:
        """The report as lines of text, without counts that are 0."""
        return [
            *(f"{path}: {form}" for path, form in self.sources),
            f"{self.images} images with hints",
            *self.notes(),
            *self.losses(),
        ]

    def notes(self) -> list[str]:
        """The remarks of the readers as lines of text."""
        return [f"{count} {remark}" for remark, count in self.remarks.most_common()]

    def losses(self) -> list[str]:
        """The hints that were left out, as lines of text; an empty list if there are none."""
        lines = []
        lines += [f"{path}: none of its {count} images is in the data set" for path, count in self.idle.items()]
        if self.missing:
            lines.append(f"{len(self.missing)} hinted images are not in the data set: {listing(self.missing)}")
        if self.rivals:
            lines.append(rivalry(self.rivals))
        if self.unreadable:
            lines.append(f"{len(self.unreadable)} images cannot be read: {listing(self.unreadable)}")
        if self.unknown:
            words = ", ".join(f"{word} ({count})" for word, count in self.unknown.most_common())
            lines.append(f"{self.unknown.total()} hints of classes outside the table left out: {words}")
        if self.cut:
            lines.append(f"{self.cut} hints cut at the border of their image")
        if self.outside:
            lines.append(f"{self.outside} hints outside their image left out")
        lines += [f"{count} left out: {reason}" for reason, count in self.left_out.most_common()]
        return lines


def rivalry(rivals: Mapping[str, str]) -> str:
    """One sentence about names that have no image because another name matches the same image."""
    pairs = listing(f"{name!r} ({image!r})" for name, image in rivals.items())
    return f"{len(rivals)} of these match an image that another name matches as well: {pairs}"
