"""A stage without gradient steps: features of all images, and a linear decoder fitted on them."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from underpaint.core.config import Config
from underpaint.core.rng import derive
from underpaint.data.hinted import HintedImages
from underpaint.data.samples import TrainingImage
from underpaint.features.bank import FeatureBank
from underpaint.features.store import usual_store
from underpaint.methods.base import Method
from underpaint.methods.inference import Fitting
from underpaint.methods.stage import Stage
from underpaint.models.linear import LinearHead
from underpaint.models.network import Network
from underpaint.training.reporter import Reporter
from underpaint.training.stage_inference import Count


def fit_decoder(
    network: Network, method: Method[Config], stage: Stage, images: HintedImages, *, seed: int, reporter: Reporter
) -> FeatureBank:
    """Give a network's linear decoder the weights that `Method.fit` finds.

    Args:
        network: With a linear decoder; changed.
        method: Fits.
        stage: A ``fitted`` stage of it.
        images: The images with their hints.
        seed: Of the run.
        reporter: Watches the features being computed.

    Returns:
        The bank of the network's features, which holds those of the images.

    Raises:
        LearningError: the hints mark no pixel, or pixels of one class alone.
    """
    assert isinstance(network.head, LinearHead), f"{method.name} fits a network without a linear decoder"
    bank, count = FeatureBank(network, usual_store()), Count(reporter, len(images))

    def training_images() -> Iterator[TrainingImage]:
        return count.each("computing features", images.training_images())

    try:
        model = method.fit(stage, Fitting(training_images, bank, derive(seed, "fit")))
    finally:
        count.close()
    network.head.set_weights(torch.from_numpy(model.weight), torch.from_numpy(model.bias))
    if bank.store is not None and bank.store.failure is not None:
        reporter.note(f"features are not kept: {bank.store.failure}")
    return bank
