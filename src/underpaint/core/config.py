"""Configuration: frozen pydantic models, YAML recipes and ``--set a.b=v``. Unknown settings are refused by name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any, Self, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError, ValidationInfo, field_validator, model_validator
from pydantic_core import ErrorDetails

from underpaint.core.errors import ConfigError, nearest
from underpaint.core.paths import nearest_path
from underpaint.core.regular import encoding_of, read_regular_text
from underpaint.core.yaml_text import MAX_DEPTH, MAX_WHOLE, YamlTextError, parse_yaml

Settings = dict[str, Any]

MAX_NUMBER = 1e9
"""Largest absolute value of a number that is not an integer."""

MAX_LISTED = 8
"""Number of problems that a message lists before it gives only the number of the others."""

RECIPE_BYTES = 1 << 16
"""Largest size of a recipe in bytes; one with every setting has 3 kB."""

FREE = "weights do not depend on it"
"""Marks a setting that may change when a run is resumed, as in ``Annotated[int, FREE]``."""


PartT = TypeVar("PartT", bound="Config")


class Config(BaseModel):
    """Base class of all settings. Objects cannot be changed, and unknown names are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _no_number_by_yes(cls, value: Any, info: ValidationInfo) -> Any:
        """Refuse yes and no for a number, which pydantic would take as 1 and 0."""
        expected = str(cls.model_fields[info.field_name or ""].annotation)
        several = value if isinstance(value, list | tuple) else [value]
        if any(isinstance(each, bool) for each in several) and "bool" not in expected and "Any" not in expected:
            raise ValueError(f"must not be true or false (got {_shown(value)})")
        return value

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        """Refuse numbers that would overflow later in a computation; the fields have their own narrower limits."""
        for name in type(self).model_fields:
            value = getattr(self, name)
            for number in value if isinstance(value, tuple) else (value,):
                limit = MAX_WHOLE if type(number) is int else MAX_NUMBER
                if isinstance(number, int | float) and abs(number) > limit:
                    raise ValueError(f"{name} is {_shown(number)}, accepted are numbers up to {limit:g}")
        return self

    def decisive(self) -> Settings:
        """Return the settings that influence the trained weights, as JSON values: all except those marked `FREE`."""
        free = {name for name, field in type(self).model_fields.items() if FREE in field.metadata}
        found: Settings = self.model_dump(mode="json", exclude=free)
        inner = {name: value for name in found if isinstance(value := getattr(self, name), Config)}
        return found | {name: value.decisive() for name, value in inner.items()}

    def part(self, group: type[PartT]) -> PartT:
        """Return only the settings of ``group``, a base class of this one. They are already checked."""
        return group.model_construct(**{name: getattr(self, name) for name in group.model_fields})

    @classmethod
    def parse(cls, settings: Settings, where: object = "configuration") -> Self:
        """Make the settings from a dictionary. Raises one `ConfigError` that lists all problems."""
        if not isinstance(settings, dict) or not all(isinstance(name, str) for name in settings):
            accepted = "a group of settings, such as {name: value}"
            raise ConfigError(f"these are not settings: {_shown(settings)}", where=where, accepted=accepted)
        try:
            return cls.model_validate(settings)
        except ValidationError as error:
            raise ConfigError(
                f"{error.error_count()} setting(s) not accepted", where=where, fix=_explain(cls, error)
            ) from None


def _explain(model: type[BaseModel], error: ValidationError) -> str:
    lines = []
    for problem in error.errors()[:MAX_LISTED]:
        path = [str(part) for part in problem["loc"]]
        if problem["type"] == "extra_forbidden":
            known = _fields(model, path[:-1])
            line = f"there is no such setting; {nearest(path[-1], known) or 'known: ' + (', '.join(known) or 'none')}"
        else:
            line = _words(problem)
        lines.append(f"{'.'.join(path)[:120]}: {line}" if path else line)
    rest = error.error_count() - len(lines)
    return "; ".join(lines) + (f"; and {rest} more" if rest > 0 else "")


WORDS = {
    "greater_than": "more than {gt:g}",
    "greater_than_equal": "{ge:g} or more",
    "less_than": "less than {lt:g}",
    "less_than_equal": "{le:g} or less",
    "multiple_of": "a multiple of {multiple_of:g}",
    "finite_number": "a finite number",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "string": "a text",
    "string_too_short": "a text of {min_length} characters or more",
    "literal": "{expected}",
    "enum": "{expected}",
    "tuple": "a list",
    "list": "a list",
    "set": "a list",
    "frozen": "a list",
    "dict": "a group of settings, such as {{name: value}}",
    "mapping": "a group of settings, such as {{name: value}}",
    "model": "a group of settings, such as {{name: value}}",
    "too_long": "at most {max_length} values",
    "too_short": "at least {min_length} values",
    "none": "null",
}
"""What a setting must be, by pydantic's name of the problem, or by the part of that name before the underscore."""


