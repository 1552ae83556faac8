"""All methods, by name. Adding one is a line here, a file beside this, a recipe, a docs page and a test."""

from __future__ import annotations

from underpaint.core.classes import ClassTable
from underpaint.core.config import Config, Settings
from underpaint.core.errors import ConfigError, nearest
from underpaint.methods.base import Method, Stage
from underpaint.methods.box_uncertainty.method import BoxUncertainty
from underpaint.methods.cam.method import Cam
from underpaint.methods.dense_crf.method import DenseCrfLoss
from underpaint.methods.gated_crf.method import GatedCrf
from underpaint.methods.local_global.method import LocalGlobal
from underpaint.methods.partial.method import Partial
from underpaint.methods.quick.method import Quick
from underpaint.methods.rrm.method import Rrm
from underpaint.methods.sc_cam.method import ScCam
from underpaint.methods.supervised.method import Supervised
from underpaint.records import Head

METHODS: dict[str, type[Method[Config]]] = {
    "supervised": Supervised,
    "partial": Partial,
    "quick": Quick,
    "dense-crf-loss": DenseCrfLoss,
    "gated-crf": GatedCrf,
    "local-global": LocalGlobal,
    "cam": Cam,
    "rrm": Rrm,
    "sc-cam": ScCam,
    "box-uncertainty": BoxUncertainty,
}


def method_class(name: str) -> type[Method[Config]]:
    """The method of a name; an unknown one is a `ConfigError` that names the nearest."""
    try:
        return METHODS[name]
    except KeyError:
        raise ConfigError(
            f"unknown method {name!r}",
            accepted=", ".join(METHODS),
            fix=nearest(name, METHODS) or "see `underpaint methods`",
        ) from None


def make_method(name: str, settings: Settings, classes: ClassTable) -> Method[Config]:
    """A method with its settings checked."""
    kind = method_class(name)
    return kind(kind.Settings.parse(settings, f"settings of method {name}"), classes)


def learner_of(method: Method[Config], stage: Stage) -> Method[Config]:
    """The method whose loss trains a stage."""
    return method if stage.method is None else make_method(stage.method, stage.settings, method.classes)


def heads_of(method: Method[Config], stage: Stage) -> frozenset[Head]:
    """The optional heads of the network in a stage."""
    return learner_of(method, stage).needs if stage.heads is None else frozenset(stage.heads)
