"""The trained network of a stage over the training images: what a method works with between two stages."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from underpaint.core.config import Settings
from underpaint.core.errors import ConfigError
from underpaint.core.parallel import stream
from underpaint.data.hinted import HintedImages
from underpaint.data.pseudo import PseudoLabels
from underpaint.data.samples import TrainingImage
from underpaint.methods.inference import Job, Result
from underpaint.methods.tags.maps import Flags
from underpaint.models.inference import FullSize
from underpaint.models.network import Network
from underpaint.models.responses import looked_at
from underpaint.predict import PredictConfig, Predictor
from underpaint.predict.predictor import STRIDE
from underpaint.predict.responses import CamPredictor
from underpaint.training.artifacts import make_artifact
from underpaint.training.reporter import Reporter, Silent

Make = Callable[[Path, tuple[float, ...], bool], None]
"""Writes something of every image into a folder, seen at these scales, mirrored or not."""


class StageInference:
    """See `underpaint.methods.inference.Inference`, the form in which a method knows it.

    Args:
        network: In evaluation mode.
        images: The training images.
        folder: Where the labels go.
        store: Where predictions are kept, so that another setting of the method need not make them again.
        given: What predictions depend on: weights and images.
        earlier: What was made for the stage before, or None.
        autocast: Gives the context in which the network runs: the arithmetic of the training.
        reporter: Watches the passes over the images; None for nobody.
    """

    def __init__(
        self,
        network: Network,
        images: HintedImages,
        folder: Path,
        *,
        store: Path,
        given: Settings,
        earlier: Path | None = None,
        autocast: Callable[[], AbstractContextManager[object]] = nullcontext,
        reporter: Reporter | None = None,
    ) -> None:
        self._count = Count(reporter or Silent(), len(images))
        self.classes = images.data.classes
        self.folder, self.earlier = folder, earlier
        self._autocast = autocast
        self._network, self._images, self._store, self._given = network, images, store, given
        self._pseudo = PseudoLabels(folder, self.classes)
        self._held: dict[tuple[str, tuple[float, ...], bool], Path] = {}
        self._answers: dict[str, tuple[Flags, Flags]] = {}

    def close(self) -> None:
        """All labels are written."""
        self._count.close()

    def images(self) -> Iterator[TrainingImage]:
        """The training images that can be read."""
        return self._images.training_images()

    def probabilities(self, image: TrainingImage, *, scales: tuple[float, ...], flip: bool) -> npt.NDArray[np.float32]:
        """(C, H, W) probabilities of the stage's network; those of all images are made when the first is asked for.

        A photograph above the working size is looked at once, as it is: more looks at so many pixels take minutes, and
        what is kept of them is less fine.
        """
        predictions = self._made("predictions", scales, flip, self._predict)
        coarse = torch.from_numpy(np.load(predictions / f"{image.name}.npy", allow_pickle=False)).float()
        size = (image.rgb.shape[0], image.rgb.shape[1])
        if image.rgb.shape != image.full.shape:
            found = F.interpolate(coarse[None], size=size, mode="bilinear", antialias=True, align_corners=False)[0]
            return np.asarray(found.numpy())
        full = F.interpolate(coarse[None], scale_factor=STRIDE, mode="bilinear", align_corners=False)[0]
        return np.asarray(full[:, : size[0], : size[1]].numpy())

    def _made(self, name: str, scales: tuple[float, ...], flip: bool, make: Make) -> Path:
        """The artifact of all images; where it lies is worked out once, since its name takes in those of all images."""
        key = (name, scales, flip)
        if key not in self._held:
            inputs = {**self._given, "scales": scales, "flip": flip}
            self._held[key] = make_artifact(self._store, name, inputs, lambda folder: make(folder, scales, flip))
        return self._held[key]

    def _predict(self, folder: Path, scales: tuple[float, ...], flip: bool) -> None:
        predictor = Predictor(self._network, PredictConfig(scales=scales, flip=flip))
        once = Predictor(self._network, PredictConfig())
        for still in self._count.each("looking at the images", self.images()):
            path = folder / f"{still.name}.npy"
            path.parent.mkdir(parents=True, exist_ok=True)
            with self._autocast():
                looks = predictor if still.rgb.shape == still.full.shape else once
                coarse = looks.index_and_coarse(still.full)[1]
            np.save(path, coarse, allow_pickle=False)

    def features(self, image: TrainingImage) -> npt.NDArray[np.float32]:
        """(F, h, w) inputs of the network's last layer."""
        return self._at(self._network.head, image, inputs=True)

    def embedding(self, image: TrainingImage) -> npt.NDArray[np.float32]:
        """(E, h, w) at the decoder's stride, of the image without the padding around it."""
        if self._network.embedding_head is None:
            raise ConfigError("the network has no embedding head", fix="name it among the stage's heads")
        held = self._at(self._network.embedding_head, image, inputs=False)
        divisor = self._network.divisor
        shares = (side / (divisor * -(-side // divisor)) for side in image.rgb.shape[:2])  # the rest is padding
        height, width = (math.ceil(cells * share) for cells, share in zip(held.shape[1:], shares, strict=True))
        return held[:, :height, :width]

    @torch.inference_mode()
    def _at(self, layer: nn.Module, image: TrainingImage, *, inputs: bool) -> npt.NDArray[np.float32]:
        """What goes into a layer, or comes out of it, without N."""
        seen: list[Tensor] = []

        def look(_: nn.Module, given: tuple[Tensor, ...], made: Tensor) -> None:
            seen.append(given[0] if inputs else made)

        hook = layer.register_forward_hook(look)
        try:
            whole = FullSize(self._network)
            with self._autocast():
                whole(_pixels(image).to(whole.mean.device))
        finally:
            hook.remove()
        return np.asarray(seen[0][0].float().cpu().numpy())

    def responses(self, image: TrainingImage, *, scales: tuple[float, ...], flip: bool) -> npt.NDArray[np.float32]:
        """(C, ceil(H/4), ceil(W/4)); those of all images are made when the first is asked for."""
        made = self._made("responses", scales, flip, self._respond)
        held: npt.NDArray[np.float16] = np.load(made / f"{image.name}.npy", allow_pickle=False)
        self._answers[image.name] = image.present, held.reshape(len(held), -1).max(axis=1) > 0
        return held.astype(np.float32)

    def unseen(self) -> str | None:
        """What to say where maps lack what the tags name: a class that is nowhere likely has no positive response.

        Labels made from such maps lack it too. None where every class is seen in nine of ten images tagged with it.
        """
        if not self._answers:
            return None
        present, seen = (np.stack(flags) for flags in zip(*self._answers.values(), strict=True))
        if self.classes.background is not None:
            present[:, self.classes.background] = False  # behind everything, not answered for by the tag head
        tagged, missed = present.sum(axis=0), (present & ~seen).sum(axis=0)
        rare = np.flatnonzero(missed > tagged / 10)
        if len(rare) == 0:
            return None
        listed = ", ".join(f"{self.classes.names[c]} in {missed[c]} of {tagged[c]}" for c in rare)
        return (
            f"the classifier sees nothing of a class in images tagged with it: {listed}. "
            "Their labels lack it; more tagged images may mend that, for a trained classifier also more train.epochs"
        )

    def _respond(self, folder: Path, scales: tuple[float, ...], flip: bool) -> None:
        responder = CamPredictor(self._network, scales=scales, flip=flip)
        for still in self._count.each("looking for classes", self.images()):
            path = folder / f"{still.name}.npy"
            path.parent.mkdir(parents=True, exist_ok=True)
            with self._autocast():
                coarse = responder.coarse(still.rgb)
            np.save(path, coarse.astype(np.float16), allow_pickle=False)

    @torch.inference_mode()
    def pooled(self, image: TrainingImage) -> npt.NDArray[np.float32]:
        """(F,) averages of the deepest features."""
        network = self._network
        pixels = network.normalised(_pixels(image).to(next(network.parameters()).device))
        size = looked_at(pixels, 1.0, network.divisor)
        with self._autocast():
            pooled = network.pooled(F.interpolate(pixels, size, mode="bilinear", align_corners=False))
        return np.asarray(pooled[0].float().cpu().numpy())

    def each(self, work: Callable[[Job], Result], jobs: Iterable[Job]) -> Iterator[Result]:
        """``work(job)`` for every job, in their order, in as many processes as torch may use threads."""
        return stream(work, jobs, workers=torch.get_num_threads(), threads=1, named=lambda _: "labels between stages")

    def write_labels(self, name: str, labels: npt.NDArray[np.uint8]) -> None:
        """Keep hard labels for the next stage."""
        self._pseudo.write_labels(name, labels)
        self._count.one("making labels")

    def write_soft(self, name: str, probabilities: npt.NDArray[np.float32]) -> None:
        """Keep soft labels for the next stage."""
        self._pseudo.write_soft(name, probabilities)
        self._count.one("making labels")

    def write_subtags(self, name: str, subtags: npt.NDArray[np.int8]) -> None:
        """Keep sub-categories for the next stage."""
        self._pseudo.write_subtags(name, subtags)
        self._count.one("making labels")


class Count:
    """Tells a reporter how many of the images are done, task after task.

    Args:
        reporter: Who watches.
        images: How many there are.
    """

    def __init__(self, reporter: Reporter, images: int) -> None:
        self._reporter, self._images = reporter, images
        self._task, self._done, self._began = "", 0, time.perf_counter()

    def each(self, task: str, stills: Iterable[TrainingImage]) -> Iterator[TrainingImage]:
        """The images, each counted when the next one is asked for."""
        self._began = time.perf_counter()
        self._start(task)
        for still in stills:
            yield still
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
            self._began = time.perf_counter()  # of what comes next
        self._task = ""

    def _start(self, task: str) -> None:
        self.close()
        self._task, self._done = task, 0
        self._reporter.start(task, self._images, 0)


def _pixels(image: TrainingImage) -> Tensor:
    """(1, 3, H, W) in [0, 1]."""
    return torch.from_numpy(image.rgb.copy()).permute(2, 0, 1)[None].float() / 255
