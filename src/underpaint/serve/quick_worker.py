"""The work of the process of the quick model (`underpaint.serve.quick_process`).

It reads requests from its input, one JSON object per line, and writes answers to its output. A request ``{"revision":
7, "image": "a"}`` states that there are new marks, or which photograph is on the screen. The answers are::

    {"model": {"knows": 2, "revision": 7, "seconds": 0.4, "fault": ""}}
    {"mask": {"image": "a", "revision": 7, "counts": [310, 90], "place": {...} or null, "random": {...} or null}}

The mask of an image is the file ``cache/masks/NUMBER.png`` of the project, and the uncertainty of the model is
``cache/uncertainty/NUMBER.png``. After a stroke, a fit starts from the last weights, and the photograph on the screen
gets a new mask. After a second without a stroke, the fit is exact, and all masks are made again, the marked photographs
first. These masks have the same bytes as those of `underpaint.quick`.
"""

from __future__ import annotations

import json
import queue
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Never

import numpy as np

from underpaint.annotations.strokes.project import project_classes
from underpaint.core.atomic import write_atomic
from underpaint.core.classes import VOID
from underpaint.core.errors import UnderpaintError
from underpaint.core.rng import generator
from underpaint.data.hinted import at_working_size
from underpaint.features.uncertainty import Spot, Uncertainty
from underpaint.kernels.meanfield import KeptKernels
from underpaint.serve.fits import Fits
from underpaint.serve.pictures import index_png
from underpaint.serve.site import number_of
from underpaint.workflows.next import place_of, uncertainty_of
from underpaint.workflows.quick_model import QuickModel

PAUSE = 0.08
"""Seconds to wait after a stroke, because another one may follow."""

REST = 1.0
"""Seconds without a stroke after which the model is fitted exactly, and all masks are made again."""


@dataclass
class Requests:
    """The last request of the server. Later requests replace earlier ones."""

    lines: queue.Queue[str]
    revision: int = 0
    image: str | None = None

    def waiting(self) -> bool:
        """Whether there is a request that was not read yet."""
        return not self.lines.empty()

    def take(self, *, wait: float | None) -> None:
        """Take in all requests, after at most so many seconds in which none came; None waits for one."""
        with suppress(queue.Empty):
            self._read(self.lines.get(block=wait != 0, timeout=wait or None))
            while True:
                self._read(self.lines.get_nowait())

    def _read(self, line: str) -> None:
        request = json.loads(line)
        self.revision = request.get("revision", self.revision)
        self.image = request.get("image", self.image)


