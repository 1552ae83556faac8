"""A linear decoder in tiles: its scores are those of the whole image, up to what the encoder sees beyond a tile."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from underpaint.models.config import ModelConfig
from underpaint.models.linear import LinearHead
from underpaint.models.network import Network
from underpaint.predict.config import PredictConfig
from underpaint.predict.predictor import Predictor

CLASSES = 3


@pytest.fixture(scope="module")
def network() -> Network:
    """Scores are linear in colour, which is local, and in the mean of the deepest features over the input."""
    torch.manual_seed(3)
    made = Network(ModelConfig(encoder="test_efficientnet", weights="none", architecture="linear"), CLASSES).eval()
    assert isinstance(made.head, LinearHead)
    with torch.no_grad():
        colour, *between, mean = (part.weight for part in made.head.parts if isinstance(part, nn.Conv2d))
        colour.normal_()
        for weight in between:
            weight.zero_()
        mean.normal_(std=20)
    return made


@pytest.fixture(scope="module")
def photo() -> np.ndarray:
    """(512, 704, 3): dark on the left, bright on the right, so that tiles have other means than the image."""
    noise = np.random.default_rng(0).normal(size=(512, 704, 3))
    ramp = np.linspace(20, 230, 704)[None, :, None]
    return np.clip(ramp + 12 * noise, 0, 255).astype(np.uint8)


def odds(network: Network, photo: np.ndarray, config: PredictConfig) -> np.ndarray:
    """(C - 1, H, W) differences of scores, as far as softmax keeps them."""
    logs = np.log(Predictor(network, config).probabilities(photo).astype(np.float64))
    return np.asarray(logs[1:] - logs[:1])


def test_an_image_up_to_1024_pixels_is_seen_whole_as_in_the_fit(network: Network) -> None:
    assert network.field is None
    assert PredictConfig().image_tile(network.field)[0] == 1024
    trained = Network(ModelConfig(encoder="test_efficientnet", weights="none"), CLASSES, field=256)
    assert PredictConfig().image_tile(trained.field)[0] == 320


def spread(difference: np.ndarray) -> float:
    """How far a difference of scores is from one number for each class."""
    return float(np.ptp(difference, axis=(1, 2)).max())


def test_scores_in_tiles_are_those_of_the_whole_image(network: Network, photo: np.ndarray) -> None:
    """Up to one number for each class: at their borders, the tiles see padding where the image goes on."""
    whole = odds(network, photo, PredictConfig(engine="torch"))
    tiled = odds(network, photo, PredictConfig(engine="torch", tile=256))
    assert spread(tiled - whole) < 1e-2

    predictor = Predictor(network, PredictConfig(engine="torch", tile=256))
    predictor._scene = None  # each tile with its own mean
    logs = np.log(predictor.probabilities(photo).astype(np.float64))
    assert spread(logs[1:] - logs[:1] - whole) > 0.2


def test_mirror_images_and_scales_have_means_of_their_own(network: Network, photo: np.ndarray) -> None:
    config = PredictConfig(engine="torch", flip=True, scales=(1.0, 0.5))
    tiled = odds(network, photo, config.model_copy(update={"tile": 256}))
    assert spread(tiled - odds(network, photo, config)) < 0.1
