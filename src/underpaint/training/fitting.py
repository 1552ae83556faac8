"""A stage without gradient steps: it computes the features of all images and fits a linear decoder or tag head."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import numpy as np
import numpy.typing as npt
import torch

from underpaint.core.config import Config
from underpaint.core.rng import derive
from underpaint.data.hinted import HintedImages
from underpaint.data.samples import TrainingImage
from underpaint.features.bank import FeatureBank, ImageFeatures, paired
from underpaint.features.linear import LinearModel
from underpaint.features.store import usual_store
from underpaint.features.tag_linear import windows
from underpaint.methods.inference import Fitting
from underpaint.methods.stage import Learner, Stage
from underpaint.models.linear import LinearHead
from underpaint.models.network import Network
from underpaint.training.reporter import Reporter
from underpaint.training.stage_inference import Count

Floats = npt.NDArray[np.float32]


def fit_decoder(
    network: Network, learner: Learner[Config], stage: Stage, images: HintedImages, *, seed: int, reporter: Reporter
) -> FeatureBank:
    """Set the weights of a network's linear decoder to those that `Learner.fit` finds.

    Args:
        network: A network with a linear decoder; its decoder is changed.
        learner: The learner whose ``fit`` is called.
        stage: A stage with ``network.fitted``.
        images: The training images with their hints.
        seed: Seed of the run.
        reporter: Is told about progress.

    Returns:
        The bank of the network's features, which contains the features of the training images.

    Raises:
        LearningError: The hints mark no pixel, or only pixels of one class.
    """
    assert isinstance(network.head, LinearHead), f"{learner.name} fits a network without a linear decoder"
    bank = FeatureBank(network, usual_store())
    model = _fitted(network, learner, stage, images, bank, seed=seed, reporter=reporter)
    network.head.set_weights(torch.from_numpy(model.weight), torch.from_numpy(model.bias))
    if bank.store is not None and bank.store.failure is not None:
        reporter.note(f"features are not stored: {bank.store.failure}")
    return bank


def fit_tag_head(
    network: Network, learner: Learner[Config], stage: Stage, images: HintedImages, *, seed: int, reporter: Reporter
) -> None:
    """Set the weights of a network's tag head to those that `Learner.fit` finds; arguments as in `fit_decoder`.

    The features are not stored, because nothing else uses features of this encoder and stride.

    Raises:
        DataError: As in `underpaint.features.tag_linear.fit_tags`.
    """
    assert network.tag_head is not None, f"{learner.name} fits a network without a tag head"
    if network.config.weights == "none":
        reporter.note(
            "the linear classifier uses the features of an encoder without pre-trained weights, which are poor; "
            "method.settings.classifier=trained trains both"
        )
    model = _fitted(network, learner, stage, images, FeatureBank(network, None), seed=seed, reporter=reporter)
    with torch.no_grad():
        network.tag_head.weight.copy_(torch.from_numpy(model.weight)[:, :, None, None])


def _fitted(
    network: Network,
    learner: Learner[Config],
    stage: Stage,
    images: HintedImages,
    bank: FeatureBank,
    *,
    seed: int,
    reporter: Reporter,
) -> LinearModel:
    count = Count(reporter, len(images))

    def training_images() -> Iterator[TrainingImage]:
        return count.each("computing features", images.training_images())

    def pooled() -> Iterator[tuple[TrainingImage, Floats]]:
        with closing(paired(bank, ((image.rgb, image) for image in training_images()))) as every:
            for image, features in every:
                yield image, windows(_wide(network, features, (image.rgb.shape[0], image.rgb.shape[1])))

    try:
        return learner.fit(stage, Fitting(training_images, bank, derive(seed, "fit"), pooled))
    finally:
        count.close()


@torch.inference_mode()
def _wide(network: Network, features: ImageFeatures, size: tuple[int, int]) -> Floats:
    """(F, h, w): what the tag head works on, of the cells that show an (H, W) image and not its padding."""
    deepest = features.levels[-2].float()  # the last level is their context
    cells = zip(deepest.shape[1:], size, features.padded, strict=True)
    height, width = (max(1, round(side * seen / padded)) for side, seen, padded in cells)
    wide = network.wide(deepest[None, :, :height, :width].to(next(network.parameters()).device))
    return np.asarray(wide[0].cpu().numpy())
