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
        raise YamlTextError(f"{place}{_words(error)}") from None
    except yaml.YAMLError:
        raise YamlTextError("a character that YAML does not allow") from None


WORDS = (
    ("could not determine a constructor", "a tag such as !name is not accepted; put a text between quotes"),
    (
        "mapping values are not allowed",
        "a colon where none is allowed; put a text with a colon between quotes",
    ),
    ("found character '\\t'", "a tab; indent with blanks"),
    ("found character", "a text cannot begin with this character; put it between quotes"),
    ("expected ',' or", "a bracket is not closed, or a comma is missing"),
    ("could not find expected ':'", "a colon is missing"),
    ("found unexpected end of stream", "a quotation mark is not closed"),
    ("expected <block end>", "the line does not belong to the lines above it; check how far it is indented"),
    ("found unknown escape", "a backslash with a letter that YAML does not know; use single quotes"),
    ("expected the node content", "a value is missing"),
)
"""What is wrong, by the first words of PyYAML's message."""


def _words(error: yaml.MarkedYAMLError) -> str:
    if isinstance(error, _RefusedError):
        return str(error.problem)
    said = error.problem or error.context or ""
    return next((words for begin, words in WORDS if said.startswith(begin)), "this does not follow the rules of YAML")


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


class _RefusedError(yaml.MarkedYAMLError):
    """Valid YAML that is not accepted; the problem is in our words."""


def _refused(what: str, mark: Any) -> _RefusedError:
    return _RefusedError(problem=what, problem_mark=mark)
