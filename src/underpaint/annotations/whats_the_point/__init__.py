"""Clicks of What's the Point."""

from __future__ import annotations

from underpaint.annotations.format import Format
from underpaint.annotations.whats_the_point.read import background_file, is_clicks, read_clicks
from underpaint.hints.parts import Part

__all__ = ["FORMAT", "background_file", "is_clicks", "read_clicks"]

FORMAT = Format(
    name="whats-the-point",
    title="What's the Point clicks",
    layout="one .json file",
    sniff=is_clicks,
    read=lambda path, _: read_clicks(path),
    holds=frozenset({Part.CLICKS}),
    second_file=background_file,
    writer=None,
)
