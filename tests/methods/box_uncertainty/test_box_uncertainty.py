"""Boxes beside masks: which pixels feel the variance, what weighs how much, and a training on scenes."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from underpaint import Plan, Run, plan, predict
from underpaint.annotations.jsonl import read_hints, write_hints
from underpaint.core.classes import ClassTable
from underpaint.core.errors import ConfigError, RunError
from underpaint.data.samples import Sample, collate
from underpaint.hints.candidates import ImageKnowledge, build_candidates
from underpaint.hints.types import Box, Hints
from underpaint.imagefiles.masks import write_index_mask
from underpaint.methods.box_uncertainty.boxes import BoxGrid
from underpaint.methods.box_uncertainty.method import BoxUncertainty, BoxUncertaintyConfig
from underpaint.methods.registry import heads_of
from underpaint.predict import PredictConfig, Predictor
from underpaint.records import UNKNOWN, Batch, Head, NetOutput, Progress, Terms
from underpaint.training.reporter import Silent

CLASSES = ClassTable.of(("background", "cat", "dog"))
SIZE, GRID = (16, 24), (4, 6)
EARLY, LATE = Progress(0, 100), Progress(90, 100)


def mixed(*, padding: int = 4, background: int | None = 0) -> Batch:
    """An image with a mask and one with two overlapping boxes, completely boxed; the last columns are padding."""
    rng = np.random.default_rng(0)
    valid = np.ones(SIZE, bool)
    valid[:, SIZE[1] - padding :] = False
    mask = np.zeros(SIZE, np.uint8)
    mask[4:12, 4:12] = 1
    samples = []
    boxes = [np.empty((0, 4)), np.array([[2.0, 2, 12, 14], [8, 6, 18, 12]])]
    for seeds, corners, labels in ((mask, boxes[0], ()), (np.full_like(mask, UNKNOWN), boxes[1], (1, 2))):
        none = np.zeros(3, bool)
        knowledge = ImageKnowledge(none, none, np.array([False, bool(labels), bool(labels)]))
        candidates = build_candidates(knowledge, seeds, corners, labels, background)
        rgb = torch.from_numpy(0.5 + 0.02 * rng.random((3, *SIZE), np.float32)) * torch.from_numpy(valid)
        samples.append(
            Sample(rgb, torch.from_numpy(valid), candidates.index, candidates.sets, none, none, corners, labels, "n")
        )
    return collate(samples, torch.zeros(3), torch.ones(3))


def output(seed: int = 0) -> NetOutput:
    draw = torch.Generator().manual_seed(seed)
    logits = torch.randn(2, 3, *GRID, generator=draw).requires_grad_()
    variance = (3 * torch.rand(2, 1, *GRID, generator=draw)).requires_grad_()
    return NetOutput(logits, SIZE, variance=variance)


def terms_of(out: NetOutput, batch: Batch, progress: Progress = EARLY, **settings: object) -> Terms:
    config = BoxUncertaintyConfig.parse(dict(settings))
    return BoxUncertainty(config, CLASSES).loss(out, batch, progress)


def total(terms: Terms) -> Tensor:
    return torch.stack(list(terms.values())).sum()


def in_boxes() -> list[tuple[int, int, set[int]]]:
    """Cells of the second image in a box and on the photograph, with the classes of their boxes."""
    found = []
    for i in range(GRID[0]):
        for j in range(GRID[1]):
            row, column = 4 * i + 2.5, 4 * j + 2.5
            cover = {1} if 2 <= column < 12 and 2 <= row < 14 else set()
            cover |= {2} if 8 <= column < 18 and 6 <= row < 12 else set()
            if cover and column < SIZE[1] - 4:
                found.append((i, j, cover))
    return found


def test_in_boxes_the_loss_is_that_of_a_loop_over_cells() -> None:
    out, batch = output(), mixed()
    assert out.variance is not None
    cells = in_boxes()
    assert {len(cover) for _, _, cover in cells} == {1, 2}
    losses = []
    for i, j, cover in cells:
        scale = (1 + np.pi / 8 * float(out.variance[1, 0, i, j].detach())) ** -0.5
        p = (out.logits[1, :, i, j].detach() * scale).softmax(dim=0)
        losses.append(-np.log(sum(float(p[c]) for c in cover)))
    seeds = int((batch.seeds() != UNKNOWN).sum()) / 16  # in cells
    assert seeds > len(cells)
    found = terms_of(out, batch, LATE, box_weight=0.5, bootstrap="none")
    assert float(found["boxes"].detach()) == pytest.approx(0.5 * sum(losses) / seeds, rel=1e-5)
    assert float(found["sets"].detach()) == 0, "cells in boxes are not counted twice"
    own = int((batch.seeds()[1] != UNKNOWN).sum()) / 16
    found = terms_of(out, batch, LATE, bootstrap="none", balance="images")
    assert own != seeds, "the other image has labels too"
    assert float(found["boxes"].detach()) == pytest.approx(sum(losses) / max(own, len(cells)) / 2, rel=1e-5)


def test_the_variance_is_felt_in_boxes_alone_and_not_while_they_are_trusted() -> None:
    out, batch = output(), mixed()
    assert out.variance is not None
    (slope,) = torch.autograd.grad(total(terms_of(out, batch, LATE, bootstrap="none")), out.variance)
    assert not slope[0].any()
    felt = {(int(i), int(j)) for i, j in slope[1, 0].nonzero()}
    assert felt == {(i, j) for i, j, _ in in_boxes()}
    other = replace(out, variance=torch.where(slope == 0, 50.0, out.variance))
    one, two = (float(total(terms_of(each, batch, LATE, bootstrap="none")).detach()) for each in (out, other))
    assert one == two
    trusting = terms_of(out, batch, EARLY)["boxes"]
    (slope,) = torch.autograd.grad(trusting, out.variance)
    assert not slope.any()
    plain = terms_of(replace(out, variance=None), batch, uncertainty=False, bootstrap="none")["boxes"]
    assert float(trusting.detach()) == pytest.approx(float(plain.detach()))


def test_pixels_outside_boxes_are_background_by_plain_cross_entropy() -> None:
    """The seeds of the boxed image are what lies outside its boxes."""
    out, batch = output(), mixed()
    seeds = batch.seeds()
    outside = np.ones(SIZE, bool)
    outside[2:14, 2:12] = outside[6:12, 8:18] = outside[:, 20:] = False
    assert np.array_equal((seeds[1] == 0).numpy(), outside)
    full = torch.nn.functional.cross_entropy(out.upsampled(), seeds.long(), ignore_index=UNKNOWN)
    assert float(terms_of(out, batch)["seeds"].detach()) == pytest.approx(float(full.detach()), rel=1e-5)


def test_few_labelled_pixels_leave_the_mean_over_the_boxes() -> None:
    """Where a click is the only label, a cell in a box does not weigh what a click does."""
    out, batch = output(), mixed()
    candidates = batch.candidates.clone()
    candidates[0] = 0  # of a mask with its first pixel left, and outside the boxes nothing said
    candidates[0, 0, 0] = batch.candidates[0, 0, 0]
    outside = (batch.seeds()[1] != UNKNOWN) | ~batch.valid[1]
    candidates[1] = candidates[1].masked_fill(outside, 0)
    clicked = replace(batch, candidates=candidates)
    assert int((clicked.seeds() != UNKNOWN).sum()) == 1
    found = terms_of(out, clicked, uncertainty=False, bootstrap="none")["boxes"]
    p = out.logits.detach().softmax(dim=1)[1]
    losses = [-np.log(sum(float(p[c, i, j]) for c in cover)) for i, j, cover in in_boxes()]
    assert float(found.detach()) == pytest.approx(sum(losses) / len(losses), rel=1e-5)


def chequered() -> NetOutput:
    """In boxes every other cell is taken for background: all rows and columns show their object. Doubt grows."""
    logits, variance = torch.zeros(2, 3, *GRID), torch.zeros(2, 1, *GRID)
    for number, (i, j, cover) in enumerate(in_boxes()):
        for label in cover if (i + j) % 2 else {0}:
            logits[1, label, i, j] = 2.0
        variance[1, 0, i, j] = number
    return replace(output(), logits=logits.requires_grad_(), variance=variance)


@pytest.mark.parametrize("bootstrap", ["hard", "soft"])
def test_bootstrapping_sets_in_at_its_start(bootstrap: str) -> None:
    out, batch = chequered(), mixed()
    kept = terms_of(out, batch, bootstrap="none")["boxes"]
    before = terms_of(out, batch, Progress(19, 100), bootstrap=bootstrap)["boxes"]
    after = terms_of(out, batch, Progress(20, 100), bootstrap=bootstrap)["boxes"]
    assert torch.equal(before, kept)
    assert float(after.detach()) < float(kept.detach()), "targets that the network leans to cost less"


def test_hard_bootstrapping_turns_doubted_cells_to_background() -> None:
    """In boxes of one class; where two overlap, a row or column may show one of them alone."""
    out, batch = chequered(), mixed()
    quiet = {"projection_weight": 0.0, "pairwise_weight": 0.0}
    (slope,) = torch.autograd.grad(terms_of(out, batch, LATE, **quiet)["boxes"], out.logits)
    middle = (len(in_boxes()) - 1) // 2
    turned = {(i, j) for i, j, _ in in_boxes() if slope[1, 0, i, j] < 0}
    doubted = {(i, j) for number, (i, j, _) in enumerate(in_boxes()) if (i + j) % 2 == 0 and number > middle}
    explained = BoxGrid.of(batch, GRID).explained(out.logits.argmax(dim=1))[1]
    assert turned == {(i, j) for i, j in doubted if explained[i, j]}
    assert turned
    assert len(turned) < sum((i + j) % 2 == 0 for i, j, _ in in_boxes())


def test_an_object_that_the_network_does_not_see_keeps_its_label() -> None:
    """All cells of its box are taken for background, half of them with doubt: none becomes background for good."""
    out, batch = output(), mixed()
    logits, variance = torch.zeros(2, 3, *GRID), torch.zeros(2, 1, *GRID)
    logits[:, 0] = 2.0
    variance[1, 0, ::2] = 1.0
    made = replace(out, logits=logits, variance=variance)
    kept = terms_of(made, batch, LATE, bootstrap="none")["boxes"]
    assert torch.equal(terms_of(made, batch, LATE)["boxes"], kept)


def test_without_uncertainty_a_box_is_a_mask_and_the_network_has_no_such_head() -> None:
    out, batch = output(), mixed()
    plain = terms_of(replace(out, variance=None), batch, uncertainty=False, bootstrap="none")
    certain = terms_of(replace(out, variance=torch.zeros(2, 1, *GRID)), batch, bootstrap="none")
    assert {name: float(term.detach()) for name, term in plain.items()} == pytest.approx(
        {name: float(term.detach()) for name, term in certain.items()}
    )
    for on in (True, False):
        method = BoxUncertainty(BoxUncertaintyConfig(uncertainty=on, bootstrap="none"), CLASSES)
        assert (Head.VARIANCE in heads_of(method, method.stages()[0])) is on
    with pytest.raises(ConfigError, match="bootstrap hard needs the learned uncertainty"):
        BoxUncertaintyConfig.parse({"uncertainty": False})


def test_box_weight_0_leaves_the_candidate_sets_to_the_boxes() -> None:
    """Where both boxes and the background are possible every class of the table is, and nothing is learned."""
    out, batch = output(), mixed()
    found = terms_of(out, batch, box_weight=0.0)
    losses = [
        -np.log(sum(float(out.logits[1, :, i, j].detach().softmax(dim=0)[c]) for c in {0, *cover}))
        for i, j, cover in in_boxes()
        if len(cover) == 1
    ]
    assert float(found["sets"].detach()) == pytest.approx(sum(losses) / len(losses), rel=1e-4)
    assert float(found["boxes"].detach()) == 0


def test_what_padding_holds_changes_nothing() -> None:
    out, batch = output(), mixed()
    with torch.no_grad():
        other = replace(out, logits=out.logits.clone(), variance=out.variance)
        other.logits[:, :, :, 5:] = 9.0  # the cell beside it shows in the upsampled seeds and stays
    names = ("boxes", "projection", "pairwise", "sets")
    one, two = terms_of(out, batch, LATE), terms_of(other, batch, LATE)
    for name in names:
        assert float(one[name].detach()) == pytest.approx(float(two[name].detach()), rel=1e-6), name


@pytest.fixture(scope="module")
def discs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight photographs of a disc on ground, two with masks and six with boxes; all have masks to compare with."""
    root = tmp_path_factory.mktemp("discs")
    (root / "classes.txt").write_text("background\ndisc\n")
    (root / "images").mkdir()
    table = ClassTable.of(("background", "disc"))
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:64, :64]
    hints = []
    for n in range(8):
        x, y = (int(v) for v in rng.integers(24, 40, 2))
        inside = (rows + 0.5 - y) ** 2 + (columns + 0.5 - x) ** 2 < 22**2
        colour = np.where(inside[..., None], (200, 90, 60), (90, 120, 90)) + rng.normal(0, 12, (64, 64, 3))
        Image.fromarray(np.clip(colour, 0, 255).astype(np.uint8)).save(root / "images" / f"{n}.png")
        write_index_mask(root / "masks" / f"{n}.png", inside.astype(np.uint8), table)
        box = Box("disc", x - 22, y - 22, x + 22, y + 22)
        masked = Hints(str(n), mask=f"masks/{n}.png")
        hints.append(masked if n < 2 else Hints(str(n), shapes=(box,), boxed=frozenset({"disc"})))
    write_hints(root / "hints.jsonl", hints)
    return root


