"""Parsing of YAML files that are not trusted: only plain values, limited depth, messages with line and column."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

import yaml

MAX_DEPTH = 32
"""Largest depth of nested lists and groups; settings need 4."""

MAX_WHOLE = 1 << 63
"""Integers from this value on are refused. No setting needs them, and Python cannot print one of 4,301 digits."""


class YamlTextError(Exception):
    """The text is not valid or not accepted YAML; the message says where and why."""


def parse_yaml(text: str, *, as_texts: bool = False) -> Any:
    """Parse a YAML text into None, numbers, strings, lists and mappings of these.

    References (``*name``) are refused, because with them a short text can stand for an endless value. Tags of Python
    objects are refused as well.

    Args:
        text: The YAML text.
        as_texts: Keep all values as strings, as class names need it. Otherwise YAML turns ``no`` into a truth value,
            ``012`` into 10 and ``2024-01-01`` into a date.

    Raises:
        YamlTextError: The text is not YAML or not accepted.
    """
    try:
        return yaml.load(text, _TextLoader if as_texts else _Loader)  # safe loaders, with limits
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise YamlTextError(f"{place}{error.problem or error.context}") from None
    except yaml.YAMLError as error:  # a character that YAML does not allow
        raise YamlTextError(str(error).splitlines()[0]) from None


# The loader in C is not used: deep brackets overflow its stack, which ends the process (found by fuzzing).
class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader without references and with limits of depth and of numbers."""

    depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent):
            raise _refused(f"the reference *{event.anchor} is not accepted; write the value itself", event.start_mark)
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise _refused(f"more than {MAX_DEPTH} nested lists or groups", event.start_mark)
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node

    def construct_object(self, node: Any, deep: bool = False) -> Any:
        try:
            value = super().construct_object(node, deep=deep)
        except (ValueError, ArithmeticError, LookupError, AttributeError, TypeError):
            what = "looks like a number or a date to YAML, but is not a valid one; put a text between quotes"
            raise _refused(f"{str(node.value)[:40]!r} {what}", node.start_mark) from None
        if isinstance(value, int) and abs(value) >= MAX_WHOLE:
            raise _refused("a whole number of more than 19 digits", node.start_mark)
        return value


class _TextLoader(_Loader):
    """The same loader, but every plain value is a string."""

    yaml_implicit_resolvers: Any = MappingProxyType({})


def _refused(what: str, mark: Any) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=what, problem_mark=mark)
