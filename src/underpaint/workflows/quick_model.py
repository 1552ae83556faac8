"""The quick model, which is fitted on hints, and its masks of all images of a data set."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from underpaint.core.config import Settings
from underpaint.core.errors import listing
from underpaint.core.rng import derive
from underpaint.data.hinted import HintedImages, at_working_size
from underpaint.features.bank import FeatureBank, ImageFeatures, Pixels, paired
from underpaint.kernels.meanfield import KeptKernels
from underpaint.models.linear import LinearHead
from underpaint.models.network import Network
from underpaint.predict.folder import of_classes
from underpaint.predict.hinted import LinearMasks
from underpaint.predict.targets import open_beside
from underpaint.predict.writing import Summary, write_masks
from underpaint.training.fitting import fit_decoder
from underpaint.training.reporter import Reporter, Silent, counting
from underpaint.workflows.planning import Plan, plan_training
from underpaint.workflows.training_data import TrainingData

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class QuickModel:
    """A fitted quick model and its inputs.

    Args:
        plan: Settings, data set and hints.
        images: The hinted images.
        bank: Computes the features of the encoder.
        network: The encoder and the fitted linear decoder.
    """

    plan: Plan
    images: HintedImages
    bank: FeatureBank
    network: Network

    def masks(self, *, crf: bool = True, kept: KeptKernels | None = None) -> LinearMasks:
        """The object that makes masks from features. With ``kept``, the next mask of the same image is faster."""
        assert isinstance(self.network.head, LinearHead)
        return LinearMasks(self.network.head, self.plan.data.classes.background, crf, kept)


@dataclass(frozen=True)
class QuickSummary:
    """The result of `quick`.

    Args:
        masks: Number of masks, and reasons for images that were left out.
        hinted: Names of the images whose masks agree with their hints.
        notes: Remarks on data, hints and features for the user.
    """

    masks: Summary
    hinted: tuple[str, ...]
    notes: tuple[str, ...]


def fit_quick(learnt: TrainingData, settings: Settings, reporter: Reporter | None = None) -> QuickModel:
    """Fit the quick model. Its weights have the same bits as those of ``train --method quick``.

    Args:
        learnt: Data set and hints.
        settings: Settings of YAML files and overrides.
        reporter: Is told about progress.

    Raises:
        UnderpaintError: The same as in `plan_training`; or the hints mark no pixel, or pixels of only one class.
    """
    planned = plan_training(learnt, settings, "quick")
    if planned.warning:
        log.warning(planned.warning)
    config, classes = planned.config, planned.data.classes
    (stage,) = planned.method.stages()
    images = hinted_images(planned)
    network = Network(config.model, len(classes))
    bank = fit_decoder(network, planned.method, stage, images, seed=config.seed, reporter=reporter or Silent())
    return QuickModel(planned, images, bank, network)


def hinted_images(planned: Plan) -> HintedImages:
    """The hinted images of a plan. It raises the errors of `HintedImages`."""
    config = planned.config
    return HintedImages(
        planned.data,
        planned.hints,
        config.views.model_copy(update={"cache_mb": 0}),  # every image is read once
        seed=derive(config.seed, "views") % 2**32,
        rule=config.images.rule,
        working=config.data.working,
    )


def quick_masks(
    learnt: TrainingData,
    settings: Settings,
    out: Path,
    *,
    crf: bool = True,
    reporter: Reporter | None = None,
) -> QuickSummary:
    """`underpaint.quick` for data and settings that are already read, with the same arguments and errors."""
    reporter = reporter or Silent()
    data = learnt.data
    names = [*sorted(learnt.hints), *(name for name in data.images if name not in learnt.hints)]
    found = {name: data.images[name] for name in names if name in data.images}
    output = open_beside(data.root, found, out, holds="masks", by="underpaint quick", of=of_classes(data.classes))
    model = fit_quick(learnt, settings, reporter)
    masks, images, working = model.masks(crf=crf), model.images, model.plan.config.data.working
    known = frozenset(images.names)

    def prepared(read: Iterator[tuple[str, Pixels]]) -> Iterator[tuple[str, tuple[Pixels, ImageFeatures]]]:
        small = ((at_working_size(rgb, working), (name, rgb)) for name, rgb in read)
        with closing(paired(model.bank, small)) as every:
            for (name, rgb), features in every:
                yield name, (rgb, features)

    def index(name: str, item: tuple[Pixels, ImageFeatures]) -> Pixels:
        rgb, features = item
        if name in known:
            return masks.hinted(features, images.training_image(name, rgb), images.labelled(name))
        return masks.plain(features, at_working_size(rgb, working), (rgb.shape[0], rgb.shape[1]))

    rule = model.plan.config.images.rule
    failure = _store_failure(model)
    shown = counting(reporter, "masks")
    written = write_masks(found, output, data.classes, index, shown, rule=rule, prepared=prepared)
    if failure is None and (later := _store_failure(model)):
        reporter.note(later)
    hinted = tuple(name for name in found if name in known and name not in written.skipped)
    return QuickSummary(written, hinted, (*_notes(model), *written.notes))


def _notes(model: QuickModel) -> Iterator[str]:
    planned = model.plan
    if planned.warning:
        yield planned.warning
    yield from planned.notes
    shown = zip(planned.data.classes.names, model.masks().learned, strict=True)
    if unseen := [name for name, learned in shown if not learned]:
        yield f"no image has a mark of {len(unseen)} of the classes, so no mask can contain them: {listing(unseen)}"


def _store_failure(model: QuickModel) -> str | None:
    """The reason why features are not stored, or None."""
    store = model.bank.store
    return None if store is None or store.failure is None else f"features are not stored: {store.failure}"
