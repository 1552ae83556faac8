"""All methods by name: those of this package, and those that other packages register.

A method is imported when it is first used. `about_methods` describes the methods of this package without torch.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import inspect
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from underpaint.core.classes import ClassTable
from underpaint.core.config import Config, Settings
from underpaint.core.errors import ConfigError, nearest
from underpaint.methods.about import NAME, About

if TYPE_CHECKING:
    from underpaint.methods.base import Method
    from underpaint.methods.stage import Learner, Stage
    from underpaint.records import Head

OURS: Mapping[str, str] = {
    "supervised": "underpaint.methods.supervised.method:Supervised",
    "partial": "underpaint.methods.partial.method:Partial",
    "quick": "underpaint.methods.quick.method:Quick",
    "dense-crf-loss": "underpaint.methods.dense_crf.method:DenseCrfLoss",
    "gated-crf": "underpaint.methods.gated_crf.method:GatedCrf",
    "local-global": "underpaint.methods.local_global.method:LocalGlobal",
    "cam": "underpaint.methods.cam.method:Cam",
    "rrm": "underpaint.methods.rrm.method:Rrm",
    "sc-cam": "underpaint.methods.sc_cam.method:ScCam",
    "box-uncertainty": "underpaint.methods.box_uncertainty.method:BoxUncertainty",
}
"""The class of each method of this package. The package that contains its module defines ``ABOUT``."""

GROUP = "underpaint.methods"
"""Group of the entry points with which other packages register methods: ``name = "module:Class"``."""

PACKAGE = "underpaint"

CLASS_ATTRIBUTES = ("name", "summary", "accepts", "reference", "Settings")
"""Attributes that the class of a method must define; see `Method`."""


@dataclass(frozen=True)
class Entry:
    """The place of the class of a method.

    Args:
        name: Name in the registry.
        target: ``module:Class``.
        package: Name of the package that contains it.
    """

    name: str
    target: str
    package: str

    def about(self) -> About:
        """The description of the method. For a method of another package it raises the errors of `load`."""
        if self.package == PACKAGE:
            about: About = importlib.import_module(self.target.rpartition(".")[0]).ABOUT
            return about
        kind = self.load()
        return About(kind.name, kind.summary, kind.accepts, kind.reference)

    def load(self) -> type[Method[Config]]:
        """The class. Raises `ConfigError` if it cannot be imported or is not a method with this name."""
        module, _, name = self.target.partition(":")
        try:
            found: Any = importlib.import_module(module)
            for part in name.split("."):
                found = getattr(found, part)
        except Exception as error:  # the code of another package may raise anything
            raise ConfigError(
                f"the method {self.name!r} of the package {self.package} cannot be loaded: "
                f"{type(error).__name__}: {error}",
                where=self.target,
                fix=f"repair the package {self.package}, or uninstall it",
            ) from error
        kind = checked_class(found)
        if kind.name != self.name:
            raise ConfigError(
                f"the package {self.package} registers the method {kind.name!r} under the name {self.name!r}",
                where=self.target,
                fix=f"give the entry point of the group {GROUP} the name {kind.name!r}",
            )
        return kind


@cache
def entries() -> Mapping[str, tuple[Entry, ...]]:
    """All entries by name, those of this package first. A name with several entries is a conflict."""
    found = [Entry(name, target, PACKAGE) for name, target in OURS.items()]
    for point in sorted(importlib.metadata.entry_points(group=GROUP), key=lambda point: (point.name, point.value)):
        found.append(Entry(point.name, point.value, point.dist.name if point.dist is not None else "of unknown name"))
    return {entry.name: tuple(each for each in found if each.name == entry.name) for entry in found}


def method_class(name: str) -> type[Method[Config]]:
    """Return the class of a method.

    Raises:
        ConfigError: The name is unknown (the message suggests the nearest one), several packages use it, or the method
            cannot be loaded.
    """
    return _entry(name).load()


def require_known(name: str) -> None:
    """Raise `ConfigError` if no method or several methods have this name. No method is imported."""
    _entry(name)


def _entry(name: str) -> Entry:
    known = entries()
    if name not in known:
        fix = nearest(name, known) or "see `underpaint methods`"
        raise ConfigError(f"unknown method {name!r}", accepted=", ".join(known), fix=fix)
    if len(known[name]) > 1:
        places = ", ".join(f"{entry.package} ({entry.target})" for entry in known[name])
        fix = "uninstall all of these packages but one, or give one of the methods another name"
        raise ConfigError(f"{len(known[name])} methods have the name {name!r}", where=places, fix=fix)
    return known[name][0]


def about_method(name: str) -> About:
    """Return the description of a method. It raises the errors of `method_class`."""
    return _entry(name).about()


def about_methods() -> tuple[tuple[About, ...], tuple[str, ...]]:
    """Return the descriptions of all methods, and a message for each method that cannot be loaded.

    Only methods of other packages are imported.
    """
    abouts, problems = [], []
    for name in entries():
        try:
            abouts.append(about_method(name))
        except ConfigError as error:
            problems.append(str(error))
    return tuple(abouts), tuple(problems)


def checked_class(kind: object) -> type[Method[Config]]:
    """Return the class if it is a complete method and has no name of this package; otherwise raise `ConfigError`."""
    from underpaint.methods.base import Method  # imports torch

    if not (isinstance(kind, type) and issubclass(kind, Method)):
        raise ConfigError(f"{kind!r} is not a method", accepted="a class derived from underpaint.Method")
    where = f"{kind.__module__}:{kind.__qualname__}"
    missing = [name for name in CLASS_ATTRIBUTES if not hasattr(kind, name)]
    if missing or inspect.isabstract(kind):
        lacks = ", ".join([*missing, *sorted(kind.__abstractmethods__)])
        raise ConfigError(f"the method lacks {lacks}", where=where, fix="see docs/contract.md")
    if not re.fullmatch(NAME, kind.name):
        raise ConfigError(f"the name {kind.name!r} of a method", where=where, accepted="small letters, digits and '-'")
    if kind.name in OURS and not kind.__module__.startswith(f"{PACKAGE}."):
        raise ConfigError(
            f"the name {kind.name!r} is that of a method of {PACKAGE} ({OURS[kind.name]})",
            where=where,
            fix="give the method another name",
        )
    return kind


def make_method(name: str, settings: Settings, classes: ClassTable) -> Method[Config]:
    """Make a method with checked settings. It raises the errors of `method_class` and of wrong settings."""
    return with_settings(method_class(name), settings, classes)


def with_settings(kind: type[Method[Config]], settings: Settings, classes: ClassTable) -> Method[Config]:
    """Make a method of a class with checked settings. It raises `ConfigError` if a setting is wrong."""
    return kind(kind.Settings.parse(settings, f"settings of method {kind.name}"), classes)


def learner_of(method: Method[Config], stage: Stage) -> Learner[Config]:
    """Return the loss that trains a stage."""
    from underpaint.methods.stage import OtherMethod  # imports torch

    if isinstance(stage.learner, OtherMethod):
        return make_method(stage.learner.name, stage.learner.settings, method.classes)
    return method if stage.learner is None else stage.learner


def heads_of(method: Method[Config], stage: Stage) -> frozenset[Head]:
    """Return the heads of the network in a stage, apart from the logits."""
    heads = stage.network.heads
    return learner_of(method, stage).needs if heads is None else frozenset(heads)


def methods_for(kinds: Iterable[str]) -> list[str]:
    """Return the names of the methods that learn from all these kinds of hints."""
    wanted = set(kinds)
    return [about.name for about in about_methods()[0] if wanted <= about.accepts]
