"""The trained network of a stage over the training images: what a method works with between two stages."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from joblib import Parallel, delayed, parallel_config  # type: ignore[import-untyped]  # it has no types
from torch import Tensor, nn
from torch.nn import functional as F

from underpaint.core.config import Settings
from underpaint.data.hinted import HintedImages
from underpaint.data.pseudo import PseudoLabels
from underpaint.data.samples import Still
from underpaint.methods.base import Job, Result
from underpaint.models.inference import FullSize
from underpaint.models.network import Network
from underpaint.predict import PredictConfig, Predictor
from underpaint.predict.predictor import STRIDE
from underpaint.training.artifacts import make_artifact


class StageInference:
    """See `underpaint.methods.base.Inference`, the form in which a method knows it.

    Args:
        network: In evaluation mode.
        images: The training images.
        folder: Where the labels go.
        store: Where predictions are kept, so that another setting of the method need not make them again.
        given: What predictions depend on: weights and images.
    """

    def __init__(self, network: Network, images: HintedImages, folder: Path, *, store: Path, given: Settings) -> None:
        self.classes = images.data.classes
        self.folder = folder
        self._network, self._images, self._store, self._given = network, images, store, given
        self._pseudo = PseudoLabels(folder, self.classes)

    def images(self) -> Iterator[Still]:
        """The training images that can be read."""
        return self._images.stills()

    def probabilities(self, image: Still, *, scales: tuple[float, ...], flip: bool) -> npt.NDArray[np.float32]:
        """(C, H, W) probabilities of the stage's network; those of all images are made when the first is asked for."""
        inputs = {**self._given, "scales": scales, "flip": flip}
        store = self._store
        predictions = make_artifact(store, "predictions", inputs, lambda folder: self._predict(folder, scales, flip))
        coarse = torch.from_numpy(np.load(predictions / f"{image.name}.npy", allow_pickle=False)).float()
        full = F.interpolate(coarse[None], scale_factor=STRIDE, mode="bilinear", align_corners=False)[0]
        return np.asarray(full[:, : image.rgb.shape[0], : image.rgb.shape[1]].numpy())

    def _predict(self, folder: Path, scales: tuple[float, ...], flip: bool) -> None:
        predictor = Predictor(self._network, PredictConfig(scales=scales, flip=flip))
        for still in self.images():
            path = folder / f"{still.name}.npy"
            path.parent.mkdir(parents=True, exist_ok=True)
            np.save(path, predictor.index_and_coarse(still.rgb)[1])

    @torch.inference_mode()
    def features(self, image: Still) -> npt.NDArray[np.float32]:
        """(F, h, w) inputs of the network's last layer."""
        seen: list[Tensor] = []

        def look(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            seen.append(inputs[0])

        hook = self._network.head.register_forward_pre_hook(look)
        try:
            pixels = torch.from_numpy(image.rgb.copy()).permute(2, 0, 1)[None].float() / 255
            whole = FullSize(self._network)
            whole(pixels.to(whole.mean.device))
        finally:
            hook.remove()
        return np.asarray(seen[0][0].float().cpu().numpy())

    def each(self, work: Callable[[Job], Result], jobs: Iterable[Job]) -> Iterator[Result]:
        """``work(job)`` for every job, in their order, in as many processes as torch may use threads."""
        workers = torch.get_num_threads()
        if workers == 1:
            return map(work, jobs)
        with parallel_config(backend="loky", inner_max_num_threads=1):
            parallel = Parallel(n_jobs=workers, return_as="generator", pre_dispatch="2*n_jobs")
        results: Iterator[Result] = parallel(delayed(work)(job) for job in jobs)
        return results

    def write_labels(self, name: str, labels: npt.NDArray[np.uint8]) -> None:
        """Keep hard labels for the next stage."""
        self._pseudo.write_labels(name, labels)

    def write_soft(self, name: str, probabilities: npt.NDArray[np.float32]) -> None:
        """Keep soft labels for the next stage."""
        self._pseudo.write_soft(name, probabilities)
