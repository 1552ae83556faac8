"""The quick model as marks come: only what changed is looked at again, and the fit goes on from the last weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from underpaint.core.rng import derive
from underpaint.data.hinted import HintedImages
from underpaint.features.linear import LinearModel, fit_linear
from underpaint.features.pixels import marked_pixels
from underpaint.features.rows import MOST_ROWS, Rows, fit_rows
from underpaint.hints.types import Hints
from underpaint.methods.quick.method import QuickConfig
from underpaint.models.linear import LinearHead
from underpaint.workflows.planning import Plan, plan_training
from underpaint.workflows.quick_model import QuickModel, fit_quick, hinted_images
from underpaint.workflows.training_data import TrainingData, read_training_data

STEPS = 8
"""Iterations of a fit that goes on from the last weights."""


@dataclass(frozen=True)
class ImageRows:
    """What a fit takes of one image: the hints, (P, F) features and (P, C) candidate sets of its marked pixels."""

    hints: Hints
    columns: npt.NDArray[np.float16]
    sets: npt.NDArray[np.bool_]


class Fits:
    """Fits the quick model of a project again and again.

    A fit is exact, with the weights of `underpaint.quick` to the bit, or it goes on for `STEPS` iterations from the
    last weights, which is several times as fast. With more marked pixels than a fit takes every fit is exact.

    Args:
        data: The folder of photographs.
        project: The project's folder.
    """

    def __init__(self, data: Path, project: Path) -> None:
        self._data, self._project = data, project
        self.model: QuickModel | None = None
        self.exact = False
        self._rows: dict[str, ImageRows] = {}
        self._last: LinearModel | None = None

    def fit(self, *, exact: bool) -> QuickModel:
        """Fit on the marks that are on the disk.

        Args:
            exact: Whether the fit starts from nothing. The first one does, and one whose classes or settings differ
                from the last.

        Raises:
            UnderpaintError: as `underpaint.quick`; there is no model then.
        """
        before, self.model = self.model, None
        learnt = read_training_data(self._data, hints=[self._project], lenient=True)
        planned = plan_training(learnt, {}, "quick", recorded=False)
        if before is None or self._last is None or not _alike(before.plan, planned):
            return self._anew(learnt)
        images = hinted_images(planned)
        rows = self._looked_at(before, images, planned.hints)
        if rows is None:
            return self._anew(learnt)
        seen = rows.sets.any(axis=0)
        background, config = planned.data.classes.background, planned.method.config
        assert isinstance(config, QuickConfig)
        penalty = config.penalty * before.bank.penalties
        self.exact = exact or not np.array_equal(seen, self._last.bias > NEVER_SEEN)
        if self.exact:
            found = fit_rows(rows, background, penalty=penalty)
        else:
            sets = rows.sets.copy()
            if background is not None:  # a box alone says its class, as in the first fit of `fit_rows`
                sets[sets.sum(axis=1) > 1, background] = False
            found = fit_linear(rows.columns, sets, rows.chosen, penalty=penalty, start=self._last, steps=STEPS)
        return self._kept(QuickModel(planned, images, before.bank, before.network), found)

    def _anew(self, learnt: TrainingData) -> QuickModel:
        self._rows = {}
        self.model, self.exact = fit_quick(learnt, {}), True
        self._last = _weights(self.model)
        return self.model

    def _kept(self, model: QuickModel, found: LinearModel) -> QuickModel:
        assert isinstance(model.network.head, LinearHead)
        model.network.head.set_weights(torch.from_numpy(found.weight), torch.from_numpy(found.bias))
        self.model, self._last = model, found
        return model

    def _looked_at(self, before: QuickModel, images: HintedImages, hints: Mapping[str, Hints]) -> Rows | None:
        """The rows of all images, those of changed ones made anew; None for more than a fit takes."""
        config, seed = before.plan.method.config, derive(before.plan.config.seed, "fit")
        assert isinstance(config, QuickConfig)
        for name in [name for name in self._rows if name not in images.geometry]:
            del self._rows[name]
        for name in images.names:
            if name in self._rows and self._rows[name].hints == hints[name]:
                continue
            image = images.training_image(name)
            marks = marked_pixels(image.candidates, name, seed=seed, density=config.density)
            features = before.bank.features(image.rgb)
            columns = features.columns(marks.rows, marks.columns)
            self._rows[name] = ImageRows(hints[name], columns, marks.sets[marks.chosen])
            if sum(len(one.sets) for one in self._rows.values()) > MOST_ROWS:
                return None
        held = [self._rows[name] for name in images.names if len(self._rows[name].sets)]
        if not held:
            return None
        sets, chosen = np.unique(np.concatenate([one.sets for one in held]), axis=0, return_inverse=True)
        # Taken by index as in `marked_rows`: the order in memory decides in which order sums are rounded.
        columns = np.concatenate([one.columns[np.arange(len(one.columns))] for one in held])
        return Rows(columns, sets, np.asarray(chosen, np.intp).ravel())


NEVER_SEEN = -5e3
"""A bias below this is that of a class that no mark shows (`underpaint.features.linear.IMPOSSIBLE`)."""


def _alike(one: Plan, other: Plan) -> bool:
    return one.config == other.config and one.data.classes == other.data.classes


def _weights(model: QuickModel) -> LinearModel:
    head = model.network.head
    assert isinstance(head, LinearHead)
    parts = [part.weight.detach()[:, :, 0, 0] for part in head.parts if isinstance(part, torch.nn.Conv2d)]
    first = head.parts[0]
    assert isinstance(first, torch.nn.Conv2d)
    assert first.bias is not None
    return LinearModel(torch.cat(parts, dim=1).numpy().copy(), first.bias.detach().numpy().copy())