QUICK = ["views.crop=[64,64]", "views.scales=[1.0,1.0]", "train.batch=4", "train.workers=0", "model.width=32"]


BOXES_AS_MASKS = ["method.settings.uncertainty=false", "method.settings.bootstrap=none"]


def planned(discs: Path, *settings: str) -> Plan:
    return plan(discs, hints=[discs / "hints.jsonl"], method="box-uncertainty", settings=[*QUICK, *settings])


def background_kept(run: Run, discs: Path) -> tuple[float, float]:
    """Of the boxed images, the share of the ground within boxes that is called ground, and of discs called discs."""
    predictor = Predictor(run.network(), PredictConfig())
    hints = read_hints(discs / "hints.jsonl")
    ground, disc = [], []
    for name, hint in hints.items():
        with Image.open(discs / "images" / f"{name}.png") as photograph:
            found = predictor.index(np.array(photograph))
        with Image.open(discs / "masks" / f"{name}.png") as mask:
            truth = np.asarray(mask)
        for box in hint.boxes:
            inside = np.zeros((64, 64), bool)
            inside[int(box.y0) : int(box.y1), int(box.x0) : int(box.x1)] = True
            ground.append(found[inside & (truth == 0)] == 0)
            disc.append(found[truth == 1] == 1)
    return float(np.concatenate(ground).mean()), float(np.concatenate(disc).mean())


