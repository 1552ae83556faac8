"""Plans a training before it starts, and trains according to the plan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from underpaint.annotations.jsonl import hint_record
from underpaint.core.classes import ClassTable
from underpaint.core.config import Config, Settings, merge
from underpaint.core.digest import code_digest, files_digest, fingerprint
from underpaint.core.errors import ConfigError, DataError, listing
from underpaint.core.paths import AnyPath, as_path
from underpaint.datasets.folder import DataFolder
from underpaint.datasets.sizes import crop_side, median_side, some_sizes
from underpaint.doctor.estimate import Estimate, usable_cores
from underpaint.hints.types import Hints, Kind
from underpaint.imagefiles.decode import MAX_PIXELS
from underpaint.imagefiles.masks import labels_digest
from underpaint.imagefiles.survey import survey
from underpaint.methods.base import Method
from underpaint.methods.registry import checked_class, heads_of, learner_of, method_class, methods_for, with_settings
from underpaint.models.network import Network
from underpaint.models.weights import BUNDLED
from underpaint.predict.large import is_large
from underpaint.training.artifacts import TRAINING_CODE
from underpaint.training.code import source_digest
from underpaint.training.config import ImagesConfig, MethodConfig, RunConfig
from underpaint.training.reporter import Reporter, Silent
from underpaint.workflows.choice import Choice, choose, counted, main_kinds, shared_settings
from underpaint.workflows.expected import all_steps, expected_of
from underpaint.workflows.preflight import preflight
from underpaint.workflows.run import Run
from underpaint.workflows.training import Training
from underpaint.workflows.training_data import TrainingData

LEAST_SEEN = 128
"""A side of a crop in pixels of the network below which it sees too little of an image at once."""

AnyMethod = str | type[Method[Config]] | Method[Config]
"""The name of a method (or ``auto``), the class of a method, or a method with its settings."""


@dataclass(frozen=True)
class Plan:
    """The plan of a training.

    Args:
        data: The data set.
        hints: Hints by image name.
        config: All settings.
        method: The method with its settings.
        kinds: Number of images with each kind of hint.
        steps: Number of optimiser steps of all stages.
        stages: Names of the stages, with the methods that train them.
        choice: The name of the method and the reason for the choice.
        expected: Expected minutes and memory.
        timed: Explains how the number of passes follows from the given minutes; empty if no minutes are given.
        warning: A problem that makes the result useless, with possible fixes; empty if there is none.
        notes: Remarks for the user before the training starts.
        source: Record of data and hints for the run folder.
    """

    data: DataFolder
    hints: Mapping[str, Hints]
    config: RunConfig
    method: Method[Config]
    kinds: Mapping[Kind, int]
    steps: int
    stages: tuple[str, ...]
    choice: Choice
    expected: Estimate
    warning: str
    notes: tuple[str, ...]
    source: Settings
    timed: str = ""

    def words(self) -> list[str]:
        """Lines of text for the user: the plan, the reasons, and the expected time and memory."""
        expected, choice = self.expected, self.choice
        return [
            f"method {choice.method}: {choice.why}",
            *counted(main_kinds(self.hints.values()), choice),
            f"{len(self.hints)} images, {self.steps} steps in {len(self.stages)} stage(s): {', '.join(self.stages)}",
            *self._small_set(),
            *([self.timed] if self.timed else []),
            f"about {expected.minutes:g} minute(s) on {expected.cores} core(s)"
            + ("" if self.timed else " without a GPU, within a factor of two,")
            + f" and {expected.megabytes} MB of memory",
        ]

    def train(
        self, out: AnyPath, *, resume: bool = False, store: AnyPath | None = None, reporter: Reporter | None = None
    ) -> Run:
        """Train the network according to this plan, and write it into the run folder ``out``.

        Args:
            out: New run folder or, with ``resume``, the folder of an interrupted run with the same plan. A run that was
                killed before its settings were written starts again.
            resume: Continue an interrupted run. On a CPU its weights have the same bits as those of an uninterrupted
                run. Settings that do not affect the weights may differ (`FREE`). Missing pictures are drawn.
            store: Folder for artifacts that several runs share: a stage that one run has trained is not trained again.
                None means a folder inside the run folder.
            reporter: Is told about progress.

        Raises:
            UnderpaintError: There is nothing to resume, settings differ, another process trains in the folder, the
                machine has fewer devices than the settings ask for, or the training fails.
        """
        folder, artifacts = as_path(out, "out"), None if store is None else as_path(store, "store")
        return Training(self, folder, resume, artifacts).run(reporter or Silent())

    def _small_set(self) -> list[str]:
        """A remark if the data set is so small that ``train.least_steps`` decides the number of steps."""
        train, images = self.config.train, len(self.hints)
        passes = train.model_copy(update={"least_steps": 0}).steps(images, 1)
        if passes >= train.least_steps:
            return []
        return [
            f"small data set: {train.epochs:g} passes are only {passes} steps per stage; {train.least_steps} are used "
            "(train.least_steps)"
        ]


def plan_training(
    learnt: TrainingData,
    settings: Settings,
    method: AnyMethod = "auto",
    *,
    where: object = "settings",
    recorded: bool = True,
) -> Plan:
    """Choose the method, and resolve and check all settings, without training.

    Args:
        learnt: Data set and hints.
        settings: Settings of the YAML files and of the call.
        method: As in `underpaint.plan`.
        where: Origin of the settings, for messages.
        recorded: Whether `Plan.source` is filled; this reads all image files.

    Raises:
        UnderpaintError: The same as in `underpaint.plan`.
    """
    data, hints, classes = learnt.data, learnt.hints, learnt.data.classes
    checked = preflight(hints, classes)
    choice = _choice(method, settings, main_kinds(hints.values()), background=classes.background is not None)
    given = _shared(method, choice.method, main_kinds(hints.values())) | choice.settings
    settings = merge({"method": {"settings": given}}, merge(settings, {"method": {"name": choice.method}}))
    config = RunConfig.parse(settings, where)
    trained = _made(method, config.method, classes)
    kinds = _count(hints)
    _check_kinds(trained, kinds)
    _check_sizes(trained, data, hints)
    images, seen = _seen(data, hints, config.images)
    stages, sizes = trained.stages(), some_sizes(data, hints)
    model = trained.network(config.model, median_side(sizes))
    settled = {
        "method": MethodConfig(name=trained.name, settings=trained.config.model_dump(mode="json")),
        "images": images,
        "model": model.model_copy(update={"bands": images.rule.count}),
        "views": config.views.sized(model.factor),
    }
    config = config.model_copy(update=settled)
    steps = all_steps(stages, config.train, len(hints))
    return Plan(
        data=data,
        hints=hints,
        config=config,
        method=trained,
        kinds=kinds,
        steps=steps,
        stages=tuple(f"{stage.name} ({learner_of(trained, stage).name})" for stage in stages),
        choice=choice,
        expected=expected_of(stages, sizes, config, len(hints)),
        warning=checked.warning,
        notes=(
            *learnt.remarks,
            *seen,
            *_left_out(len(hints), len(data.split(learnt.split))),
            *checked.notes,
            *_many_workers(config.train.workers * config.train.devices, usable_cores()),
            *(_small_crops(config.views.shape, config.model.factor) if steps else ()),
        ),
        source=_source(learnt, kinds, trained) if recorded else {},
    )


def check_network(planned: Plan) -> None:
    """Build the network of the first stage, so that errors are reported before a folder is made.

    The networks of later stages with another decoder are built too, without weights. Weights from timm's hub are only
    downloaded by the training.

    Raises:
        ConfigError: The same as in `Network`.
    """
    model, classes = planned.config.model, len(planned.data.classes)
    first, *others = planned.method.stages()
    Network(
        model,
        classes,
        needs=heads_of(planned.method, first),
        decodes=first.network.decodes,
        pretrained=model.weights != "auto" or model.encoder in BUNDLED,
    )
    for other in (stage.network.model(model) for stage in others):
        if other != model:
            Network(other, classes, pretrained=False)


def _source(learnt: TrainingData, kinds: Mapping[Kind, int], method: Method[Config]) -> Settings:
    """The record of data and hints for the run folder."""
    hints = learnt.hints
    return {
        "data": str(learnt.path),
        "split": learnt.split,
        "images": len(hints),
        "names": fingerprint(sorted(hints)),
        "hints": [str(path) for path in learnt.sources] or "masks of the data set",
        **_digests(learnt.data, hints, method),
        "kinds": {kind.value: count for kind, count in kinds.items()},
    }


def _digests(data: DataFolder, hints: Mapping[str, Hints], method: Method[Config]) -> Settings:
    """Digests of the inputs of the training: hints, content of label images, image files, classes and code.

    Comparisons require the same code for all their runs. A single run may be resumed with newer code.
    """
    said = [hints[name] for name in sorted(hints)]
    pictures = [label for hint in said if (label := data.labels(hint)) is not None]
    own = source_digest(type(method))
    content = [labels_digest(pictures, data.classes)] if pictures else []
    return {
        "content": fingerprint([hint_record(hint) for hint in said], *content),
        "photographs": files_digest(data.images[hint.image] for hint in said if hint.image in data.images),
        "classes": fingerprint(data.classes.names, data.classes.background),
        "code": code_digest(*TRAINING_CODE) if own is None else fingerprint(code_digest(*TRAINING_CODE), own),
    }


def _count(hints: Mapping[str, Hints]) -> dict[Kind, int]:
    every = [kind for hint in hints.values() for kind in hint.kinds()]
    return {kind: every.count(kind) for kind in Kind if kind in every}


def _choice(asked: AnyMethod, settings: Settings, kinds: Mapping[Kind, int], *, background: bool) -> Choice:
    """The name of the method and the reason for the choice."""
    stated = settings.get("method")
    named = stated.get("name") if isinstance(stated, dict) else None
    if asked == "auto":
        return (
            choose(kinds, background=background)
            if named is None
            else Choice(str(named), "it is stated in the settings")
        )
    name = asked if isinstance(asked, str) else checked_class(asked if isinstance(asked, type) else type(asked)).name
    if named is not None and named != name:
        raise ConfigError(f"the method is {name}, but the settings state {named!r}", fix="remove one of them")
    return Choice(name, "it was requested")


def _shared(asked: AnyMethod, name: str, kinds: Mapping[Kind, int]) -> Settings:
    """The settings for mixtures that the method has; empty if the method was given with its settings."""
    if isinstance(asked, Method):
        return {}
    known = (method_class(name) if isinstance(asked, str) else checked_class(asked)).Settings.model_fields
    return {name: value for name, value in shared_settings(kinds).items() if name in known}


def _made(asked: AnyMethod, config: MethodConfig, classes: ClassTable) -> Method[Config]:
    """Make the method, once for the whole training."""
    if not isinstance(asked, Method):
        kind = method_class(config.name) if isinstance(asked, str) else asked
        return with_settings(kind, config.settings, classes)
    if config.settings:
        fix = "give the settings to the method object, or give the class of the method instead"
        raise ConfigError(
            f"method.settings cannot be combined with a method object: {', '.join(config.settings)}", fix=fix
        )
    if (asked.classes.names, asked.classes.background) != (classes.names, classes.background):
        raise ConfigError(
            f"the method was made for the classes {', '.join(asked.classes.names)}",
            accepted=f"those of the data set: {', '.join(classes.names)}",
            fix="make it with open_dataset(data).classes, or give its class",
        )
    return asked


def _seen(data: DataFolder, hints: Mapping[str, Hints], asked: ImagesConfig) -> tuple[ImagesConfig, list[str]]:
    """The bands by name, the windows in numbers, and remarks for the user.

    Raises:
        ConfigError: An image does not have a chosen band, or as `survey`.
    """
    found = {name: data.images[name] for name in sorted(hints) if name in data.images}
    seen = survey(found, bands=asked.bands, window=asked.window)
    if seen.lacking:
        held = sorted({", ".join(bands) for bands in seen.lacking.values()})
        raise ConfigError(
            f"{len(seen.lacking)} of {len(found)} images do not have all the bands {', '.join(asked.bands)}: "
            f"{listing(seen.lacking)}",
            where="images.bands",
            accepted=f"bands that all images have; these have {listing(held)}",
            fix="choose other bands, or leave out images.bands for pictures in colours",
        )
    window = asked.window if seen.rule.windows is None else seen.rule.windows
    single = isinstance(window, tuple) and len(window) == 1
    settled = {"bands": seen.rule.bands or asked.bands, "window": window[0] if single else window}
    return asked.model_copy(update=settled), seen.notes()


def _check_kinds(method: Method[Config], kinds: Mapping[Kind, int]) -> None:
    accepted = method.accepts
    refused = [kind for kind in kinds if kind not in accepted and kind != Kind.TAG]
    if refused:
        raise ConfigError(
            f"method {method.name!r} does not learn from {', '.join(refused)}",
            accepted=", ".join(sorted(accepted)),
            fix=f"choose one of: {', '.join(methods_for(refused))}",
        )
    if not accepted & set(kinds):
        needed = " or ".join(sorted(accepted))
        raise ConfigError(f"method {method.name!r} needs {needed}; the hints are {', '.join(kinds)}")


def _check_sizes(method: Method[Config], data: DataFolder, hints: Mapping[str, Hints]) -> None:
    """Refuse very large images, which are only read in regions, if a stage needs whole images."""
    if not any(stage.network.fitted or stage.labels is not None for stage in method.stages()):
        return
    large = [name for name in sorted(hints) if name in data.images and is_large(data.images[name])]
    if large:
        raise DataError(
            f"{len(large)} image(s) have more than {MAX_PIXELS:,} pixels, and {method.name} needs whole images: "
            f"{listing(large)}",
            where=data.root,
            accepted="methods that only need crops: partial, gated-crf, dense-crf-loss, box-uncertainty",
            fix="choose one of these (--method gated-crf), or cut the images into tiles",
        )


def _many_workers(workers: int, cores: int) -> list[str]:
    """A remark if there are more loading processes than cores, because they slow each other down."""
    if workers <= cores:
        return []
    return [f"{workers} loading processes share {cores} core(s), which may be slow: lower train.workers"]


def _small_crops(crop: tuple[int, int], scale: float) -> list[str]:
    """A remark if the network sees little of an image at once, because crops are cut before images are made smaller."""
    height, width = (round(side * scale) for side in crop)
    if scale >= 1 or min(height, width) >= LEAST_SEEN:
        return []
    better = crop_side(scale)
    return [
        f"the network sees crops of {width} x {height} pixels, because views.crop counts pixels before model.scale "
        f"({scale:g}) makes the image smaller: set views.crop=[{better},{better}]"
    ]


def _left_out(hinted: int, images: int) -> list[str]:
    left = images - hinted
    return [f"{left} of {images} images of the split have no hint and are left out"] if left else []