class QuickWorker:
    """Fits the quick model when marks change, and makes masks until the next request arrives.

    Args:
        data: Folder of photographs.
        project: Folder of the project.
        lines: The requests, each a line of JSON.
    """

    def __init__(self, data: Path, project: Path, lines: queue.Queue[str]) -> None:
        self._data, self._project = data, project
        self._requests = Requests(lines)
        self._fits = Fits(data, project)
        self._fitted = -1
        self._fit_number = 0
        self._finished = True
        self._rested = 0.0  # the time at which nobody has marked for `REST` seconds
        self._done: dict[str, int] = {}
        self._kept = KeptKernels()
        self._numbers = np.arange(256, dtype=np.uint8)

    def run(self) -> Never:
        """Work until the input ends, which ends the process."""
        while True:
            self._requests.take(wait=self._wait())
            self._answer_requests()

    def _wait(self) -> float | None:
        """Seconds to wait for a request until there is other work; None if there is none without a request."""
        if not self._finished:
            return 0
        if self._fits.model is None or self._fits.exact:
            return None
        return max(0, self._rested - time.monotonic())

    def _answer_requests(self) -> None:
        """Fit if there are new marks or if nobody has marked for a while, and make masks."""
        if fresh := self._requests.revision > self._fitted:
            time.sleep(PAUSE)
            self._requests.take(wait=0)
            self._fit(self._requests.revision, exact=False)
        elif self._finished and self._wait() == 0:
            self._fit(self._fitted, exact=True)
        self._finished = self._masks()
        if fresh:
            self._rested = time.monotonic() + REST

    def _fit(self, revision: int, *, exact: bool) -> None:
        began, fault, knows = time.perf_counter(), "", 0
        try:
            model = self._fits.fit(exact=exact)
            knows = int(model.masks().learned.sum())
            self._numbers = page_numbers(model.plan.data.classes.names, project_classes(self._project))
        except UnderpaintError as error:
            fault = error.brief
        self._fitted = revision
        self._fit_number += 1
        seconds = round(time.perf_counter() - began, 2)
        _answer({"model": {"knows": knows, "revision": revision, "seconds": seconds, "fault": fault}})

    def _masks(self) -> bool:
        """Make masks until a request arrives. True if all masks are made.

        Between two exact fits, while strokes arrive, only the photograph on the screen gets new masks.
        """
        model = self._fits.model
        if model is None:
            return True
        for name in self._order(model):
            if self._requests.waiting():
                return False
            if self._done.get(name) != self._fit_number:
                self._mask(model, name)
                self._done[name] = self._fit_number
            if not self._fits.exact:
                return True
        return True

    def _order(self, model: QuickModel) -> Iterator[str]:
        names = list(model.plan.data.images)
        image = self._requests.image
        if image is not None and image in model.plan.data.images:
            at = names.index(image)
            yield from names[at : at + 3]
        yield from model.images.names
        yield from names

    def _mask(self, model: QuickModel, name: str) -> None:
        data, config = model.plan.data, model.plan.config
        try:
            rgb = self._fits.photograph.read(data.images[name], config.images.rule)
        except UnderpaintError as error:
            _answer({"mask": {"image": name, "revision": self._fitted, "fault": error.what}})
            return
        small = at_working_size(rgb, config.data.working)
        features = model.bank.features(small)
        kept = self._kept if name == self._requests.image else None  # others must not replace its kernels
        masks, size = model.masks(kept=kept), (rgb.shape[0], rgb.shape[1])
        image = model.images.training_image(name, rgb) if name in model.images.names else None
        if image is not None:
            index = masks.hinted(features, image, model.images.labelled(name))
        else:
            index = masks.plain(features, small, size)
        uncertainty = uncertainty_of(model, masks, name, rgb, features, image)
        index = self._numbers[index]
        number = number_of(name)
        write_atomic(self._project / "cache" / "masks" / f"{number}.png", index_png(index))
        grey = index_png(_grey(uncertainty, len(uncertainty.classes)))
        write_atomic(self._project / "cache" / "uncertainty" / f"{number}.png", grey)
        rng = generator(0, "paint", name, str(self._fitted))
        spots = {"place": uncertainty.best(), "random": uncertainty.at_random(rng)}
        places = {key: self._place(name, spot, size) if spot else None for key, spot in spots.items()}
        counts = np.bincount(index.ravel(), minlength=256)[: len(data.classes)].tolist()
        _answer({"mask": {"image": name, "revision": self._fitted, "counts": counts, **places}})

    def _place(self, name: str, spot: Spot, size: tuple[int, int]) -> dict[str, Any]:
        assert self._fits.model is not None
        place = place_of(name, spot, size, self._fits.model.plan.data, drawn=False)
        return {"x": place.x, "y": place.y, "radius": place.radius, "bits": spot.uncertainty,
                "guess": place.guess, "other": place.other}  # fmt: skip


def page_numbers(learned: Sequence[str], page: Sequence[str]) -> np.ndarray:
    """(256,) number on the page of every class of the model; 255 for classes that are not on the page."""
    numbers = np.full(256, VOID, np.uint8)
    for place, name in enumerate(learned):
        if name in page:
            numbers[place] = page.index(name)
    return numbers


def _grey(uncertainty: Uncertainty, classes: int) -> np.ndarray:
    """The entropy as 0..255; 255 means that all classes are equally probable."""
    most = np.log2(max(classes, 2))
    return np.asarray(np.rint(np.clip(uncertainty.bits / most, 0, 1) * 255), np.uint8)


def _answer(record: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(record) + "\n")
    sys.stdout.flush()
