"""Features of images from a frozen encoder. They are computed once for each image and stored in half precision."""

from __future__ import annotations

import hashlib
import pickle
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Protocol, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

from underpaint.core.digest import code_digest
from underpaint.core.parallel import stream
from underpaint.features.folded import folded
from underpaint.features.store import FeatureStore
from underpaint.kernels.threads import torch_threads
from underpaint.models.config import ModelConfig
from underpaint.models.linear import Levels, LinearHead
from underpaint.models.network import Network

Pixels = npt.NDArray[np.uint8]
Half = npt.NDArray[np.float16]
Item = TypeVar("Item")

TILE = 1024
"""Longest side in pixels of the encoder's input; larger images are cut into tiles."""

OVERLAP = 128
"""Width in pixels of the margin around a tile that is also given to the encoder."""

SERIAL_IMAGES = 24
"""Number of images that this process computes itself before it starts workers. Each worker needs some seconds to
start."""

CODE = ("features/bank.py", "features/folded.py", "models/linear.py", "models/network.py", "models/depthwise.py")
"""Files whose content is part of the name of stored features, so that features of another version are never used."""


@dataclass(frozen=True)
class ImageFeatures:
    """The features of one image.

    Args:
        levels: Each is (F, h, w) in half precision. Each has its own grid, which covers the padded image. The finest
            level comes first.
        padded: Size (H, W) of the padded image.
    """

    levels: tuple[Tensor, ...]
    padded: tuple[int, int]

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle the levels as arrays: between processes torch would share them by file descriptors, which fails."""
        return _of_arrays, (tuple(level.cpu().numpy() for level in self.levels), self.padded)

    @property
    def width(self) -> int:
        """Number of features of a pixel over all levels."""
        return sum(level.shape[0] for level in self.levels)

    def columns(self, rows: npt.NDArray[np.intp], columns: npt.NDArray[np.intp]) -> npt.NDArray[np.float16]:
        """(P, F) features at pixels. All levels are enlarged to the finest grid, and this grid to the pixels.

        The linear head enlarges its scores in the same two steps, so that ``model.scores(columns)`` equals the scores
        of the network at these pixels.
        """
        cells, shares = _corners(rows, columns, self.padded, self.levels[0].shape[1:])
        parts = [(_sampled(level, cells) * shares).sum(dim=1) for level in self.levels]
        return np.asarray(torch.cat(parts).T.half().numpy())

    @property
    def whole(self) -> npt.NDArray[np.float32]:
        """(F,) means of the deepest features over the whole image: the last level."""
        return np.asarray(self.levels[-1].mean(dim=(1, 2)).float().numpy())

    @torch.inference_mode()
    def scores(self, head: LinearHead) -> Tensor:
        """(C, h, w) scores of a linear decoder on the finest grid, which covers the padded image."""
        scores: Tensor = head([level[None].float() for level in self.levels])
        return scores[0]

    def enlarged(self, scores: Tensor, size: tuple[int, int]) -> Tensor:
        """(K, H, W) at the pixels of the image of this size, without its padding, from (K, h, w) on the finest grid."""
        whole = F.interpolate(scores[None], size=self.padded, mode="bilinear", align_corners=False)[0]
        return whole[:, : size[0], : size[1]]


def _of_arrays(levels: tuple[Half, ...], padded: tuple[int, int]) -> ImageFeatures:
    return ImageFeatures(tuple(map(torch.from_numpy, levels)), padded)


class Bank(Protocol):
    """Anything that returns the features of images."""

    @property
    def penalties(self) -> npt.NDArray[np.float64]:
        """(F,) penalty on the weights of each feature in a fit, as a multiple of the usual penalty."""

    def features(self, rgb: Pixels) -> ImageFeatures:
        """Return the features of an (H, W, 3) image."""

    def stream(self, images: Iterable[Pixels]) -> Generator[ImageFeatures, None, None]:
        """Yield the features of many images in the order of the images."""


def paired(bank: Bank, images: Iterable[tuple[Pixels, Item]]) -> Generator[tuple[Item, ImageFeatures], None, None]:
    """Yield the features of many images in order, each with what was given with its image.

    Args:
        bank: Computes the features.
        images: Each (H, W, 3) uint8, with any object. Those of only a few images wait at the same time.
    """
    waiting: deque[Item] = deque()

    def pixels() -> Iterator[Pixels]:
        for rgb, item in images:
            waiting.append(item)
            yield rgb

    with closing(bank.stream(pixels())) as stream:
        for features in stream:
            yield waiting.popleft(), features


class FeatureBank:
    """Features of images from one frozen encoder.

    Each image is computed on one thread, so that the features have the same bits for any number of processes.

    Args:
        network: Provides the encoder and its normalisation; it is put into evaluation mode. Stored features are named
            by the content of its weights, so that features of different encoders are never mixed.
        store: Stores the features; with None they are computed every time.
    """

    def __init__(self, network: Network, store: FeatureStore | None) -> None:
        self._network = network.eval()
        self.store = store
        self._device = next(network.parameters()).device
        channels = network.encoder.out_channels
        self._levels = Levels(channels, network.mean, network.std).to(self._device)
        self._encoder = folded(network.encoder, network.config.bands).to(memory_format=torch.channels_last)
        self._name = _name(network)

    @classmethod
    def frozen(cls, config: ModelConfig, store: FeatureStore | None) -> FeatureBank:
        """Make the bank of an encoder with its pre-trained weights.

        Raises:
            ConfigError: The same as in `Network`.
        """
        return cls(Network(config.model_copy(update={"architecture": "linear"}), 1), store)

    @property
    def penalties(self) -> npt.NDArray[np.float64]:
        """(F,) multiples of the usual penalty. They are larger for the deepest features and their means."""
        return np.repeat(self._levels.penalties, self._levels.channels)

    def features(self, rgb: Pixels) -> ImageFeatures:
        """Return the features of an (H, W, 3) image: read from the store, or computed and stored."""
        return self._read_or_compute(rgb)[0]

    def stream(self, images: Iterable[Pixels], *, workers: int | None = None) -> Generator[ImageFeatures, None, None]:
        """Yield the features of many images in order, computed in several processes of one thread each.

        They have the same bits as those of `features`. With a store, features that were computed before an interruption
        are read again. Only a few images are read in advance, so that memory stays bounded.

        Args:
            images: Each (H, W, 3) uint8. They are read when they are needed.
            workers: Number of processes; None takes torch's number of threads. An encoder on a GPU works only in this
                process.

        Raises:
            RunError: The same as in `underpaint.core.parallel.stream`.
        """
        rest, computed = iter(images), 0
        for rgb in rest:
            features, kept = self._read_or_compute(rgb)
            yield features
            computed += not kept
            if computed >= SERIAL_IMAGES:
                break
        number = 1 if self._device.type != "cpu" else workers or torch.get_num_threads()
        computing = stream(partial(_in_worker, self), rest, workers=number, threads=1, named=_described)
        with closing(computing) as results:
            for levels, padded, failure in results:
                if self.store is not None:
                    self.store.failure = self.store.failure or failure
                yield ImageFeatures(tuple(map(torch.from_numpy, levels)), padded)

    def __getstate__(self) -> dict[str, bytes]:
        """State for another process, as plain bytes: tensors would be shared through shared memory and open files."""
        return {"pickled": pickle.dumps(self.__dict__)}

    def __setstate__(self, state: dict[str, bytes]) -> None:
        self.__dict__.update(pickle.loads(state["pickled"]))

    def _read_or_compute(self, rgb: Pixels) -> tuple[ImageFeatures, bool]:
        """The features of an image, and whether they were read from the store."""
        padded = _padded_size(rgb.shape[:2], self._network.divisor)
        key = hashlib.blake2b(
            repr(rgb.shape).encode() + np.ascontiguousarray(rgb).tobytes(), digest_size=20
        ).hexdigest()
        stored = None if self.store is None else self.store.read(self._name, key)
        if stored is not None and self._can_be_features(stored):
            return ImageFeatures(tuple(stored), padded), True
        levels = self._compute(rgb, padded)
        if self.store is not None:
            self.store.write(self._name, key, levels)
        return ImageFeatures(tuple(levels), padded), False

    def _can_be_features(self, stored: Sequence[Tensor]) -> bool:
        """Whether stored tensors have the types and channels of this encoder: other programs can write to the store."""
        shapes = [tuple(level.shape[:-2]) for level in stored]
        return shapes == [(width,) for width in self._levels.channels] and all(
            level.dtype == torch.float16 and level.numel() > 0 for level in stored
        )

    @torch.inference_mode()
    def _compute(self, rgb: Pixels, padded: tuple[int, int]) -> list[Tensor]:
        image = torch.from_numpy(np.ascontiguousarray(rgb)).to(self._device).permute(2, 0, 1)[None].float() / 255
        image = F.pad(image, (0, padded[1] - rgb.shape[1], 0, padded[0] - rgb.shape[0]), mode="replicate")
        with torch_threads(1):
            scaled = self._network.scaled(self._network.normalised(image)).contiguous(memory_format=torch.channels_last)
            whole = max(scaled.shape[2:]) <= TILE
            features = self._encoder(scaled) if whole else [scaled, *self._tiled(scaled)]
            return [level[0].half().cpu().contiguous() for level in self._levels(features)]

    def _tiled(self, scaled: Tensor) -> list[Tensor]:
        """The encoder's features of a large image, computed in tiles whose margins of `OVERLAP` pixels are cut off."""
        height, width = scaled.shape[2:]
        step = TILE - 2 * OVERLAP
        whole: list[Tensor] = []
        for top, left in product(range(0, height, step), range(0, width, step)):
            y, x = max(0, top - OVERLAP), max(0, left - OVERLAP)
            seen = scaled[:, :, y : top + step + OVERLAP, x : left + step + OVERLAP]
            features = self._encoder(seen)[1:]
            whole = whole or [f.new_empty(1, f.shape[1], *_cells(scaled, seen, f)) for f in features]
            for target, feature in zip(whole, features, strict=True):
                stride = seen.shape[2] // feature.shape[2]
                kept = feature[:, :, (top - y) // stride :, (left - x) // stride :]
                place = target[:, :, top // stride : (top + step) // stride, left // stride : (left + step) // stride]
                place.copy_(kept[:, :, : place.shape[2], : place.shape[3]])
        return whole


def _in_worker(bank: FeatureBank, rgb: Pixels) -> tuple[list[Half], tuple[int, int], str | None]:
    """Levels and padded size of an image, computed in a worker, and the reason if they could not be stored."""
    features = bank.features(rgb)
    levels = [level.numpy() for level in features.levels]
    return levels, features.padded, None if bank.store is None else bank.store.failure


def _described(rgb: Pixels) -> str:
    return f"features of an image of {rgb.shape[1]} x {rgb.shape[0]} pixels"


def _cells(scaled: Tensor, seen: Tensor, feature: Tensor) -> tuple[int, int]:
    """Height and width of the feature map of the whole image; ``feature`` is that of its part ``seen``."""
    stride = seen.shape[2] // feature.shape[2]
    return scaled.shape[2] // stride, scaled.shape[3] // stride


def _name(network: Network) -> str:
    """Name of the features, made from encoder, scale, content of the weights, and the code that computes them."""
    digest = hashlib.blake2b(digest_size=10)
    digest.update(f"{network.config.encoder} {network.config.factor!r} {code_digest(*CODE)}".encode())
    for key, value in sorted(network.encoder.state_dict().items()):
        digest.update(key.encode())
        digest.update(np.ascontiguousarray(value.detach().cpu().numpy()).tobytes())
    return f"{network.config.encoder[:40]}-{digest.hexdigest()}"


def _padded_size(size: Sequence[int], divisor: int) -> tuple[int, int]:
    height, width = (side + -side % divisor for side in size)
    return height, width


def _corners(
    rows: npt.NDArray[np.intp], columns: npt.NDArray[np.intp], padded: tuple[int, int], grid: Sequence[int]
) -> tuple[Tensor, Tensor]:
    """The four cells of the finest grid around every pixel, as (4, P, 2) x and y in -1..1, and their weights (4, P)."""
    y, x = (_taps(at, side, cells) for at, side, cells in ((rows, padded[0], grid[0]), (columns, padded[1], grid[1])))
    cells = [torch.stack([x[i][0], y[j][0]], dim=1) for j in (0, 1) for i in (0, 1)]
    shares = [x[i][1] * y[j][1] for j in (0, 1) for i in (0, 1)]
    return torch.stack(cells), torch.stack(shares)


def _taps(at: npt.NDArray[np.intp], side: int, cells: int) -> list[tuple[Tensor, Tensor]]:
    """The cells before and after a pixel on one axis: their centres in -1..1, and their bilinear weights."""
    place = ((torch.from_numpy(at).float() + 0.5) * (cells / side) - 0.5).clamp(min=0)
    before = place.floor()
    share = place - before
    after = (before + 1).clamp(max=cells - 1)
    return [((2 * before + 1) / cells - 1, 1 - share), ((2 * after + 1) / cells - 1, share)]


def _sampled(level: Tensor, cells: Tensor) -> Tensor:
    """(F, 4, P) values of a level at points (4, P, 2), by bilinear interpolation."""
    if level.shape[1:] == (1, 1):
        return level.float().expand(-1, *cells.shape[:2])
    return F.grid_sample(level[None].float(), cells[None], padding_mode="border", align_corners=False)[0]
