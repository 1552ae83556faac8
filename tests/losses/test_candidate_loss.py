"""Cross-entropy over candidate sets, against upsampling the whole map and against loops over single cells."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from underpaint.losses.candidates import (
    DENSE_SHARE,
    Balance,
    candidate_terms,
    nothing,
    sample_logits,
    seed_cross_entropy,
    set_cross_entropy,
)
from underpaint.records import UNKNOWN, Batch, NetOutput

SIZES = [
    ((8, 8), (32, 32)),
    ((5, 7), (33, 50)),
    ((6, 9), (6, 9)),
    ((7, 5), (4, 3)),
    ((1, 1), (5, 4)),
    ((6, 1), (13, 4)),
    ((3, 64), (7, 200)),
]


@pytest.fixture
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def random_logits(size: tuple[int, int], *, images: int = 2, classes: int = 4, seed: int = 0) -> Tensor:
    draw = torch.Generator().manual_seed(seed)
    return torch.randn(images, classes, *size, generator=draw).mul(2).requires_grad_()


def random_seeds(size: tuple[int, int], share: float, *, images: int = 2, classes: int = 4) -> Tensor:
    draw = torch.Generator().manual_seed(1)
    labels = torch.randint(0, classes, (images, *size), generator=draw, dtype=torch.uint8)
    return labels.masked_fill(torch.rand(images, *size, generator=draw) >= share, UNKNOWN)


def reference(logits: Tensor, seeds: Tensor, balance: Balance = "pixels") -> Tensor:
    """Upsample everything in double precision, then cross-entropy: of all images at once, or the mean of each one's."""
    full = F.interpolate(logits.double(), size=seeds.shape[1:], mode="bilinear", align_corners=False)
    if balance == "pixels":
        return F.cross_entropy(full, seeds.long(), ignore_index=UNKNOWN)
    each = [reference(logits[n : n + 1], seeds[n : n + 1]) for n in range(len(seeds)) if (seeds[n] != UNKNOWN).any()]
    return torch.stack(each).mean()


def gradient(loss: Tensor, logits: Tensor) -> Tensor:
    (found,) = torch.autograd.grad(loss, logits)
    return found


@pytest.mark.parametrize(("cells", "pixels"), SIZES)
def test_sampling_is_upsampling_and_indexing(cells: tuple[int, int], pixels: tuple[int, int]) -> None:
    logits = random_logits(cells)
    image, row, column = (
        part.flatten()
        for part in torch.meshgrid(torch.arange(2), torch.arange(pixels[0]), torch.arange(pixels[1]), indexing="ij")
    )
    sampled = sample_logits(logits, image, row, column, pixels)
    full = F.interpolate(logits.double(), size=pixels, mode="bilinear", align_corners=False)
    expected = full.permute(0, 2, 3, 1).reshape(len(image), -1)
    torch.testing.assert_close(sampled.double(), expected, rtol=0, atol=2e-6)
    upstream = torch.randn(expected.shape, generator=torch.Generator().manual_seed(3))
    given = gradient((sampled * upstream).sum(), logits)
    torch.testing.assert_close(given, gradient((expected * upstream).sum(), logits), rtol=1e-5, atol=1e-5)


def test_sampling_any_layout_and_half_precision() -> None:
    logits = random_logits((5, 6)).detach()
    where = (torch.tensor([0, 1, 1]), torch.tensor([0, 9, 4]), torch.tensor([3, 23, 11]))
    expected = sample_logits(logits, *where, (10, 24))
    assert torch.equal(sample_logits(logits.to(memory_format=torch.channels_last), *where, (10, 24)), expected)
    half = sample_logits(logits.bfloat16(), *where, (10, 24))
    assert half.dtype == torch.float32
    torch.testing.assert_close(half, expected, rtol=0.02, atol=0.02)


