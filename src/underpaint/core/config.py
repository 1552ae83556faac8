"""Configuration: frozen pydantic models, YAML recipes, ``--set a.b=v`` overrides, unknown keys refused by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from underpaint.core.errors import ConfigError, nearest

Settings = dict[str, Any]


class Config(BaseModel):
    """Base of every configuration: inert, frozen, and strict about its keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @classmethod
    def parse(cls, settings: Settings, where: object = "configuration") -> Self:
        """Build from a dictionary; every problem becomes one line of a `ConfigError`."""
        try:
            return cls.model_validate(settings)
        except ValidationError as error:
            raise ConfigError(
                f"{error.error_count()} setting(s) not accepted", where=where, fix=_explain(cls, error)
            ) from None


def _explain(model: type[BaseModel], error: ValidationError) -> str:
    lines = []
    for problem in error.errors():
        path = [str(part) for part in problem["loc"]]
        line = f"{'.'.join(path)}: {problem['msg']}"
        if problem["type"] == "extra_forbidden":
            known = _fields(model, path[:-1])
            line = f"{'.'.join(path)}: no such setting; {nearest(path[-1], known) or 'known: ' + ', '.join(known)}"
        elif not isinstance(problem.get("input"), dict):
            line += f" (got {problem.get('input')!r})"
        lines.append(line)
    return "; ".join(lines)


def _fields(model: type[BaseModel], path: list[str]) -> list[str]:
    for part in path:
        field = model.model_fields.get(part)
        inner = field.annotation if field else None
        if not (isinstance(inner, type) and issubclass(inner, BaseModel)):
            return []
        model = inner
    return sorted(model.model_fields)


def load_yaml(path: Path) -> Settings:
    """Read a YAML recipe. Raises `ConfigError` when it is missing, not YAML or not a mapping."""
    try:
        loaded = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError("the recipe is missing", where=path) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"the recipe is not valid YAML: {error}", where=path) from None
    if loaded is None:
        return {}
    if not isinstance(loaded, dict):
        raise ConfigError("the recipe is not a mapping of settings", where=path, accepted="lines such as 'seed: 0'")
    return loaded


def merge(base: Settings, over: Settings) -> Settings:
    """``over`` laid on ``base``, mapping by mapping; neither argument is changed."""
    merged = dict(base)
    for key, value in over.items():
        below = merged.get(key)
        merged[key] = merge(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return merged


def parse_overrides(assignments: list[str], *, option: str = "--set") -> Settings:
    """``["train.epochs=3", "seed=1"]`` as nested settings; the values are read as YAML scalars."""
    settings: Settings = {}
    for assignment in assignments:
        key, equals, value = assignment.partition("=")
        if not equals or not key.strip():
            raise ConfigError(
                f"not an override: {assignment!r}", where=option, accepted="name=value or group.name=value"
            )
        try:
            parsed: Any = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise ConfigError(f"not a value: {value!r} ({error})", where=f"{option} {key}") from None
        for part in reversed(key.strip().split(".")):
            parsed = {part: parsed}
        settings = merge(settings, parsed)
    return settings
