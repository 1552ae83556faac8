"""ScribbleSup's scribbles."""

from __future__ import annotations

from underpaint.annotations.format import Format
from underpaint.annotations.scribblesup.read import is_scribblesup, read_scribblesup
from underpaint.hints.parts import Part

__all__ = ["FORMAT", "is_scribblesup", "read_scribblesup"]

FORMAT = Format(
    name="scribblesup",
    title="ScribbleSup scribbles",
    layout="an .xml file per image",
    sniff=is_scribblesup,
    read=lambda path, reading: read_scribblesup(path, reading.classes),
    holds=frozenset({Part.SCRIBBLES, Part.TAGS, Part.ABSENT, Part.SIZES}),
    writer=None,
)
