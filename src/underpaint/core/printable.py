"""Text from files, made safe to print."""

from __future__ import annotations


def printable(text: str, *, lines: bool = False) -> str:
    """The text with everything that could steer a terminal shown as an escape, as Python writes it.

    Args:
        text: Anything: names of images and classes are untrusted.
        lines: Keep line breaks.
    """
    return "".join(
        c if c.isprintable() or (lines and c == "\n") else c.encode("unicode_escape", "backslashreplace").decode()
        for c in text
    )
