"""The quick model, fitted on hints, and the masks that it makes of all photographs of a data set."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from underpaint.core.config import Settings
from underpaint.core.errors import listing
from underpaint.core.rng import derive
from underpaint.data.hinted import HintedImages, at_working_size
from underpaint.features.bank import FeatureBank, ImageFeatures
from underpaint.kernels.meanfield import KeptKernels
from underpaint.models.linear import LinearHead
from underpaint.models.network import Network
from underpaint.predict.folder import Summary, of_classes, open_beside, write_masks
from underpaint.predict.hinted import LinearMasks
from underpaint.training.fitting import fit_decoder
from underpaint.training.reporter import Reporter, Silent, counting
from underpaint.workflows.planning import Plan, plan_training
from underpaint.workflows.training_data import TrainingData

log = logging.getLogger(__name__)

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class QuickModel:
    """A fitted quick model and what it was fitted on.

    Args:
        plan: Settings, data set and hints.
        images: The hinted photographs.
        bank: Features of the model's encoder.
        network: Encoder and fitted linear decoder.
    """

    plan: Plan
    images: HintedImages
    bank: FeatureBank
    network: Network

    def masks(self, *, crf: bool = True, kept: KeptKernels | None = None) -> LinearMasks:
        """What makes masks from features; ``kept`` makes the next mask of the same photograph faster."""
        assert isinstance(self.network.head, LinearHead)
        return LinearMasks(self.network.head, self.plan.data.classes.background, crf, kept)


@dataclass(frozen=True)
class QuickSummary:
    """What `quick` wrote.

    Args:
        masks: Counts and reasons of all photographs.
        hinted: Names of the photographs whose masks stay within what their hints say.
        notes: What a person should know of data, hints and features.
    """

    masks: Summary
    hinted: tuple[str, ...]
    notes: tuple[str, ...]


def fit_quick(learnt: TrainingData, settings: Settings, reporter: Reporter | None = None) -> QuickModel:
    """Fit the quick model; its weights are those of ``train --method quick``, bit for bit.

    Args:
        learnt: Data set and hints.
        settings: Of recipes and overrides.
        reporter: Watches.

    Raises:
        UnderpaintError: as `plan_training`; the hints mark no pixel or pixels of one class alone.
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
    """The hinted photographs of a plan. Raises `UnderpaintError` as `HintedImages`."""
    config = planned.config
    return HintedImages(
        planned.data,
        planned.hints,
        config.views.model_copy(update={"cache_mb": 0}),  # every photograph is read once
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
    """`underpaint.quick` for data and settings that have been read already, with its arguments and errors."""
    reporter = reporter or Silent()
    data = learnt.data
    names = [*sorted(learnt.hints), *(name for name in data.images if name not in learnt.hints)]
    found = {name: data.images[name] for name in names if name in data.images}
    output = open_beside(data.root, found, out, holds="masks", by="underpaint quick", of=of_classes(data.classes))
    model = fit_quick(learnt, settings, reporter)
    masks, images, working = model.masks(crf=crf), model.images, model.plan.config.data.working
    known = frozenset(images.names)

    def prepared(read: Iterator[tuple[str, Pixels]]) -> Iterator[tuple[str, tuple[Pixels, ImageFeatures]]]:
        under_way: deque[tuple[str, Pixels]] = deque()

        def small() -> Iterator[Pixels]:
            for name, rgb in read:
                under_way.append((name, rgb))
                yield at_working_size(rgb, working)

        with closing(model.bank.stream(small())) as every:
            for features in every:
                name, rgb = under_way.popleft()
                yield name, (rgb, features)

    def index(name: str, item: tuple[Pixels, ImageFeatures]) -> Pixels:
        rgb, features = item
        if name in known:
            return masks.hinted(features, images.training_image(name, rgb), images.labelled(name))
        seen = at_working_size(rgb, working).shape
        return masks.plain(features, (seen[0], seen[1]), (rgb.shape[0], rgb.shape[1]))

    rule = model.plan.config.images.rule
    refused = _refused(model)
    shown = counting(reporter, "masks")
    written = write_masks(found, output, data.classes, index, shown, rule=rule, prepared=prepared)
    if refused is None and (later := _refused(model)):
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
        yield f"no photograph has a mark of {len(unseen)} of the classes, which no mask can show: {listing(unseen)}"


def _refused(model: QuickModel) -> str | None:
    """Why features are not kept, where they are not."""
    store = model.bank.store
    return None if store is None or store.failure is None else f"features are not kept: {store.failure}"