def doubt_in_boxes(doubt: Path, discs: Path) -> tuple[float, float]:
    """Mean variance within boxes, beside the discs and on them."""
    ground, disc = [], []
    for name, hint in read_hints(discs / "hints.jsonl").items():
        variance = np.load(doubt / f"{name}.npy", allow_pickle=False).repeat(4, axis=0).repeat(4, axis=1)
        with Image.open(discs / "masks" / f"{name}.png") as mask:
            truth = np.asarray(mask)
        for box in hint.boxes:
            window = (slice(int(box.y0), int(box.y1)), slice(int(box.x0), int(box.x1)))
            ground.append(variance[window][truth[window] == 0])
            disc.append(variance[window][truth[window] == 1])
    return float(np.concatenate(ground).mean()), float(np.concatenate(disc).mean())


@pytest.mark.slow
def test_it_finds_the_object_in_its_box(discs: Path, tmp_path: Path) -> None:
    """
    The method keeps more of the ground in boxes than a training that takes boxes for masks.

    Both find nearly all of the discs. The shares themselves differ between processors (0.62 to 0.88, and 0.46 to 0.60,
    for seeds 0 to 3), so that the two trainings are compared with each other.
    """
    run = planned(discs, "train.epochs=40").train(tmp_path / "run")
    ground, disc = background_kept(run, discs)
    filled, _ = background_kept(planned(discs, "train.epochs=40", *BOXES_AS_MASKS).train(tmp_path / "filled"), discs)
    assert disc > 0.9
    assert ground > filled + 0.1
    predict(run.root, discs / "images", tmp_path / "doubts", draw="uncertainty")
    on_ground, on_disc = doubt_in_boxes(tmp_path / "doubts", discs)
    assert on_ground > 1.1 * on_disc, "the label of a box is doubted more beside the object than on it"


