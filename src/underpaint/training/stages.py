"""A whole run: the stages of a method, what is made between them, and what is left at the end."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from safetensors.torch import load_file

from underpaint.core.config import Config
from underpaint.core.errors import RunError
from underpaint.core.rng import derive
from underpaint.data.hinted import HintedImages, steps_in
from underpaint.data.pseudo import PseudoLabels
from underpaint.data.samples import Still
from underpaint.formats.atomic import write_atomic
from underpaint.formats.folder import DataFolder
from underpaint.formats.jsonl import hint_record
from underpaint.hints.types import Hints
from underpaint.methods.base import Method, Stage
from underpaint.methods.registry import make_method
from underpaint.models.network import Network
from underpaint.predict import PredictConfig, Predictor
from underpaint.training.artifacts import file_digest, fingerprint, make_artifact
from underpaint.training.checkpoint import tensor_bytes
from underpaint.training.loop import Loop
from underpaint.training.reporter import Reporter
from underpaint.training.run_folder import EventLog, RunFolder


class StageInference:
    """The trained network of a stage over the training images; see `underpaint.methods.base.Inference`."""

    def __init__(self, network: Network, images: HintedImages, folder: Path) -> None:
        self.classes = images.data.classes
        self.folder = folder
        self._network, self._images = network, images
        self._pseudo = PseudoLabels(folder, self.classes)

    def images(self) -> Iterator[Still]:
        """The training images that can be read."""
        return self._images.stills()

    def probabilities(self, image: Still, *, scales: tuple[float, ...], flip: bool) -> npt.NDArray[np.float32]:
        """(C, H, W) probabilities of the stage's network."""
        predictor = Predictor(self._network, PredictConfig(scales=scales, flip=flip))
        return predictor.probabilities(image.rgb)

    def write_labels(self, name: str, labels: npt.NDArray[np.uint8]) -> None:
        """Keep hard labels for the next stage."""
        self._pseudo.write_labels(name, labels)

    def write_soft(self, name: str, probabilities: npt.NDArray[np.float32]) -> None:
        """Keep soft labels for the next stage."""
        self._pseudo.write_soft(name, probabilities)


@dataclass
class StagedRun:
    """Trains a method's stages in their order, going on where an earlier session stopped.

    Args:
        run: The run folder.
        data: The data set.
        hints: Hints of the training images.
        reporter: Watches.
    """

    run: RunFolder
    data: DataFolder
    hints: Mapping[str, Hints]
    reporter: Reporter

    def train(self) -> None:
        """Train what is not yet trained, and write the final weights."""
        config = self.run.config
        method = make_method(config.method.name, config.method.settings, self.data.classes)
        pseudo: PseudoLabels | None = None
        weights: Path | None = None
        for number, stage in enumerate(method.stages()):
            if number > 0 and weights is not None:
                pseudo = self._prepare(method, stage, weights)
            weights = self._stage(method, stage, number, weights, pseudo)
        if weights is None:
            raise RunError(f"method {method.name} has no stages")
        write_atomic(self.run.root / "weights.safetensors", weights.read_bytes())

    def _images(self, pseudo: PseudoLabels | None) -> HintedImages:
        config = self.run.config
        return HintedImages(
            self.data, self.hints, config.views, seed=derive(config.seed, "views") % 2**32, pseudo=pseudo
        )

    def _stage(
        self, method: Method[Config], stage: Stage, number: int, before: Path | None, pseudo: PseudoLabels | None
    ) -> Path:
        config = self.run.config
        folder = self.run.root / "stages" / f"{number}-{stage.name}"
        target = folder / "weights.safetensors"
        if target.is_file():
            return target
        images = self._images(pseudo)
        torch.manual_seed(derive(config.seed, "weights", stage.name) % 2**63)
        network = Network(config.model, len(self.data.classes), needs=method.needs)
        if stage.start == "previous" and before is not None:
            network.load_state_dict(load_file(before))
        loop = Loop(
            network,
            method,
            images,
            config.train,
            stage=stage.name,
            steps=steps_in(len(images), config.train.epochs * stage.epochs, config.train.batch),
            seed=derive(config.seed, "stage", stage.name) % 2**63,
            folder=folder,
            reporter=self.reporter,
        )
        events = EventLog(self.run.root / "events.jsonl", stage.name, loop.first)
        try:
            trained = loop.run(events)
        finally:
            events.close()
        write_atomic(target, tensor_bytes(trained))
        return target

    def _prepare(self, method: Method[Config], stage: Stage, weights: Path) -> PseudoLabels:
        config = self.run.config
        images = self._images(None)
        inputs = {
            "method": method.name,
            "settings": method.config.model_dump(mode="json"),
            "stage": stage.model_dump(mode="json"),
            "weights": file_digest(weights),
            "hints": fingerprint([hint_record(self.hints[name]) for name in sorted(self.hints)]),
            "model": config.model.model_dump(mode="json"),
        }
        network = self.run.load_network(weights)

        def make(folder: Path) -> None:
            self.reporter.note(f"making what stage {stage.name} learns from, over {len(images)} images")
            with torch.inference_mode():
                method.prepare(stage, StageInference(network, images, folder))

        store = self.run.root / "artifacts"
        return PseudoLabels(make_artifact(store, stage.name, inputs, make), self.data.classes)
