"""The tag head: scores are means of its maps; maps of several scales are resized to one grid."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from underpaint.core.errors import ConfigError
from underpaint.models.config import ModelConfig
from underpaint.models.network import Network
from underpaint.models.responses import LONGEST, response_maps, scaled_size
from underpaint.records import Head


def network(*needs: Head, subclasses: int = 0) -> Network:
    torch.manual_seed(0)
    config = ModelConfig.parse({"width": 32, "weights": "none"})
    return Network(config, 3, needs=frozenset(needs), subclasses=subclasses).eval()


IMAGE = torch.randn(2, 3, 64, 96, generator=torch.Generator().manual_seed(0))


@torch.no_grad()
def test_scores_are_means_of_the_maps_over_what_is_no_padding() -> None:
    made = network(Head.TAGS, subclasses=4)
    out = made(IMAGE)
    assert out.tag_maps is not None
    assert out.tag_maps.shape == (2, 3, 4, 6)
    torch.testing.assert_close(out.tag_logits, out.tag_maps.mean(dim=(2, 3)), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(made.tag_maps(IMAGE), out.tag_maps)
    assert out.sub_logits is not None
    assert out.sub_logits.shape == (2, 3, 4)
    valid = torch.ones(2, 64, 96, dtype=torch.bool)
    valid[:, 32:] = False
    torch.testing.assert_close(
        made(IMAGE, valid).tag_logits, out.tag_maps[:, :, :2].mean(dim=(2, 3)), rtol=1e-4, atol=1e-5
    )


@torch.no_grad()
def test_dropout_is_on_the_scores_alone_and_in_training_alone() -> None:
    made = network(Head.TAGS).train()
    first, second = made(IMAGE), made(IMAGE)
    assert first.tag_logits is not None
    assert first.tag_maps is not None
    assert not torch.equal(first.tag_logits, second.tag_logits)
    assert torch.equal(first.tag_maps, made.tag_maps(IMAGE))


@torch.no_grad()
def test_maps_of_scales_are_summed_after_the_negative_is_cut() -> None:
    made = network(Head.TAGS)
    found = response_maps(made, IMAGE, scales=(1.0, 0.5), flip=True, size=(16, 24))
    total = torch.zeros(2, 3, 16, 24)
    for scale in (1.0, 0.5):
        size = [int(side * scale) for side in (64, 96)]
        seen = F.interpolate(IMAGE, size, mode="bilinear", antialias=scale < 1)
        for mirrored in (False, True):
            maps = made.tag_maps(seen.flip(3) if mirrored else seen).clamp(min=0)
            grown = F.interpolate(maps, (16, 24), mode="bilinear", align_corners=False)
            total += grown.flip(3) if mirrored else grown
    torch.testing.assert_close(found, total, rtol=1e-4, atol=1e-5)
    assert response_maps(made, IMAGE, scales=(), flip=True, size=(4, 4)).abs().max() == 0


@torch.no_grad()
def test_classes_that_an_image_shows_compete_for_its_cells() -> None:
    made, rivals = network(Head.TAGS), torch.tensor([[False, True, True], [False, True, False]])
    plain = response_maps(made, IMAGE, scales=(1.0, 0.5), flip=False, size=(8, 12))
    found = response_maps(made, IMAGE, scales=(1.0, 0.5), flip=False, size=(8, 12), rivals=rivals)
    half = F.interpolate(IMAGE, (32, 48), mode="bilinear", antialias=True)
    looks = [F.interpolate(made.tag_maps(seen), (8, 12), mode="bilinear") for seen in (IMAGE, half)]
    scores = (looks[0] + looks[1]) / 2
    torch.testing.assert_close(found[1], plain[1])  # alone, or not named at all: no competition
    torch.testing.assert_close(found[0, 0], plain[0, 0])
    for mine, other in ((1, 2), (2, 1)):
        behind = (scores[0, other] - scores[0, mine]).clamp(min=0)
        torch.testing.assert_close(found[0, mine], plain[0, mine] * torch.exp(-behind), rtol=1e-4, atol=1e-6)
    assert (found[0, 1:] < plain[0, 1:]).any()


def test_scaled_images_have_sides_that_the_network_takes() -> None:
    assert scaled_size(torch.empty(1, 3, 213, 320), 1.0, 16) == (208, 320)
    assert scaled_size(torch.empty(1, 3, 20, 20), 0.5, 16) == (16, 16)
    assert max(scaled_size(torch.empty(1, 3, 3000, 4000), 2.0, 16)) == LONGEST


def test_without_a_tag_head() -> None:
    with pytest.raises(ConfigError, match="no tag head"):
        response_maps(network(), IMAGE, scales=(1.0,), flip=False, size=(4, 4))