@pytest.mark.slow
def test_a_run_that_was_interrupted_resumes_with_its_share_of_masks(discs: Path, tmp_path: Path) -> None:
    class Impatient(Silent):
        def advance(self, done: int, images_per_second: float, values: Mapping[str, float]) -> None:
            if values:  # there are none while features are computed
                os.kill(os.getpid(), signal.SIGINT)

    steps = planned(discs, "train.epochs=6", "train.checkpoint_every=100")  # 12 steps; the first report is at 10
    assert steps.steps == 12
    with pytest.raises(RunError, match=r"interrupted after step 1[01] of 12"):
        steps.train(tmp_path / "cut", reporter=Impatient())
    cut, whole = steps.train(tmp_path / "cut", resume=True), steps.train(tmp_path / "whole")
    assert (cut.root / "weights.safetensors").read_bytes() == (whole.root / "weights.safetensors").read_bytes()


def test_a_run_that_learned_no_variance_says_so(discs: Path, tmp_path: Path) -> None:
    run = planned(discs, "train.epochs=1", *BOXES_AS_MASKS).train(tmp_path / "run")
    with pytest.raises(RunError, match=r"learned no uncertainty\n.*\n.*--method box-uncertainty"):
        predict(run.root, discs / "images", tmp_path / "doubts", draw="uncertainty")
    assert not (tmp_path / "doubts").exists()
