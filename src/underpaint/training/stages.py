"""A whole run: it trains the stages of a method, makes labels between them, and writes the final weights."""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from underpaint.core.atomic import remove_leftovers, within, write_atomic
from underpaint.core.config import Config, Settings
from underpaint.core.digest import fingerprint
from underpaint.core.errors import ConfigError, InterruptionError, LearningError, RunError
from underpaint.core.rng import derive
from underpaint.data.hinted import HintedImages
from underpaint.data.pseudo import PseudoLabels
from underpaint.data.sampling import marked
from underpaint.datasets.folder import DataFolder
from underpaint.datasets.sizes import median_side, some_sizes
from underpaint.features.bank import FeatureBank, paired
from underpaint.features.store import usual_store
from underpaint.hints.types import Hints
from underpaint.methods.base import Method
from underpaint.methods.registry import heads_of, learner_of, make_method
from underpaint.methods.stage import LabelMaker, OtherMethod, Stage
from underpaint.models.config import ModelConfig
from underpaint.models.network import Network, begins_linear
from underpaint.models.tensors import load_into, read_tensors
from underpaint.records import Head
from underpaint.training.artifacts import artifact_path, is_whole, make_artifact
from underpaint.training.checkpoint import Tensors, tensor_bytes
from underpaint.training.config import RunConfig
from underpaint.training.cost import Cost
from underpaint.training.fitting import fit_decoder, fit_tag_head
from underpaint.training.inputs import Inputs
from underpaint.training.loop import Loop, make_fabric
from underpaint.training.ranks import Ranks
from underpaint.training.reporter import Reporter
from underpaint.training.run_folder import EventLog, RunFolder, Unlogged
from underpaint.training.stage_inference import StageInference

WEIGHTS = "weights.safetensors"
TAG_WEIGHTS = "tags.safetensors"
"""The last network with a tag head, from which `predict --cam` draws response maps."""


LINEAR_RATE = 0.3
"""Factor on the learning rate of a network that starts from a fitted linear model: larger steps first undo it."""


