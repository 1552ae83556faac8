"""Inference with the trained network of a stage over the training images, for making labels between two stages."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Literal, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

from underpaint.core.config import Settings
from underpaint.core.errors import ConfigError
from underpaint.data.hinted import HintedImages
from underpaint.data.pseudo import PseudoLabels
from underpaint.data.samples import TrainingImage
from underpaint.features.bank import Bank
from underpaint.methods.inference import Job, Result
from underpaint.methods.tags.maps import Flags
from underpaint.models.inference import FullSize
from underpaint.models.network import Network
from underpaint.models.responses import scaled_size
from underpaint.predict import PredictConfig, Predictor
from underpaint.predict.predictor import STRIDE
from underpaint.predict.responses import CamPredictor
from underpaint.training.artifacts import make_artifact
from underpaint.training.ranks import Ranks
from underpaint.training.reporter import Reporter, Silent
from underpaint.training.spread import Spread, Work

Counted = TypeVar("Counted")

Found = npt.NDArray[np.generic]


@dataclass(frozen=True)
class Pass:
    """A pass of the network over all images, which all ranks share.

    Args:
        name: ``predictions`` or ``responses``: the first part of the artifact's name.
        scales: Factors on the size of the images.
        flip: Whether mirror images are averaged in.
    """

    name: Literal["predictions", "responses"]
    scales: tuple[float, ...]
    flip: bool


SAID = {"predictions": "predicting the images", "responses": "computing class activation maps"}
"""What a progress report calls a pass."""


class StageInference:
    """Implements `underpaint.methods.inference.Inference`, the interface that methods use.

    Args:
        network: The network of the stage, in evaluation mode.
        images: The training images.
        folder: Folder into which labels are written.
        store: Folder of artifacts in which predictions are kept, so that a run with other settings of the method can
            use them again.
        given: Everything that predictions depend on, such as weights and images.
        bank: Makes the bank of the pre-trained encoder; it is called if a label maker uses the bank.
        earlier: Folder of the labels that were made before the previous stage, or None.
        autocast: Returns the context in which the network runs, with the precision of the training.
        reporter: Is told about the passes over the images; None for no reports.
        ranks: The processes that share the work; None for this one alone.
    """

    def __init__(
        self,
        network: Network,
        images: HintedImages,
        folder: Path,
        *,
        store: Path,
        given: Settings,
        bank: Callable[[], Bank],
        earlier: Path | None = None,
        autocast: Callable[[], AbstractContextManager[object]] = nullcontext,
        reporter: Reporter | None = None,
        ranks: Ranks | None = None,
    ) -> None:
        self._spread = Spread(ranks, self._work)
        self._count = Count(reporter or Silent(), len(images))
        self.classes = images.data.classes
        self.folder, self.earlier = folder, earlier
        self._autocast, self._make_bank = autocast, bank
        self._network, self._images, self._store, self._given = network, images, store, given
        self._pseudo = PseudoLabels(folder, self.classes)
        self._held: dict[Pass, Path] = {}
        self._seen: dict[str, tuple[Flags, Flags]] = {}

    @cached_property
    def bank(self) -> Bank:
        """The features of the pre-trained encoder."""
        return self._make_bank()

    def close(self) -> None:
        """End the progress report, and the work of the other ranks: all labels are written."""
        self._count.close()
        self._spread.end()

    def follow(self) -> None:
        """On a rank that does not lead: compute what the leader hands out, until it has written all labels."""
        self._spread.follow()

    def images(self) -> Iterator[TrainingImage]:
        """The training images that can be read."""
        return self._images.training_images()

    def probabilities(self, image: TrainingImage, *, scales: tuple[float, ...], flip: bool) -> npt.NDArray[np.float32]:
        """(C, H, W) probabilities of the stage's network. The first call computes those of all images.

        An image above the working size is predicted once, at its own size: test-time augmentation of so many pixels
        takes minutes, and the stored probabilities are coarser than it would be.
        """
        predictions = self._made(Pass("predictions", scales, flip))
        coarse = torch.from_numpy(np.load(predictions / f"{image.name}.npy", allow_pickle=False)).float()
        size = (image.rgb.shape[0], image.rgb.shape[1])
        if image.rgb.shape != image.full.shape:
            found = F.interpolate(coarse[None], size=size, mode="bilinear", antialias=True, align_corners=False)[0]
            return np.asarray(found.numpy())
        full = F.interpolate(coarse[None], scale_factor=STRIDE, mode="bilinear", align_corners=False)[0]
        return np.asarray(full[:, : size[0], : size[1]].numpy())

    def _made(self, over: Pass) -> Path:
        """The artifact of all images. Its path is computed once, because the name depends on all images."""
        if over not in self._held:
            inputs = {**self._given, "scales": over.scales, "flip": over.flip}
            self._held[over] = make_artifact(self._store, over.name, inputs, partial(self._write_pass, over))
        return self._held[over]

    def _write_pass(self, over: Pass, folder: Path) -> None:
        names = self._images.names
        found = zip(names, self._spread.shared(over, names), strict=True)
        every = ((name, values) for name, values in found if values is not None)
        for name, values in self._count.each(SAID[over.name], every):
            path = folder / f"{name}.npy"
            path.parent.mkdir(parents=True, exist_ok=True)
            np.save(path, values, allow_pickle=False)

    def _work(self, task: Pass | Work) -> Work:
        """What a rank does for a task: a pass over the images that it is given, or work that a method stated."""
        if isinstance(task, Work):
            return task
        return Work(self._predicted(task) if task.name == "predictions" else self._responded(task))

    def _predicted(self, over: Pass) -> Callable[[str], Found | None]:
        predictor = Predictor(self._network, PredictConfig(scales=over.scales, flip=over.flip))
        once = Predictor(self._network, PredictConfig())

        def predict(image: TrainingImage) -> Found:
            chosen = predictor if image.rgb.shape == image.full.shape else once
            return chosen.index_and_coarse(image.full)[1]

        return self._of_images(predict)

    def _responded(self, over: Pass) -> Callable[[str], Found | None]:
        cam = CamPredictor(self._network, scales=over.scales, flip=over.flip)
        return self._of_images(lambda image: cam.coarse(image.rgb, self._objects(image)).astype(np.float16))

    def _of_images(self, compute: Callable[[TrainingImage], Found]) -> Callable[[str], Found | None]:
        """A function of the name of an image, in the arithmetic of the training; None if the image cannot be read."""

        def of_image(name: str) -> Found | None:
            image = self._images.readable_image(name)
            if image is None:
                return None
            with self._autocast():
                return compute(image)

        return of_image

    @torch.inference_mode()
    def embedding(self, image: TrainingImage) -> npt.NDArray[np.float32]:
        """(E, h, w) float32 embedding at the decoder's stride, without the cells of the padding around the image.

        Raises:
            ConfigError: The network has no embedding head.
        """
        if self._network.embedding_head is None:
            raise ConfigError("the network has no embedding head", fix="name it among the stage's heads")
        made: list[Tensor] = []
        hook = self._network.embedding_head.register_forward_hook(lambda _, given, out: made.append(out))
        try:
            whole = FullSize(self._network)
            with self._autocast():
                whole(_pixels(image).to(whole.mean.device))
        finally:
            hook.remove()
        held = made[0][0].float().cpu().numpy()
        divisor = self._network.divisor
        shares = (side / (divisor * -(-side // divisor)) for side in image.rgb.shape[:2])  # the rest is padding
        height, width = (math.ceil(cells * share) for cells, share in zip(held.shape[1:], shares, strict=True))
        return np.asarray(held[:, :height, :width])

    def responses(self, image: TrainingImage, *, scales: tuple[float, ...], flip: bool) -> npt.NDArray[np.float32]:
        """(C, ceil(H/4), ceil(W/4)) class activation maps. The first call computes those of all images."""
        made = self._made(Pass("responses", scales, flip))
        held: npt.NDArray[np.float16] = np.load(made / f"{image.name}.npy", allow_pickle=False)
        self._seen[image.name] = image.present, held.reshape(len(held), -1).max(axis=1) > 0
        return held.astype(np.float32)

    def unseen(self) -> str | None:
        """A warning if class activation maps lack classes that the tags name, since pseudo-labels then lack them too.

        None if, for every class, at least nine of ten images tagged with it have a positive value in its map.
        """
        if not self._seen:
            return None
        present, seen = (np.stack(flags) for flags in zip(*self._seen.values(), strict=True))
        if self.classes.background is not None:
            present[:, self.classes.background] = False  # the tag head does not predict the background
        tagged, missed = present.sum(axis=0), (present & ~seen).sum(axis=0)
        rare = np.flatnonzero(missed > tagged / 10)
        if len(rare) == 0:
            return None
        listed = ", ".join(f"{self.classes.names[c]} in {missed[c]} of {tagged[c]}" for c in rare)
        return (
            f"the classifier does not find a class in images that are tagged with it: {listed}. "
            "The pseudo-labels of these images lack the class; more tagged images may help, and for a "
            "trained classifier also more train.epochs"
        )

    def _objects(self, image: TrainingImage) -> Flags:
        """(C,) the classes of an image that the tag head predicts: all but the background."""
        behind = self.classes.background
        return image.present if behind is None else image.present & (np.arange(len(image.present)) != behind)

    @torch.inference_mode()
    def pooled(self, image: TrainingImage) -> npt.NDArray[np.float32]:
        """(F,) float32 means of the deepest features of an image."""
        network = self._network
        pixels = network.normalised(_pixels(image).to(next(network.parameters()).device))
        size = scaled_size(pixels, 1.0, network.divisor)
        with self._autocast():
            pooled = network.pooled(F.interpolate(pixels, size, mode="bilinear", align_corners=False))
        return np.asarray(pooled[0].float().cpu().numpy())

    def each(self, work: Callable[[Job], Result], jobs: Iterable[Job]) -> Iterator[Result]:
        """``work(job)`` for every job, in their order; each rank has as many processes as torch may use threads."""
        return self._spread.shared(Work(work, torch.get_num_threads()), jobs)

    def write_labels(self, name: str, labels: npt.NDArray[np.uint8]) -> None:
        """Store hard labels, (H, W) uint8, for the next stage."""
        self._pseudo.write_labels(name, labels)
        self._count.one("making labels")

    def write_soft(self, name: str, probabilities: npt.NDArray[np.float32]) -> None:
        """Store soft labels, (C, h, w) in [0, 1], for the next stage."""
        self._pseudo.write_soft(name, probabilities)
        self._count.one("making labels")

    def write_subtags(self, name: str, subtags: npt.NDArray[np.int8]) -> None:
        """Store sub-categories, (C, K) int8, for the next stage."""
        self._pseudo.write_subtags(name, subtags)
        self._count.one("making labels")


class Count:
    """Reports how many of the images are done, for one task after the other.

    Args:
        reporter: Receives the reports.
        images: Number of images.
    """

    def __init__(self, reporter: Reporter, images: int) -> None:
        self._reporter, self._images = reporter, images
        self._task, self._done, self._began = "", 0, time.perf_counter()

    def each(self, task: str, images: Iterable[Counted]) -> Iterator[Counted]:
        """The images, or what belongs to each of them; each is counted as done when the next one is requested."""
        self._began = time.perf_counter()
        self._start(task)
        for image in images:
            yield image
            self.one(task)
        self.close()

    def one(self, task: str) -> None:
        """One more image is done."""
        if task != self._task:
            self._start(task)
        self._done += 1
        self._reporter.advance(self._done, self._done / max(time.perf_counter() - self._began, 1e-9), {})

    def close(self) -> None:
        """The task is done."""
        if self._task:
            self._reporter.finish()
            self._began = time.perf_counter()  # of the next task
        self._task = ""

    def _start(self, task: str) -> None:
        self.close()
        self._task, self._done = task, 0
        self._reporter.start(task, self._images, 0)


def _pixels(image: TrainingImage) -> Tensor:
    """(1, 3, H, W) in [0, 1]."""
    return torch.from_numpy(image.rgb.copy()).permute(2, 0, 1)[None].float() / 255