@pytest.mark.parametrize(("cells", "pixels"), [SIZES[0], SIZES[1], SIZES[5]])
@pytest.mark.parametrize("share", [0.08, 0.6])
@pytest.mark.parametrize("balance", ["pixels", "images"])
def test_seed_cross_entropy_equals_the_dense_form(
    cells: tuple[int, int], pixels: tuple[int, int], share: float, balance: Balance, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert 0.08 < DENSE_SHARE < 0.5
    if share < DENSE_SHARE:
        monkeypatch.delattr(NetOutput, "upsampled")  # the sparse path must not make the full map
    logits, seeds = random_logits(cells), random_seeds(pixels, share)
    seeds[0, ::2] = UNKNOWN  # as many labels in all images would make both means one
    loss = seed_cross_entropy(NetOutput(logits, pixels), seeds, balance=balance)
    expected = reference(logits, seeds, balance)
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
    torch.testing.assert_close(gradient(loss, logits), gradient(expected, logits), rtol=1e-4, atol=1e-7)


def test_beside_a_mask_a_click_counts_as_an_image_and_not_as_a_pixel() -> None:
    """Three images, uniform but for one class each: a mask, one pixel, nothing."""
    logits = torch.zeros(3, 2, 4, 4)
    logits[0, 0], logits[1, 0] = 2.0, 2.0
    seeds = torch.full((3, 16, 16), UNKNOWN, dtype=torch.uint8)
    seeds[0], seeds[1, 3, 5] = 0, 1
    right, wrong = math.log1p(math.exp(-2.0)), math.log1p(math.exp(2.0))
    out = NetOutput(logits, (16, 16))
    assert seed_cross_entropy(out, seeds).item() == pytest.approx((256 * right + wrong) / 257)
    assert seed_cross_entropy(out, seeds, balance="images").item() == pytest.approx((right + wrong) / 2)


def test_a_single_seed_by_hand() -> None:
    """One pixel in the middle of four cells: the mean of their logits."""
    logits = torch.tensor([[[[1.0, 2.0], [3.0, 6.0]], [[0.0, 0.0], [0.0, 0.0]]]], requires_grad=True)
    seeds = torch.full((1, 3, 3), UNKNOWN, dtype=torch.uint8)
    seeds[0, 1, 1] = 0
    loss = seed_cross_entropy(NetOutput(logits, (3, 3)), seeds)
    assert loss.item() == pytest.approx(math.log(1 + math.exp(-3.0)))
    share = -0.25 / (1 + math.exp(3.0))
    torch.testing.assert_close(gradient(loss, logits)[0], torch.tensor([share, -share]).view(2, 1, 1).expand(2, 2, 2))


def test_gradient_has_the_same_bits_every_time(two_threads: None) -> None:
    """Many pixels share few cells: indexing, whose backward adds from two threads at once, fails one run in five."""
    logits, seeds = random_logits((4, 4), classes=8), random_seeds((192, 192), 0.18, classes=8)
    assert 10_000 < (seeds != UNKNOWN).sum() < DENSE_SHARE * seeds.numel()
    first = gradient(seed_cross_entropy(NetOutput(logits, (192, 192)), seeds), logits)
    for _ in range(20):
        assert torch.equal(gradient(seed_cross_entropy(NetOutput(logits, (192, 192)), seeds), logits), first)


def all_unknown(batch: int, size: tuple[int, int]) -> Tensor:
    return torch.full((batch, *size), UNKNOWN, dtype=torch.uint8)


def test_nothing_labelled_is_a_zero_on_the_graph() -> None:
    logits = random_logits((4, 4))
    loss = seed_cross_entropy(NetOutput(logits, (16, 16)), all_unknown(2, (16, 16)))
    assert loss.item() == 0
    assert torch.equal(gradient(loss, logits), torch.zeros_like(logits))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_nothing_is_finite_where_the_sum_is_not(dtype: torch.dtype) -> None:
    """The sum of these logits is beyond half precision; infinity times zero would stop the training."""
    logits = torch.full((2, 8, 64, 64), 100.0, dtype=dtype, requires_grad=True)
    assert nothing(logits).item() == 0
    assert torch.equal(gradient(nothing(logits), logits), torch.zeros_like(logits))


def random_batch(size: tuple[int, int], *, classes: int = 4, valid: Tensor | None = None) -> Batch:
    """Two images whose palettes hold all classes, some, one and none."""
    draw = torch.Generator().manual_seed(5)
    sets = torch.rand(2, 6, classes, generator=draw) < 0.5
    sets[:, 0] = torch.tensor([[True] * (classes - 1) + [False], [True] * classes])
    sets[:, 1] = True
    sets[:, 2] = torch.arange(classes) == 2
    sets[0, 3] = False
    return Batch(
        rgb=torch.rand(2, 3, *size, generator=draw),
        valid=torch.ones(2, *size, dtype=torch.bool) if valid is None else valid,
        candidates=torch.randint(0, 6, (2, *size), generator=draw, dtype=torch.uint8),
        sets=sets,
        tags=torch.zeros(2, classes, dtype=torch.bool),
        tags_known=torch.zeros(2, classes, dtype=torch.bool),
        boxes=(torch.zeros(0, 4),) * 2,
        box_classes=(torch.zeros(0, dtype=torch.long),) * 2,
        ids=("a", "b"),
        mean=torch.zeros(3),
        std=torch.ones(3),
    )


def brute_sets(logits: Tensor, batch: Batch, *, whole_image: bool) -> list[float]:
    """``-log sum_{c in set} p_c`` of every cell that counts."""
    found = []
    images, classes, h, w = logits.shape
    height, width = batch.valid.shape[1:]
    z = logits.detach().double()
    for n in range(images):
        for i in range(h):
            for j in range(w):
                row, column = int((i + 0.5) * height / h), int((j + 0.5) * width / w)
                index = int(batch.candidates[n, row, column])
                allowed = [c for c in range(classes) if batch.sets[n, index, c]]
                if not batch.valid[n, row, column] or len(allowed) == classes or (index == 0) != whole_image:
                    continue
                if len(allowed) < 2 and not (whole_image and allowed):
                    continue
                p = [math.exp(z[n, c, i, j].item()) for c in range(classes)]
                found.append(-math.log(sum(p[c] for c in allowed) / sum(p)))
    return found


@pytest.mark.parametrize("whole_image", [False, True])
@pytest.mark.parametrize(("cells", "pixels"), SIZES)
def test_set_cross_entropy_equals_a_loop_over_cells(
    cells: tuple[int, int], pixels: tuple[int, int], whole_image: bool
) -> None:
    logits, batch = random_logits(cells), random_batch(pixels)
    batch.valid[1, :, -1] = False
    losses = brute_sets(logits, batch, whole_image=whole_image)
    loss = set_cross_entropy(NetOutput(logits, pixels), batch, whole_image=whole_image)
    assert loss.item() == pytest.approx(sum(losses) / max(len(losses), 1), rel=1e-5, abs=1e-7)
    slope = gradient(loss, logits)
    assert torch.isfinite(slope).all()
    assert slope.abs().sum() == 0 if not losses else slope.abs().sum() > 0
    moved = torch.randn(logits.shape, generator=torch.Generator().manual_seed(9))
    step = 1e-3
    ahead, behind = (
        brute_sets((logits + sign * step * moved).detach(), batch, whole_image=whole_image) for sign in (1, -1)
    )
    numeric = (sum(ahead) - sum(behind)) / (2 * step * max(len(losses), 1))
    assert (slope * moved).sum().item() == pytest.approx(numeric, rel=2e-3, abs=2e-4)


def test_one_allowed_class_over_the_whole_image() -> None:
    """Everything but one class absent: no seed, but the absent-class loss is the cross-entropy of that class."""
    batch = random_batch((8, 8))
    batch.sets[:, 0] = torch.tensor([False, True, False, False])
    batch.candidates.zero_()
    logits = random_logits((2, 2))
    assert (batch.seeds() == UNKNOWN).all()
    loss = set_cross_entropy(NetOutput(logits, (8, 8)), batch, whole_image=True)
    assert loss.item() == pytest.approx((-logits.log_softmax(1)[:, 1].mean()).item(), rel=1e-5)


def test_probability_moves_into_the_set_and_keeps_its_proportions() -> None:
    batch = random_batch((4, 4))
    batch.sets[:, 4] = torch.tensor([True, True, False, False])
    batch.candidates.fill_(4)
    logits = random_logits((1, 1))
    slope = gradient(set_cross_entropy(NetOutput(logits, (4, 4)), batch, whole_image=False), logits)
    assert (slope[:, :2] < 0).all()
    assert (slope[:, 2:] > 0).all()
    p = logits.softmax(1)
    torch.testing.assert_close(slope[:, 0] / slope[:, 1], p[:, 0] / p[:, 1])


def test_sets_with_nothing_to_learn() -> None:
    batch = random_batch((8, 8))
    batch.sets[:] = True
    logits = random_logits((2, 2))
    for whole_image in (True, False):
        loss = set_cross_entropy(NetOutput(logits, (8, 8)), batch, whole_image=whole_image)
        assert loss.item() == 0
        assert torch.equal(gradient(loss, logits), torch.zeros_like(logits))


def test_half_precision_logits() -> None:
    batch = random_batch((16, 16))
    logits = random_logits((4, 4)).detach()
    exact = candidate_terms(NetOutput(logits, (16, 16)), batch, set_weight=1.0, absent_weight=1.0)
    half = candidate_terms(NetOutput(logits.bfloat16(), (16, 16)), batch, set_weight=1.0, absent_weight=1.0)
    for name, term in half.items():
        assert term.dtype == torch.float32
        assert term.item() == pytest.approx(exact[name].item(), rel=0.02)


def test_terms_are_weighted_and_always_three() -> None:
    out, batch = NetOutput(random_logits((4, 4)), (16, 16)), random_batch((16, 16))
    terms = candidate_terms(out, batch, set_weight=2.0, absent_weight=0.5)
    assert terms["seeds"].item() == seed_cross_entropy(out, batch.seeds()).item()
    assert terms["sets"].item() == 2 * set_cross_entropy(out, batch, whole_image=False).item() > 0
    assert terms["absent"].item() == 0.5 * set_cross_entropy(out, batch, whole_image=True).item() > 0
    off = candidate_terms(out, batch, set_weight=0.0, absent_weight=0.0)
    assert set(off) == set(terms)
    assert off["sets"].item() == off["absent"].item() == 0
    assert off["sets"].requires_grad


def pad_right_and_below(batch: Batch, pixels: int) -> Batch:
    """The same images on a larger canvas, with candidates on the padding that must not matter."""
    around = (0, pixels, 0, pixels)
    return Batch(
        **vars(batch)
        | {
            "rgb": F.pad(batch.rgb, around),
            "valid": F.pad(batch.valid, around),
            "candidates": F.pad(batch.candidates, around, value=2),
        }
    )


def test_padding_changes_nothing() -> None:
    """16 pixels of padding, and the network's 4 cells over them: whatever it says there, sets do not hear it.

    A seed within half a cell of the padding reads the cell beside it as well, as the upsampled prediction does; here
    that cell repeats its neighbour.
    """
    batch, logits = random_batch((32, 48)), random_logits((8, 12))
    padded = pad_right_and_below(batch, 16)
    edge = F.pad(logits, (0, 4, 0, 4), mode="replicate")
    wild = F.pad(logits, (0, 4, 0, 4), value=50.0)
    small, large = NetOutput(logits, (32, 48)), (48, 64)
    for whole_image in (True, False):
        loss = set_cross_entropy(small, batch, whole_image=whole_image)
        other = set_cross_entropy(NetOutput(wild, large), padded, whole_image=whole_image)
        assert torch.equal(other, loss)
        assert torch.equal(gradient(other, logits), gradient(loss, logits))
    loss = seed_cross_entropy(small, batch.seeds())
    other = seed_cross_entropy(NetOutput(edge, large), padded.seeds())
    torch.testing.assert_close(other, loss, rtol=1e-6, atol=0)
    torch.testing.assert_close(gradient(other, logits), gradient(loss, logits), rtol=1e-5, atol=1e-8)


def test_seeds_away_from_the_padding_never_read_it() -> None:
    batch, logits = random_batch((32, 32)), random_logits((8, 8))
    batch.candidates[:, -2:] = batch.candidates[:, :, -2:] = 1  # no seeds within half a cell of the padding
    padded = pad_right_and_below(batch, 16)
    wild = F.pad(logits, (0, 4, 0, 4), value=50.0)
    loss = seed_cross_entropy(NetOutput(logits, (32, 32)), batch.seeds())
    other = seed_cross_entropy(NetOutput(wild, (48, 48)), padded.seeds())
    torch.testing.assert_close(other, loss, rtol=1e-6, atol=0)
    torch.testing.assert_close(gradient(other, logits), gradient(loss, logits), rtol=1e-5, atol=1e-8)
