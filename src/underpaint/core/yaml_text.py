"""YAML from outside: plain values alone, of bounded depth, with messages that name line and column."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

import yaml

MAX_DEPTH = 32
"""Lists and groups within each other; settings need 4."""

MAX_WHOLE = 1 << 63
"""Whole numbers from here on are refused: nothing here counts so far, and Python writes no number of 4,301 digits."""


class YamlTextError(Exception):
    """The text is not YAML that is accepted; the message says where and why."""


def parse_yaml(text: str, *, as_texts: bool = False) -> Any:
    """The value that a YAML text holds: None, numbers, texts, lists and mappings of these.

    Args:
        text: The YAML text.
        as_texts: Leave numbers and words as the texts that they are written as. YAML makes a truth value of ``no``, 10
            of ``012`` and a day of ``2024-01-01``, which as names of classes would be others.

    References (``*name``) are refused, since a short text can become an endless value by them. So are tags of Python
    objects.

    Raises:
        YamlTextError: not YAML, or not accepted.
    """
    try:
        return yaml.load(text, _TextLoader if as_texts else _Loader)  # safe loaders, with limits
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise YamlTextError(f"{place}{error.problem or error.context}") from None
    except yaml.YAMLError as error:  # a character that YAML does not have
        raise YamlTextError(str(error).splitlines()[0]) from None


# Not the loader in C: deep brackets overflow its stack, which ends the process (found by fuzzing).
class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader without references, with a limit of depth, and with values that cannot fail later."""

    depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent):
            raise _refused(f"the reference *{event.anchor} is not accepted; write the value itself", event.start_mark)
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise _refused(f"more than {MAX_DEPTH} lists or groups within each other", event.start_mark)
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node

    def construct_object(self, node: Any, deep: bool = False) -> Any:
        try:
            value = super().construct_object(node, deep=deep)
        except (ValueError, ArithmeticError, LookupError, AttributeError, TypeError):
            what = "is no number, date or other value that YAML takes it for; put a text between quotes"
            raise _refused(f"{str(node.value)[:40]!r} {what}", node.start_mark) from None
        if isinstance(value, int) and abs(value) >= MAX_WHOLE:
            raise _refused("a whole number of more than 19 digits", node.start_mark)
        return value


class _TextLoader(_Loader):
    """The same, for which every plain word is a text."""

    yaml_implicit_resolvers: Any = MappingProxyType({})


def _refused(what: str, mark: Any) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=what, problem_mark=mark)