def _words(problem: ErrorDetails) -> str:
    """Describe what is wrong with one setting, in words for the user."""
    kind, context = problem["type"], problem.get("ctx", {})
    if kind == "value_error":  # raised by a check of this package, whose message shows the value
        return str(context["error"])
    if kind == "missing":
        return "the setting is missing"
    wanted = WORDS.get(kind) or WORDS.get(kind.partition("_")[0])
    text = f"must be {wanted.format(**context)}" if wanted else "is not accepted"
    if not isinstance(problem["input"], Config):
        text = f"{text} (got {_shown(problem['input'])})"
    options = re.findall("'([^']*)'", context["expected"]) if kind == "literal_error" else []
    return "; ".join(part for part in (text, nearest(str(problem["input"]), options)) if part)


def _shown(value: Any) -> str:
    words = "true" if value is True else "false" if value is False else "nothing" if value is None else None
    text = words or (str(value) if isinstance(value, date) else repr(value))
    return text if len(text) <= 60 else f"{text[:57]}..."


def _fields(model: type[BaseModel], path: list[str]) -> list[str]:
    for part in path:
        field = model.model_fields.get(part)
        inner = field.annotation if field else None
        if not (isinstance(inner, type) and issubclass(inner, BaseModel)):
            return []
        model = inner
    return sorted(model.model_fields)


def load_yaml(path: Path) -> Settings:
    """Read a YAML recipe. Raises `ConfigError` if it is missing, not a regular file, not YAML or not a mapping."""
    try:
        loaded = parse_yaml(read_regular_text(path, max_bytes=RECIPE_BYTES))
    except FileNotFoundError:
        raise ConfigError("the recipe is missing", where=path, fix=nearest_path(path)) from None
    except (OSError, ValueError) as error:  # ValueError: not UTF-8, or a name with a zero byte
        reason = getattr(error, "strerror", None) or "the path cannot be used"
        what = f"it is {encoding_of(error)}" if isinstance(error, UnicodeDecodeError) else reason
        raise ConfigError(f"the recipe cannot be read: {what}", where=path, fix="give a YAML file") from None
    except YamlTextError as error:
        raise ConfigError(f"the recipe is not valid YAML: {error}", where=path) from None
    if loaded is None:
        return {}
    if not isinstance(loaded, dict):
        raise ConfigError("the recipe is not a mapping of settings", where=path, accepted="lines such as 'seed: 0'")
    return loaded


def merge(base: Settings, over: Settings) -> Settings:
    """Return ``base`` with the settings of ``over`` in place of its own, group by group. The arguments are unchanged.

    Raises:
        ConfigError: A setting is a value in one of them and a group in the other, so that one would be lost.
    """
    merged = dict(base)
    for key, value in over.items():
        below = merged.get(key)
        if None not in (below, value) and isinstance(below, dict) != isinstance(value, dict):
            one = _shown(value if isinstance(below, dict) else below)
            fix = f"name a setting of the group, such as {key}.NAME=value"
            raise ConfigError(f"{key} is a group of settings, but is given the value {one}", where=key, fix=fix)
        merged[key] = merge(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return merged


def grouped(stated: Mapping[str, Any]) -> Settings:
    """Return the settings of a call as nested groups: ``{"train.epochs": 3}`` becomes ``{"train": {"epochs": 3}}``.

    Raises:
        ConfigError: A name is not a text, or a setting is a value in one place and a group in another.
    """
    settings: Settings = {}
    for name, value in stated.items():
        if not isinstance(name, str):
            raise ConfigError(f"the name of a setting is {name!r}", where="settings", accepted="a text")
        inner: Any = grouped(value) if isinstance(value, Mapping) else value
        for part in reversed(name.split(".")):
            inner = {part: inner}
        settings = merge(settings, inner)
    return settings


def parse_overrides(assignments: list[str], *, option: str = "--set") -> Settings:
    """Return ``["train.epochs=3", "seed=1"]`` as nested settings; the values are read as YAML.

    Raises:
        ConfigError: An item is not ``name=value``, is too long, or its value is not YAML.
    """
    settings: Settings = {}
    for assignment in assignments:
        key, equals, value = assignment.partition("=")
        if not equals or not key.strip():
            raise ConfigError(
                f"this is not a setting: {assignment!r}", where=option, accepted="name=value or group.name=value"
            )
        parts = key.strip().split(".")
        if len(value) > RECIPE_BYTES or len(parts) > MAX_DEPTH:
            what = f"{len(parts)} names and a value of {len(value)} characters"
            raise ConfigError(what, where=option, accepted=f"{MAX_DEPTH} names, {RECIPE_BYTES} characters")
        try:
            parsed: Any = parse_yaml(value)
        except YamlTextError as error:
            raise ConfigError(f"not a value: {value[:60]!r} ({error})", where=f"{option} {key[:60]}") from None
        for part in reversed(parts):
            parsed = {part: parsed}
        settings = merge(settings, parsed)
    return settings
