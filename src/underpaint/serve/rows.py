"""The rows of the list of photographs on the page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from underpaint.core.errors import FormatError
from underpaint.serve.site import UNREADABLE, Photograph

if TYPE_CHECKING:
    from underpaint.serve.services import Services

LIMIT = 200
"""Largest number of photographs in one answer."""

ORDERS = ("name", "uncertainty")
FILTERS = ("", "new", "marked", "done", "unreadable")


def row_of(services: Services, one: Photograph) -> dict[str, Any]:
    """The row of a photograph."""
    summary = services.site.summary(one.name)
    tags = summary.tags
    stated = {key: sorted(getattr(tags, key)) if tags is not None else [] for key in ("present", "absent", "boxed")}
    height, width = one.size
    return {
        "id": one.id,
        "name": one.name,
        "width": width,
        "height": height,
        "marks": summary.marks.total(),
        "tags": stated,
        "state": state_of(services, one),
        "uncertainty": round(services.model.uncertainty(one.name), 3),
        "rev": one.changed,
        "mask": services.model.mask_revision(one.name),
    }


def state_of(services: Services, one: Photograph) -> str:
    """The state of a photograph: ``new``, ``marked``, ``done`` or ``unreadable``."""
    if one.size == UNREADABLE:
        return "unreadable"
    folded = services.site.summary(one.name)
    if folded.state == "done":
        return "done"
    return "marked" if folded.marks or folded.tags is not None else "new"


def ordered(services: Services, order: str, state: str) -> list[Photograph]:
    """The photographs with a state, in an order.

    Raises:
        FormatError: The order or the state is unknown.
    """
    if order not in ORDERS or state not in FILTERS:
        raise FormatError(
            f"the order {order!r} or the state {state!r}", where="order, filter", accepted=f"{ORDERS}, {FILTERS}"
        )
    every = sorted(services.site.photographs.values(), key=lambda one: one.name)
    if state:
        every = [one for one in every if state_of(services, one) == state]
    return every if order == "name" else sorted(every, key=lambda one: -services.model.uncertainty(one.name))
