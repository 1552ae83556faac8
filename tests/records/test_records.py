"""What passes between the rooms."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, fields
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from underpaint.hints.candidates import Candidates
from underpaint.records import UNKNOWN, Batch, NetOutput, Progress


def batch(**changes: Any) -> Batch:
    draw = torch.Generator().manual_seed(0)
    given: dict[str, Any] = {
        "rgb": torch.rand(2, 3, 4, 5, generator=draw),
        "valid": torch.ones(2, 4, 5, dtype=torch.bool),
        "candidates": torch.randint(0, 4, (2, 4, 5), generator=draw, dtype=torch.uint8),
        "sets": torch.rand(2, 4, 3, generator=draw) < 0.5,
        "tags": torch.zeros(2, 3, dtype=torch.bool),
        "tags_known": torch.zeros(2, 3, dtype=torch.bool),
        "boxes": (torch.zeros(0, 4), torch.ones(1, 4)),
        "box_classes": (torch.zeros(0, dtype=torch.long), torch.ones(1, dtype=torch.long)),
        "ids": ("a", "b/c"),
        "mean": torch.tensor([0.1, 0.2, 0.3]),
        "std": torch.tensor([0.5, 0.25, 2.0]),
    }
    return Batch(**(given | changes))


def test_seeds_are_the_hinted_pixels_with_one_candidate() -> None:
    made = batch()
    made.valid[0, :, 3:] = False
    seeds = made.seeds()
    assert (seeds.dtype, seeds.shape) == (torch.uint8, made.valid.shape)
    for n, y, x in np.ndindex(2, 4, 5):
        index = int(made.candidates[n, y, x])
        allowed = made.sets[n, index].nonzero().flatten().tolist()
        seed = index != 0 and len(allowed) == 1 and bool(made.valid[n, y, x])
        assert int(seeds[n, y, x]) == (allowed[0] if seed else UNKNOWN)
    assert (seeds != UNKNOWN).any()


def test_set_zero_is_no_hint_on_a_pixel() -> None:
    sets = torch.tensor([[[False, True, False], [False, True, False]]]).expand(2, -1, -1)
    made = batch(
        sets=sets,
        candidates=torch.tensor([0, 1], dtype=torch.uint8).view(1, 1, 2).expand(2, 4, 2),
        valid=torch.ones(2, 4, 2, dtype=torch.bool),
    )
    assert made.seeds().tolist() == [[[UNKNOWN, 1]] * 4] * 2
    assert sets[:, 0, 1].all(), "the batch was changed"


def test_batch_and_image_agree_on_seeds() -> None:
    made = batch()
    for n in range(2):
        alone = Candidates(made.sets[n].numpy(), made.candidates[n].numpy())
        assert np.array_equal(alone.seeds(), made.seeds()[n].numpy())


def test_image_is_normalised_and_padding_is_the_mean_colour() -> None:
    made = batch()
    made.valid[1, 2:] = False
    for n, c, y, x in np.ndindex(2, 3, 4, 5):
        expected = (float(made.rgb[n, c, y, x]) - float(made.mean[c])) / float(made.std[c])
        expected = expected if made.valid[n, y, x] else 0.0
        assert float(made.image[n, c, y, x]) == pytest.approx(expected, abs=1e-6)
    assert made.classes == 3


def test_moving_keeps_everything_else() -> None:
    made = batch(
        soft=torch.rand(2, 3, 2, 2),
        subtags=torch.zeros(2, 3, 4, dtype=torch.int8),
        hinted=torch.ones(2, 4, 5, dtype=torch.bool),
        bands=torch.rand(2, 4, 4, 5),
        scene=torch.rand(2, 6),
    )
    moved = made.to(torch.device("meta"))
    for item in fields(Batch):
        before, after = getattr(made, item.name), getattr(moved, item.name)
        if isinstance(before, Tensor):
            assert (after.device.type, after.shape, after.dtype) == ("meta", before.shape, before.dtype)
        elif item.name == "ids":
            assert after == before
        else:
            assert all(tensor.device.type == "meta" for tensor in after)
    assert batch().to(torch.device("meta")).soft is None


def test_records_are_frozen() -> None:
    with pytest.raises(FrozenInstanceError):
        batch().ids = ()  # type: ignore[misc]  # must fail at run time as well


def test_prediction_is_bilinear_at_the_size_of_the_images() -> None:
    logits = torch.tensor([[[[0.0, 4.0], [8.0, 12.0]]]])
    upsampled = NetOutput(logits, (4, 4)).upsampled()
    assert upsampled[0, 0, 0].tolist() == [0.0, 1.0, 3.0, 4.0]
    assert upsampled[0, 0, :, 0].tolist() == [0.0, 2.0, 6.0, 8.0]
    assert torch.equal(upsampled, F.interpolate(logits, scale_factor=2, mode="bilinear"))


@pytest.mark.parametrize(("step", "steps", "fraction"), [(0, 10, 0.0), (5, 10, 0.5), (10, 10, 1.0), (0, 0, 0.0)])
def test_progress(step: int, steps: int, fraction: float) -> None:
    assert Progress(step, steps).fraction == fraction
