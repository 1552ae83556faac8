"""Numbers joined with commas, as options take them."""

from __future__ import annotations

import math

from underpaint.core.errors import ConfigError


def numbers(text: str, option: str, *, whole: bool = False) -> list[float]:
    """The numbers in ``text``, none for an empty one. Raises `ConfigError` naming the option."""
    try:
        found = [float(part) for part in text.split(",") if part.strip()]
    except ValueError:
        found = [math.nan]
    if not all(math.isfinite(value) and value >= 0 and (not whole or value == int(value)) for value in found):
        kind = "whole numbers" if whole else "numbers"
        raise ConfigError(f"{option} is {text!r}", accepted=f"{kind} of 0 or more, joined with ','")
    return found
