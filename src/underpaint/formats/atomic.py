"""`write_atomic` under the name that it had before it moved to `underpaint.core.atomic`."""

from underpaint.core.atomic import write_atomic

__all__ = ["write_atomic"]
