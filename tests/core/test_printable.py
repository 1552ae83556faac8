"""Names from files cannot steer a terminal."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from underpaint.core.errors import printable


def test_control_characters_are_shown() -> None:
    assert printable("a\x1b[31mb\r\nc\u202e\ud800") == r"a\x1b[31mb\r\nc\u202e\ud800"
    assert printable("a\nb\x07", lines=True) == "a\nb\\x07"
    assert printable("Füße, 鳥, <img onerror=x>") == "Füße, 鳥, <img onerror=x>"


@given(st.text())
def test_nothing_else_comes_out(text: str) -> None:
    assert printable(text).isprintable()
