"""What the weights and the labels of a run depend on, by which their artifacts are named."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from underpaint.annotations.jsonl import hint_record
from underpaint.core.config import Config, Settings
from underpaint.core.digest import code_digest, file_digest, files_digest, fingerprint
from underpaint.data.pseudo import PseudoLabels
from underpaint.data.sampling import mixed
from underpaint.datasets.folder import DataFolder
from underpaint.hints.types import Hints
from underpaint.imagefiles.masks import labels_digest
from underpaint.methods.stage import LabelMaker, Learner, Stage
from underpaint.models.config import ModelConfig
from underpaint.training.artifacts import TRAINING_CODE
from underpaint.training.code import source_digest
from underpaint.training.config import RunConfig
from underpaint.training.loop import precision_of


@dataclass
class Inputs:
    """The inputs of the stages of a run and of the labels between them.

    Args:
        config: The settings of the run.
        data: The data set.
        hints: Hints of the training images, by name.
    """

    config: RunConfig
    data: DataFolder
    hints: Mapping[str, Hints]

    def of_stage(
        self,
        learner: Learner[Config],
        stage: Stage,
        model: ModelConfig,
        used: Collection[Hints],
        *,
        before: Path | None = None,
        linear: Path | None = None,
        pseudo: PseudoLabels | None = None,
    ) -> Settings:
        """Everything that the weights of a stage depend on, and nothing else.

        Args:
            learner: Trains the stage.
            stage: The stage.
            model: The settings of its network.
            used: The hints that it learns from.
            before: Weights of the stage before.
            linear: Weights of the linear model from which the network starts.
            pseudo: The labels that an earlier stage made.
        """
        config = self.config
        return {
            "method": learner.name,
            "settings": learner.config.decisive(),
            "stage": {"name": stage.name, **_defined(stage)},
            "images": fingerprint(sorted(hint.image for hint in used)),
            "sampling": config.sampling.decisive() if mixed(used) else None,
            "model": model.decisive(),
            "views": config.views.decisive(),
            "train": config.train.decisive(),
            "seed": config.seed,
            **self._material,
            "labels": None if pseudo is None else _content(pseudo),
            "before": file_digest(before) if before is not None and stage.network.start == "previous" else None,
            "linear": None if linear is None else file_digest(linear),
            "arithmetic": precision_of(config.train),
            "own code": source_digest(type(learner)),
        }

    def of_predictions(self, weights: Path, model: ModelConfig, images: Sequence[str]) -> Settings:
        """Everything that the predictions of a stage for the images of the next one depend on."""
        return {
            "weights": file_digest(weights),
            "images": list(images),
            "model": model.decisive(),
            "arithmetic": precision_of(self.config.train),
            **self._material,
        }

    def of_labels(self, maker: LabelMaker[Config], predictions: Settings, earlier: PseudoLabels | None) -> Settings:
        """Everything that labels depend on, of which `of_predictions` is a part."""
        return {
            "maker": f"{type(maker).__module__}.{type(maker).__qualname__}",
            "settings": maker.config.decisive(),
            "earlier": None if earlier is None else _content(earlier),
            "own code": source_digest(type(maker)),
            **predictions,
        }

    @cached_property
    def _material(self) -> Settings:
        """What every artifact of the run depends on: the class table, images, hints, and code."""
        classes, names = self.data.classes, sorted(self.hints)
        return {
            "classes": list(classes.names),
            "background": classes.background,
            "photographs": files_digest(self.data.images[name] for name in names if name in self.data.images),
            "hints": self.hints_digest,
            "reading": [self.config.data.model_dump(mode="json"), self.config.images.model_dump(mode="json")],
            "code": code_digest(*TRAINING_CODE),
        }

    @cached_property
    def hints_digest(self) -> str:
        """A digest of the content of the hints, including the pixels of masks."""
        said = [self.hints[name] for name in sorted(self.hints)]
        pictures = [label for hint in said if (label := self.data.labels(hint)) is not None]
        return fingerprint([hint_record(hint) for hint in said], labels_digest(pictures, self.data.classes))


def _defined(stage: Stage) -> Settings:
    """The settings of the network and the schedule of a stage that differ from the defaults."""
    return stage.model_dump(mode="json", include={"network", "schedule"}, exclude_defaults=True)


def _content(pseudo: PseudoLabels) -> str | None:
    """A fingerprint of the content of labels, however they were made; None if there are none."""
    files = [(path.relative_to(pseudo.root).as_posix(), file_digest(path)) for path in pseudo.files()]
    return fingerprint(files) if files else None
