"""Fits the quick model again after new marks: only changed images are read, and a fit starts from the last weights."""

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
from underpaint.serve.last_photograph import LastPhotograph
from underpaint.workflows.planning import Plan, plan_training
from underpaint.workflows.quick_model import QuickModel, fit_quick, hinted_images
from underpaint.workflows.training_data import TrainingData, read_training_data

STEPS = 8
"""Number of iterations of a fit that starts from the last weights."""


@dataclass(frozen=True)
class ImageRows:
    """The data of one image for a fit: hints, and (P, F) features and (P, C) candidate sets of marked pixels.

    ``areas`` is that of `Marks`.
    """

    hints: Hints
    columns: npt.NDArray[np.float16]
    sets: npt.NDArray[np.bool_]
    areas: bool


class Fits:
    """Fits the quick model of a project repeatedly.

    An exact fit has the same bits as `underpaint.quick`. Other fits run `STEPS` iterations from the last weights, which
    is several times faster. If there are more marked pixels than a fit can use, every fit is exact.

    Args:
        data: Folder of photographs.
        project: Folder of the project.
    """

    def __init__(self, data: Path, project: Path) -> None:
        self._data, self._project = data, project
        self.model: QuickModel | None = None
        self.exact = False
        self.photograph = LastPhotograph()
        self._rows: dict[str, ImageRows] = {}
        self._last: LinearModel | None = None

    def fit(self, *, exact: bool) -> QuickModel:
        """Fit on the marks on the disk.

        Args:
            exact: Whether the fit is exact. The first fit always is, and every fit after a change of classes or
                settings.

        Raises:
            UnderpaintError: The same as in `underpaint.quick`. Then there is no model.
        """
        before, self.model = self.model, None
        learnt = read_training_data(self._data, hints=[self._project], lenient=True)
        planned = plan_training(learnt, {}, "quick", recorded=False)
        if before is None or self._last is None or not _same_setup(before.plan, planned):
            return self._exact_fit(learnt)
        images = hinted_images(planned)
        rows = self._current_rows(before, images, planned.hints)
        if rows is None:
            return self._exact_fit(learnt)
        seen = rows.sets.any(axis=0)
        background, config = planned.data.classes.background, planned.method.config
        assert isinstance(config, QuickConfig)
        penalty = config.penalty * before.bank.penalties
        self.exact = exact or not np.array_equal(seen, self._last.bias > NEVER_SEEN)
        if self.exact:
            found = fit_rows(rows, background, penalty=penalty, share=config.share)
        else:
            sets = rows.sets.copy()
            if background is not None:  # pixels in a box get its class, as in the first fit of `fit_rows`
                sets[sets.sum(axis=1) > 1, background] = False
            share = rows.share(config.share)
            found = fit_linear(
                rows.columns, sets, rows.chosen, penalty=penalty, share=share, start=self._last, steps=STEPS
            )
        return self._use(QuickModel(planned, images, before.bank, before.network), found)

    def _exact_fit(self, learnt: TrainingData) -> QuickModel:
        self._rows = {}
        self.model, self.exact = fit_quick(learnt, {}), True
        self._last = _weights(self.model)
        return self.model

    def _use(self, model: QuickModel, found: LinearModel) -> QuickModel:
        assert isinstance(model.network.head, LinearHead)
        model.network.head.set_weights(torch.from_numpy(found.weight), torch.from_numpy(found.bias))
        self.model, self._last = model, found
        return model

    def _current_rows(self, before: QuickModel, images: HintedImages, hints: Mapping[str, Hints]) -> Rows | None:
        """The rows of all images; those of changed images are made again. None if there are too many or no rows."""
        config, seed = before.plan.method.config, derive(before.plan.config.seed, "fit")
        assert isinstance(config, QuickConfig)
        for name in [name for name in self._rows if name not in images.geometry]:
            del self._rows[name]
        for name in images.names:
            if name in self._rows and self._rows[name].hints == hints[name]:
                continue
            image = images.training_image(name, self.photograph.read(images.data.images[name], images.rule))
            marks = marked_pixels(image.candidates, name, seed=seed, density=config.density)
            features = before.bank.features(image.rgb)
            columns = features.columns(marks.rows, marks.columns)
            self._rows[name] = ImageRows(hints[name], columns, marks.sets[marks.chosen], marks.areas)
            if sum(len(one.sets) for one in self._rows.values()) > MOST_ROWS:
                return None
        held = [self._rows[name] for name in images.names if len(self._rows[name].sets)]
        if not held:
            return None
        sets, chosen = np.unique(np.concatenate([one.sets for one in held]), axis=0, return_inverse=True)
        # Copied by index as in `marked_rows`: the memory layout decides the order of sums and so their rounding.
        columns = np.concatenate([one.columns[np.arange(len(one.columns))] for one in held])
        areas = any(one.areas for one in held)
        return Rows(columns, sets, np.asarray(chosen, np.intp).ravel(), areas)


NEVER_SEEN = -5e3
"""A bias below this belongs to a class without a mark (`underpaint.features.linear.IMPOSSIBLE`)."""


def _same_setup(one: Plan, other: Plan) -> bool:
    return one.config == other.config and one.data.classes == other.data.classes


def _weights(model: QuickModel) -> LinearModel:
    head = model.network.head
    assert isinstance(head, LinearHead)
    parts = [part.weight.detach()[:, :, 0, 0] for part in head.parts if isinstance(part, torch.nn.Conv2d)]
    first = head.parts[0]
    assert isinstance(first, torch.nn.Conv2d)
    assert first.bias is not None
    return LinearModel(torch.cat(parts, dim=1).numpy().copy(), first.bias.detach().numpy().copy())
