"""What is to be said of the hints before a training: what `doctor` finds in them without decoding a picture."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from underpaint.core.classes import ClassTable
from underpaint.core.errors import DataError
from underpaint.core.printable import printable
from underpaint.doctor.balance import Balance
from underpaint.doctor.findings import Finding, Level
from underpaint.doctor.rest import Rest
from underpaint.hints.types import Hints, Kind


@dataclass(frozen=True)
class Preflight:
    """What a person should know of the hints.

    Args:
        warning: What makes the result useless if nothing is done, with the ways on; empty where nothing does.
        notes: What makes it worse.
    """

    warning: str
    notes: tuple[str, ...]


def preflight(hints: Mapping[str, Hints], classes: ClassTable) -> Preflight:
    """Look at the hints of the training images.

    Raises:
        DataError: nothing can be learned from them.
        HintError: an unknown class, or one that is both shown and said to be absent.
    """
    rest, balance = Rest(classes), Balance(classes)
    for hint in hints.values():
        rest.add(hint)
    warning = printable("\n".join(map(str, rest.findings())), lines=True)
    if any(hint.mask for hint in hints.values()):  # a label file shows its classes when it is decoded, not here
        return Preflight(warning, ())
    for hint in hints.values():
        balance.add_hints(hint, None)
    if not balance.images.any():
        raise DataError("the hints name no class as present: there is nothing to learn", where="hints")
    where = any(hint.kinds() - {Kind.TAG} for hint in hints.values())
    findings = balance.findings(where=where, background=rest.shown)
    for finding in findings:
        if finding.level is Level.BLOCKS:
            raise DataError(f"{finding.what}: {finding.listing()}", where="hints", fix=finding.fix)
    return Preflight(warning, tuple(_line(finding) for finding in findings if finding.level is Level.WARNS))


def _line(finding: Finding) -> str:
    return f"{finding.what}: {finding.listing()}; {finding.fix}"
