"""Extension of griffe: the section ``Example:`` of a docstring is shown as a block of code, as ``Examples:`` is."""

from __future__ import annotations

import ast
import re
from typing import Any

import griffe


class Examples(griffe.Extension):
    """Renames the section before griffe parses it; griffe takes ``Example:`` for a note in Markdown."""

    def on_instance(self, *, node: ast.AST | griffe.ObjectNode, obj: griffe.Object, **others: Any) -> None:
        """Change the text of one docstring."""
        del node, others
        if obj.docstring is not None:
            obj.docstring.value = re.sub(r"^Example:$", "Examples:", obj.docstring.value, flags=re.MULTILINE)