@dataclass
class StagedRun:
    """Trains the stages of a method in order, and continues where an earlier session stopped.

    The results of a stage (its weights, and the labels made from them) are artifacts named by everything that they
    depend on. A stage whose artifact the store already contains, from this run or another, is not trained again.

    Args:
        run: The run folder.
        config: The settings of the run.
        method: The method that the settings name.
        data: The data set.
        hints: Hints of the training images, by name.
        reporter: Is told about progress.
        store: Folder of artifacts that several runs share; None for a folder within the run folder.
        ranks: The processes that train together; None for this one alone. All of them call `train`; the leader alone
            reads and writes the run folder and the store, except that all read finished artifacts.
    """

    run: RunFolder
    config: RunConfig
    method: Method[Config]
    data: DataFolder
    hints: Mapping[str, Hints]
    reporter: Reporter
    store: Path | None = None
    ranks: Ranks | None = None

    def train(self) -> None:
        """Train the stages that are not trained yet, and write the final weights.

        Raises:
            UnderpaintError: As in `Loop.run` and `fit_decoder`, and for artifacts or weights that cannot be used.
            InterruptionError: Ctrl-C was pressed, also while a model is fitted or labels are made.
        """
        try:
            self._train()
        except KeyboardInterrupt:  # the loop answers signals itself; here no step was interrupted
            raise InterruptionError(
                "interrupted between two trainings",
                fix="give the same command again to continue from here; `train` needs --resume for it",
                number=signal.SIGINT,
            ) from None

    def _train(self) -> None:
        self.store = self._all_ranks.on_leader("beginning the run", self._prepare)
        method = self.method
        weights: Path | None = None
        before: Stage | None = None
        pseudo: PseudoLabels | None = None
        for number, stage in enumerate(method.stages()):
            if before is not None and weights is not None:
                maker = stage.labels
                pseudo = None if maker is None else self._labels(method, stage, maker, before, weights, pseudo)
            linear = self._linear_start(method, stage, before, weights, pseudo)
            weights = self._stage(method, stage, number, weights, linear, pseudo)
            if Head.TAGS in heads_of(method, stage):
                self._keep(weights, TAG_WEIGHTS)
            before = stage
        if weights is None:
            raise RunError(f"method {method.name} has no stages")
        self._keep(weights, WEIGHTS)

    @cached_property
    def _inputs(self) -> Inputs:
        return Inputs(self.config, self.data, self.hints)

    @cached_property
    def _all_ranks(self) -> Ranks:
        return self.ranks or Ranks(make_fabric(self.config.train))

    def _prepare(self) -> Path:
        """The folder of artifacts, in a run folder without the remains of sessions that were killed."""
        for folder in (self.run.root, *self.run.root.glob("**/")):
            remove_leftovers(folder)
        store = within(self.run.root, "artifacts") if self.store is None else self.store
        store.mkdir(parents=True, exist_ok=True)
        return store

    def _keep(self, weights: Path, name: str) -> None:
        root = self.run.root
        self._all_ranks.on_leader(f"writing {name}", lambda: write_atomic(root / name, weights.read_bytes(), root=root))

    def _images(self, pseudo: PseudoLabels | None, stage: Stage) -> HintedImages:
        config = self.config
        seed = derive(config.seed, "views") % 2**32
        return HintedImages(
            self.data,
            self._used(stage),
            config.views,
            seed=seed,
            pseudo=pseudo,
            rule=config.images.rule,
            working=config.data.working,
        )

    def _used(self, stage: Stage) -> Mapping[str, Hints]:
        """The hints of the images that a stage can learn from, or all hints if there are no such images."""
        if stage.images == "all":
            return self.hints
        return {name: hint for name, hint in self.hints.items() if marked(hint)} or self.hints

    def _model(self, method: Method[Config], stage: Stage) -> ModelConfig:
        """The settings of the network of a stage: those of the run, or of the other method that trains the stage."""
        other = stage.learner
        usual = self._model_for(other) if isinstance(other, OtherMethod) else self.config.model
        return stage.network.model(usual)

    def _model_for(self, other: OtherMethod) -> ModelConfig:
        method = make_method(other.name, other.settings, self.data.classes)
        return method.network(self.config.model, self._side)

    @cached_property
    def _side(self) -> float:
        """Median longest side of the images in pixels."""
        return median_side(some_sizes(self.data, self.hints))

    def _bank(self) -> FeatureBank:
        """The features on which the method quick would be fitted in this run."""
        return FeatureBank.frozen(self._model_for(OtherMethod("quick", {})), usual_store())

    def _network(self, method: Method[Config], stage: Stage, *, linear: bool, pretrained: bool) -> Network:
        return Network(
            self._model(method, stage),
            len(self.data.classes),
            needs=heads_of(method, stage),
            subclasses=stage.network.subclasses,
            decodes=stage.network.decodes,
            frozen=stage.network.frozen,
            linear=linear,
            pretrained=pretrained,
            field=self.config.views.field,
        )

    def _stage(
        self,
        method: Method[Config],
        stage: Stage,
        number: int,
        before: Path | None,
        linear: Path | None,
        pseudo: PseudoLabels | None,
    ) -> Path:
        assert self.store is not None
        store, name, ranks = self.store, f"trained-{stage.name}", self._all_ranks
        learner = learner_of(method, stage)
        model = self._model(method, stage)
        used = self._used(stage).values()
        inputs = ranks.on_leader(
            "naming a stage",
            lambda: self._inputs.of_stage(learner, stage, model, used, before=before, linear=linear, pseudo=pseudo),
        )
        target = artifact_path(store, name, inputs)
        if ranks.on_leader("looking for a stage", lambda: is_whole(target)):
            self.reporter.note(f"stage {stage.name} is already trained: {target}")
            return target / WEIGHTS

        if stage.network.fitted:  # by the leader: a linear problem, which takes seconds
            return ranks.on_leader(
                "fitting a stage",
                lambda: self._write(name, inputs, lambda: self._fitted(method, stage, before, pseudo)),
            )
        images = self._images(pseudo, stage)
        network = self._beginning(method, stage, before, linear)
        if network.linear is not None:
            images.scenes = self._scenes(images)
        trained = self._trained(network, stage, number, images, fingerprint(inputs))
        return ranks.on_leader("writing a stage", lambda: self._write(name, inputs, lambda: trained))

    def _write(self, name: str, inputs: Settings, make: Callable[[], Tensors]) -> Path:
        """Make the weights of a stage, unless the store holds them, as an artifact; the path of their file."""
        assert self.store is not None
        folder = make_artifact(
            self.store, name, inputs, lambda folder: write_atomic(folder / WEIGHTS, tensor_bytes(make()))
        )
        return folder / WEIGHTS

    @cached_property
    def _marked(self) -> bool:
        """Whether an image has more than tags."""
        return any(map(marked, self.hints.values()))

    def _starts_linear(self, method: Method[Config], stage: Stage) -> bool:
        """Whether settings and hints want the network of a stage, which learns the classes, to start so."""
        config, network = self.config.model, stage.network
        new = network.decodes and not network.fitted and network.start == "fresh"
        wanted = config.linear_start and config.weights != "none" and config.architecture != "linear"
        classes = Head.EMBEDDING not in heads_of(method, stage)
        return new and wanted and classes and (self._marked or stage.labels is not None)

    def _linear_start(
        self,
        method: Method[Config],
        stage: Stage,
        before: Stage | None,
        weights: Path | None,
        pseudo: PseudoLabels | None,
    ) -> Path | None:
        """The weights of the linear model from which the network of a stage starts, fitted here if they do not exist.

        It is fitted on all marks. If the hints are only tags, it is that of the stage before, or else it is fitted on
        the labels that the stage learns from. None if the network starts without one: because of the settings, for a
        stage without a new decoder of the classes, without marks and labels, and if these or the encoder allow no fit.
        """
        if not self._starts_linear(method, stage):
            return None
        if not self._marked and before is not None and before.network.fitted and before.network.decodes:
            return weights
        labels = None if self._marked else pseudo
        return self._all_ranks.on_leader("fitting a linear model", lambda: self._fitted_linear(labels))

    def _fitted_linear(self, pseudo: PseudoLabels | None) -> Path | None:
        """As `_linear_start`, on the leader: a fit that fails there must not end the other ranks."""
        assert self.store is not None
        quick = make_method("quick", {}, self.data.classes)
        stage = quick.stages()[0]
        name = f"trained-{stage.name}"
        used = self._used(stage).values()
        inputs = self._inputs.of_stage(quick, stage, self._model(quick, stage), used, pseudo=pseudo)
        try:
            return self._write(name, inputs, lambda: self._fitted(quick, stage, None, pseudo))
        except (ConfigError, LearningError) as error:
            self.reporter.note(f"the training starts without a linear model: {error.brief}")
            return None

    def _scenes(self, images: HintedImages) -> dict[str, npt.NDArray[np.float32]]:
        """The means of the pre-trained encoder's deepest features over each image, which a crop does not show."""
        bank = FeatureBank.frozen(self.config.model, usual_store())
        with closing(paired(bank, ((image.rgb, image.name) for image in images.training_images()))) as every:
            return {name: features.whole for name, features in every}

    def _trained(self, network: Network, stage: Stage, number: int, images: HintedImages, inputs: str) -> Tensors:
        loop = self._loop(network, stage, number, images, inputs)
        events, cost = self._events(stage, loop.first), Cost()
        try:
            trained = loop.run(events)
            events.write("trained", loop.steps, **cost.figures(), steps=loop.steps - loop.first)
        finally:
            events.close()
        return trained

    def _beginning(
        self, method: Method[Config], stage: Stage, before: Path | None, linear: Path | None = None
    ) -> Network:
        """The network of a stage with its initial weights."""
        torch.manual_seed(derive(self.config.seed, "weights", stage.name) % 2**63)
        weights = read_tensors(before) if before is not None and stage.network.start == "previous" else {}
        network = self._network(method, stage, linear=linear is not None or begins_linear(weights), pretrained=True)
        if weights and before is not None:
            load_into(network, weights, before)
        if linear is not None and network.linear is not None:
            own = {name: value for name, value in read_tensors(linear).items() if name.startswith("head.")}
            network.linear.load_state_dict(own)
        return network

    def _loop(self, network: Network, stage: Stage, number: int, images: HintedImages, inputs: str) -> Loop:
        config = self.config
        rate = stage.schedule.rate * (1.0 if network.linear is None else LINEAR_RATE)
        return Loop(
            network,
            learner_of(self.method, stage),
            images,
            config.train.model_copy(update={"lr": config.train.lr * rate}),
            stage=stage.name,
            inputs=inputs,
            steps=config.train.steps(len(self.hints), stage.schedule.epochs),
            seed=derive(config.seed, "stage", stage.name) % 2**63,
            folder=within(self.run.root, f"stages/{number}-{stage.name}/checkpoints").parent,
            reporter=self.reporter,
            sampling=config.sampling,
            ranks=self._all_ranks,
        )

    def step_seconds(self) -> float:
        """Seconds of an optimiser step of the first stage that takes steps, measured here and now; nothing is kept.

        A stage that learns from the labels of an earlier one is timed without them: network and crops are the same.

        Raises:
            ConfigError: No stage takes steps.
            RunError: The loading processes ended.
        """
        for number, stage in enumerate(self.method.stages()):
            if not stage.network.fitted:
                network = self._network(
                    self.method, stage, linear=self._starts_linear(self.method, stage), pretrained=False
                )
                return self._loop(network, stage, number, self._images(None, stage), "timing").step_seconds()
        raise ConfigError(
            f"method {self.method.name!r} takes no optimiser steps, so that no number of passes is chosen",
            fix="leave the minutes out",
        )

    def _fitted(
        self, method: Method[Config], stage: Stage, before: Path | None, pseudo: PseudoLabels | None
    ) -> Tensors:
        """The weights after `Learner.fit` has fitted the linear decoder or the tag head, without gradient steps."""
        images = self._images(pseudo, stage)
        network = self._beginning(method, stage, before)
        events, cost = self._events(stage, 0), Cost()
        fit = fit_decoder if stage.network.decodes else fit_tag_head
        fit(network, learner_of(method, stage), stage, images, seed=self.config.seed, reporter=self.reporter)
        events.write("trained", 0, **cost.figures(), steps=0)
        events.close()
        return network.state_dict()

    def _events(self, stage: Stage, first: int) -> EventLog:
        if not self._all_ranks.is_leader:
            return Unlogged()
        return EventLog(self.run.root / "events.jsonl", stage.name, first)

    def _labels(
        self,
        method: Method[Config],
        stage: Stage,
        maker: LabelMaker[Config],
        before: Stage,
        weights: Path,
        earlier: PseudoLabels | None,
    ) -> PseudoLabels:
        assert self.store is not None
        store, images, ranks = self.store, self._images(None, stage), self._all_ranks
        model = self._model(method, before)
        given = ranks.on_leader("naming predictions", lambda: self._inputs.of_predictions(weights, model, images.names))
        inputs = ranks.on_leader("naming labels", lambda: self._inputs.of_labels(maker, given, earlier))
        target = artifact_path(store, f"labels-{stage.name}", inputs)
        if ranks.on_leader("looking for labels", lambda: is_whole(target)):
            return PseudoLabels(target, self.data.classes)
        tensors = read_tensors(weights)
        network = self._network(method, before, linear=begins_linear(tensors), pretrained=False)
        load_into(network, tensors, weights)
        network.to(ranks.fabric.device)

        def inference(folder: Path) -> StageInference:
            return StageInference(
                network.eval(),
                images,
                folder,
                store=store,
                given=given,
                bank=self._bank,
                earlier=None if earlier is None else earlier.root,
                autocast=ranks.fabric.autocast,
                reporter=self.reporter,
                ranks=ranks,
            )

        def make(folder: Path) -> None:
            self.reporter.note(f"making the labels that stage {stage.name} learns from, for {len(images)} images")
            infer, cost = inference(folder), Cost()
            maker.make(infer)
            infer.close()
            if (unseen := infer.unseen()) is not None:
                self.reporter.note(unseen)
            events = self._events(stage, 0)
            events.write("labels", 0, **cost.figures(), images=len(images))
            events.close()

        if not ranks.is_leader:
            inference(target).follow()
        ranks.on_leader("writing labels", lambda: make_artifact(store, f"labels-{stage.name}", inputs, make))
        return PseudoLabels(target, self.data.classes)
