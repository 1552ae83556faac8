"""SC-CAM: classifiers of sub-categories, whose maps cover more of the objects, affinities, a walk, and a network."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from underpaint.core.config import Config
from underpaint.losses.candidates import nothing, seed_cross_entropy, soft_cross_entropy
from underpaint.methods.base import Method
from underpaint.methods.sc_cam import ABOUT
from underpaint.methods.sc_cam.labels import ClusterConfig, Clusters, PairConfig, PairLabels
from underpaint.methods.sc_cam.losses import AffinityConfig, AffinityLearner, SubcategoryClassifier, SubcategoryConfig
from underpaint.methods.sc_cam.pixels import ModelLabels, PixelModel, SureConfig, SureLabels
from underpaint.methods.sc_cam.walk import WalkConfig, WalkedLabels
from underpaint.methods.stage import Schedule, Stage, StageNetwork
from underpaint.methods.tags.learners import ClassifierConfig, NoSettings, classify
from underpaint.records import Batch, NetOutput, Progress, Terms

LIGHT_RATE = 10.0
"""Factor on the learning rate if only one linear layer is trained."""


class ScCamConfig(ClassifierConfig, ClusterConfig, SubcategoryConfig, PairConfig, SureConfig):
    """Settings of SC-CAM. Affinity and walk have those of PSA (Ahn and Kwak, CVPR 2018) if nothing else is stated.

    Attributes:
        rounds: How often features are clustered and a classifier is trained on the clusters. 0 gives the method of PSA.
        affinity_encoder: With ``frozen``, a linear layer on the features of the pre-trained encoder learns the
            affinities in a few seconds. With ``trained``, encoder and decoder are trained for them, as in PSA.
        affinity_epochs: Length of the affinity training, as a multiple of that of the run. In PSA it is half of that of
            the classifier.
        pixels: Whether a linear model of pixels corrects the labels of the walk. It is fitted on the confident labels
            of all images together. This is ours; without it the labels are those of the walk, as in PSA.
        retrain_rate: Factor on the learning rate of the last training. The authors use "a slightly lower learning rate
            to account for noisy labels"; the value is not public.
    """

    rounds: int = Field(default=3, ge=0, le=5)
    affinity_encoder: Literal["frozen", "trained"] = "frozen"
    affinity_epochs: float = Field(default=0.5, gt=0)
    pixels: bool = True
    retrain_rate: float = Field(default=0.5, gt=0, le=1)


class ScCam(Method[ScCamConfig], about=ABOUT):
    """Clusters the images of each class into sub-categories; classifiers of both give the response maps."""

    Settings: ClassVar[type[Config]] = ScCamConfig

    def stages(self) -> tuple[Stage, ...]:
        """A classifier, one of sub-categories per round, affinities, the network.

        Each starts from pre-trained weights.
        """
        config, classes = self.config, self.classes
        clusters = Clusters(config.part(ClusterConfig), classes)
        learner = SubcategoryClassifier(config.part(SubcategoryConfig), classes)
        network = StageNetwork(subclasses=config.subclasses, decodes=False)
        rounds = [
            Stage(name=f"subclass-{number + 1}", network=network, learner=learner, labels=clusters)
            for number in range(config.rounds)
        ]
        light = config.affinity_encoder == "frozen"
        affinity = Stage(
            name="affinity",
            network=StageNetwork(decodes=not light, frozen=light),
            schedule=Schedule(epochs=config.affinity_epochs, rate=LIGHT_RATE if light else 1.0),
            learner=AffinityLearner(config.part(AffinityConfig), classes),
            labels=PairLabels(config.part(PairConfig), classes),
        )
        walk = config.part(WalkConfig)
        model = Stage(
            name="pixels",
            network=StageNetwork(fitted=True),
            learner=PixelModel(NoSettings(), classes),
            labels=SureLabels(config.part(SureConfig), classes),
        )
        last = Stage(
            name="retrain",
            schedule=Schedule(rate=config.retrain_rate),
            labels=(ModelLabels if config.pixels else WalkedLabels)(walk, classes),
        )
        return (classify(classes, config), *rounds, affinity, *((model,) if config.pixels else ()), last)

    def loss(self, out: NetOutput, batch: Batch, progress: Progress) -> Terms:
        """The terms ``seeds`` and ``soft``: the loss of the last network on hard labels and on soft labels."""
        terms = {"seeds": seed_cross_entropy(out, batch.seeds()), "soft": nothing(out.logits)}
        if batch.soft is not None:
            terms["soft"] = soft_cross_entropy(out, batch.soft, batch.valid)
        return terms
