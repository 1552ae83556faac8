"""A finished training, ready to predict: its networks, masks of single images, and scores on a data set."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from underpaint.core.errors import DataError, RunError
from underpaint.core.paths import AnyPath, SomePaths, as_path, as_paths
from underpaint.datasets.areas import open_with_truth, require_truth
from underpaint.evaluation.compare import Evaluation, count_image, evaluation
from underpaint.export import choose_forward
from underpaint.hints.types import Hints
from underpaint.imagefiles.rule import read_image
from underpaint.models.network import Network
from underpaint.predict import PredictConfig, Predictor
from underpaint.predict.bounds import Bound
from underpaint.training.run_folder import PUT_BACK, RunFolder
from underpaint.workflows.known import KnownPhotographs, bound_of, numbers_of

WEIGHTS, TAG_WEIGHTS = "weights.safetensors", "tags.safetensors"

Engine = Literal["auto", "torch", "onnx"]


@dataclass(frozen=True)
class Prediction:
    """The prediction for one image. It can be unpacked: ``mask, probabilities = run.predict(image)``.

    Args:
        mask: (H, W) uint8, the index in ``classes`` of the most probable class of every pixel.
        probabilities: (C, H, W) float32; they sum to 1 at every pixel.
        classes: The C names of the classes.
    """

    mask: npt.NDArray[np.uint8]
    probabilities: npt.NDArray[np.float32]
    classes: tuple[str, ...]

    def __iter__(self) -> Iterator[npt.NDArray[Any]]:
        """The mask, then the probabilities."""
        yield from (self.mask, self.probabilities)


class Run(RunFolder):
    """A finished training in a run folder. `underpaint.train` and `underpaint.load_run` return it.

    Example:
        >>> run = underpaint.load_run("run")  # doctest: +SKIP
        >>> mask, probabilities = run.predict("photograph.jpg")  # doctest: +SKIP
    """

    def predict(
        self,
        image: AnyPath | npt.NDArray[np.uint8],
        *,
        scales: float | Sequence[float] = 1.0,
        flip: bool = False,
        crf: bool = True,
        tile: int | None = None,
        engine: Engine = "auto",
        hints: Hints | SomePaths = (),
    ) -> Prediction:
        """Predict one image at its original size.

        Args:
            image: An (H, W, 3) uint8 array, RGB from 0 to 255, or the path of an image file.
            scales: Factors on the image size, from 0.25 to 4. Probabilities are averaged over them.
            flip: Also average with the prediction for the mirrored image.
            crf: Let the borders of the mask follow the edges of the image, with a dense CRF.
            tile: Longest side in pixels of the network's input; None means the size in training.
            engine: ``torch``, ``onnx``, or ``auto`` for the faster one that is installed.
            hints: Hints on the image (tags, strokes, boxes, areas). Classes that they exclude at a pixel get the
                probability 0 there. If ``image`` is a path, files in any known format can be given; they are matched by
                the name of the image.

        Returns:
            The mask, the probabilities and the names of the classes.

        Raises:
            DataError: The array has a wrong shape or type or is empty, the file cannot be read, or all hints belong to
                other images.
            HintError: The hints contradict each other, lie outside the image, or contain an unknown class.
            ConfigError: A setting is out of range.
            RunError: The training is not finished.
        """
        pixels = self._pixels(image)
        predictor = self.predictor(predict_config(scales=scales, flip=flip, crf=crf, tile=tile, engine=engine))
        bound = self._bound(image, hints, (pixels.shape[0], pixels.shape[1]))
        probabilities = predictor.probabilities(pixels, bound=bound)
        return Prediction(probabilities.argmax(axis=0).astype(np.uint8), probabilities, self.classes.names)

    def evaluate(
        self,
        data: AnyPath,
        *,
        split: str = "test",
        rest: str | None = None,
        scales: float | Sequence[float] = 1.0,
        flip: bool = False,
        crf: bool = True,
    ) -> Evaluation:
        """Predict the images of a split and score the masks, without writing files.

        Args:
            data: A data set with masks or with annotated areas.
            split: Name of the split.
            rest: Class of all pixels without an annotation, if annotated areas are the ground truth.
            scales: As in `predict`.
            flip: As in `predict`.
            crf: As in `predict`.

        Raises:
            DataError: The split does not exist, an image has no ground truth, or the classes differ from those of the
                run.
            RunError: The training is not finished.
        """
        opened = open_with_truth(as_path(data, "data"), rest=rest)
        names, table = opened.split(split), opened.classes
        require_truth(opened, names)
        predictor = self.predictor(predict_config(scales=scales, flip=flip, crf=crf))
        numbers, rule = numbers_of(self.classes, table, opened.root), self.config.images.rule
        counts = (
            count_image(
                name,
                opened.mask(name).read(table),
                numbers[predictor.index(read_image(opened.images[name], rule))],
                table,
            )
            for name in names
        )
        return evaluation(table, split, counts)

    def predictor(self, config: PredictConfig) -> Predictor:
        """Make a predictor with the final network and these settings. It raises the errors of `network`."""
        network = self._final
        forward = choose_forward(network, self.root / "export", self.classes, engine=config.engine)
        return Predictor(network, config, forward=forward)

    @cached_property
    def _final(self) -> Network:
        return self.network()

    def network(self) -> Network:
        """Read the final network from its file, in evaluation mode.

        Raises:
            RunError: The training is not finished, or its files are damaged.
        """
        return self._network(WEIGHTS)

    def variance_network(self) -> Network:
        """Read the final network, which must have a variance head, in evaluation mode.

        Raises:
            RunError: The training is not finished, or the final network has no such head.
        """
        network = self.network()
        if network.variance_head is None:
            raise RunError(
                f"the final network of method {self.config.method.name!r} learned no uncertainty",
                where=self.root,
                fix="train with --method box-uncertainty and its setting uncertainty=true (the default)",
            )
        return network

    def tag_network(self) -> Network:
        """Read the last network with a tag head, in evaluation mode.

        Raises:
            RunError: The training is not finished, or its method trains no tag head.
        """
        if self.trained and not (self.root / TAG_WEIGHTS).is_file():
            raise RunError(
                f"this run has no class activation maps: method {self.config.method.name!r} wrote no {TAG_WEIGHTS}",
                where=self.root,
                fix="train with cam, rrm or sc-cam, which learn from tags",
            )
        network = self._network(TAG_WEIGHTS)
        if network.tag_head is None:
            raise RunError("the weights have no tag head", where=self.root / TAG_WEIGHTS, fix=PUT_BACK)
        return network

    def _network(self, weights: str) -> Network:
        if not self.trained:
            raise RunError("the training is not finished", where=self.root, fix="underpaint train ... --resume")
        config = self.config
        return Network.of_weights(config.model, len(self.classes), self.file(weights), field=config.views.field)

    def _bound(
        self, image: AnyPath | npt.NDArray[np.uint8], hints: Hints | SomePaths, size: tuple[int, int]
    ) -> Bound | None:
        """The bound for an image from the hints of a call; None without hints."""
        if not isinstance(hints, Hints) and not as_paths(hints, "hints"):
            return None
        if isinstance(image, np.ndarray):
            return bound_of(hints, self.classes, size)
        path = as_path(image, "image")
        given = {path.stem: replace(hints, image=path.stem)} if isinstance(hints, Hints) else hints
        return KnownPhotographs.read(path, given, self.classes).bound(path.stem, size)

    def _pixels(self, image: AnyPath | npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        if isinstance(image, np.ndarray):
            return _checked(image, self.config.model.bands)
        return read_image(as_path(image, "image"), self.config.images.rule)


def load_run(path: AnyPath) -> Run:
    """Open the run folder of a finished training.

    Args:
        path: The output folder of `underpaint.train` or ``underpaint train``.

    Returns:
        The run: ``.predict(image)``, ``.evaluate(data)``, ``.classes``, ``.config``, ``.about``.

    Raises:
        RunError: The folder is not a run folder, or its training is not finished.
        DataError: The folder does not exist.

    Example:
        >>> run = underpaint.load_run("run")  # doctest: +SKIP
        >>> run.classes.names  # doctest: +SKIP
        ('background', 'cat')
    """
    run = Run(as_path(path, "path"))
    run.file("config.yaml")
    if not run.trained:
        raise RunError("the training is not finished", where=run.root, fix="train again with resume=True (--resume)")
    return run


def predict_config(
    *,
    scales: float | Sequence[float] = 1.0,
    flip: bool = False,
    crf: bool = True,
    tile: int | None = None,
    engine: Engine = "auto",
) -> PredictConfig:
    """Check the settings of a prediction. It raises `ConfigError` if one is out of range."""
    several = (scales,) if isinstance(scales, int | float) else tuple(scales)
    stated = {"scales": several, "flip": flip, "crf": crf, "tile": tile, "engine": engine}
    return PredictConfig.parse(stated, "the prediction")


def _checked(image: npt.NDArray[np.generic], bands: int) -> npt.NDArray[np.uint8]:
    """Check shape and type of an image array."""
    if image.ndim == 3 and image.shape[2] == bands and image.dtype == np.uint8 and image.size:
        return np.asarray(image, dtype=np.uint8)
    fixes = {
        "f": "scale values from 0 to 1 with (255 * image).round().astype(numpy.uint8)",
        "u": "give the path of the file, so that the window of values of the run is used",
        "i": "convert values from 0 to 255 with image.astype(numpy.uint8)",
        "b": "give the image, not a mask",
    }
    fix = "transpose or repeat its channels to RGB in the last axis, without an alpha channel"
    raise DataError(
        f"the image is an array of shape {image.shape} and type {image.dtype}",
        accepted=f"(height, width, {bands}), uint8, {'RGB' if bands == 3 else 'bands'} from 0 to 255, not empty",
        fix=fix if image.dtype == np.uint8 else fixes.get(image.dtype.kind, fix),
    )
