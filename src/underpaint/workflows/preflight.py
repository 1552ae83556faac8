"""Checks the hints before a training: the findings of `doctor` that need no decoding of images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from underpaint.core.classes import ClassTable
from underpaint.core.errors import DataError, printable
from underpaint.doctor.balance import Balance
from underpaint.doctor.findings import Finding, Level
from underpaint.doctor.rest import BackgroundCheck
from underpaint.hints.types import Hints, Kind


@dataclass(frozen=True)
class Preflight:
    """Findings on the hints.

    Args:
        warning: A problem that makes the result useless, with possible fixes; empty if there is none.
        notes: Problems that make the result worse.
    """

    warning: str
    notes: tuple[str, ...]


def preflight(hints: Mapping[str, Hints], classes: ClassTable) -> Preflight:
    """Check the hints of the training images.

    Args:
        hints: Hints by image name.
        classes: The class table.

    Raises:
        DataError: Nothing can be learned from the hints.
        HintError: A class is unknown, or an image has hints of a class that its tags state to be absent.
    """
    rest, balance = BackgroundCheck(classes), Balance(classes)
    for hint in hints.values():
        rest.add(hint)
    warning = printable("\n".join(map(str, rest.findings())), lines=True)
    if any(hint.mask for hint in hints.values()):  # the classes of a label file are known only after decoding
        return Preflight(warning, ())
    for hint in hints.values():
        balance.add_hints(hint, None)
    if not balance.images.any():
        raise DataError("the hints state of no class that it is present, so nothing can be learned", where="hints")
    where = any(hint.kinds() - {Kind.TAG} for hint in hints.values())
    findings = balance.findings(where=where, background=rest.shown)
    for finding in findings:
        if finding.level is Level.BLOCKS:
            raise DataError(f"{finding.what}: {finding.listing()}", where="hints", fix=finding.fix)
    return Preflight(warning, tuple(_line(finding) for finding in findings if finding.level is Level.WARNS))


def _line(finding: Finding) -> str:
    return f"{finding.what}: {finding.listing()}; {finding.fix}"
