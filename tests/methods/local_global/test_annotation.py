"""Network and local model together, within what the hints allow."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from underpaint.hints.candidates import Candidates, ImageKnowledge, build_candidates
from underpaint.hints.types import Hints, Tags
from underpaint.methods.local_global.labels import AnnotationConfig, CombinedAnnotations, Job, annotated, hard, pooled
from underpaint.testing import CLASSES, ToyInference

H, W, C = 12, 17, 4
PLAIN = AnnotationConfig(
    local="colour", weight=0.0, average="arithmetic", regulariser="none", other=0.0, confidence=0.0
)


def some_candidates(
    *, absent: tuple[int, ...] = (), boxes: tuple[tuple[float, ...], ...] = (), labels: tuple[int, ...] = ()
) -> Candidates:
    """Two hinted pixels of class 0, boxes of the given classes with nothing of those outside, and absent classes."""
    knowledge = ImageKnowledge(np.zeros(C, bool), np.isin(range(C), absent), np.isin(range(C), labels))
    seeds = np.full((H, W), 255, np.uint8)
    seeds[0, :2] = 0
    return build_candidates(knowledge, seeds, np.array(boxes).reshape(-1, 4), labels, 0)


def a_job(candidates: Candidates, classes: tuple[int, ...]) -> Job:
    rng = np.random.default_rng(3)
    rgb = rng.integers(0, 255, (H, W, 3)).astype(np.uint8)
    network = rng.dirichlet(np.ones(C), (H, W)).transpose(2, 0, 1).astype(np.float32)
    named = np.array(classes)
    return Job("a", rgb, candidates, named, np.ones(len(named), bool), network[named], None)


def in_a_loop(job: Job, *, other: float, confidence: float) -> npt.NDArray[np.uint8]:
    """Labels of a rule without local model and regulariser, pixel by pixel."""
    assert job.network is not None
    seeds, allowed = job.candidates.seeds(), job.candidates.allowed()
    labels = np.full((H, W), 255, np.uint8)
    for y in range(H):
        for x in range(W):
            if seeds[y, x] != 255:
                labels[y, x] = seeds[y, x]
                continue
            left = [job.network[k, y, x] * allowed[y, x, c] for k, c in enumerate(job.classes)]
            rest = 1 - sum(left) if other else 0.0
            shares = np.array([*left, rest]) / (sum(left) + rest)
            best = int(shares.argmax())
            if best < len(left) and shares[best] >= confidence:
                labels[y, x] = job.classes[best]
    return labels


@pytest.mark.parametrize(("other", "confidence"), [(0.0, 0.0), (0.0, 0.6), (0.4, 0.0), (0.4, 0.5)])
@pytest.mark.parametrize(
    ("candidates", "classes"),
    [
        (some_candidates(absent=(3,)), (0, 1, 2)),
        (some_candidates(boxes=((3.0, 2.0, 11.0, 9.0),), labels=(2,)), (0, 2)),
        (some_candidates(boxes=((3.0, 2.0, 11.0, 9.0), (8.0, 4.0, 16.0, 12.0)), labels=(2, 1)), (0, 1, 2)),
    ],
)
def test_the_network_chooses_within_tags_and_boxes(
    candidates: Candidates, classes: tuple[int, ...], other: float, confidence: float
) -> None:
    job = a_job(candidates, classes)
    labels = hard(job.classes, annotated(job, rule=PLAIN.model_copy(update={"other": other, "confidence": confidence})))
    np.testing.assert_array_equal(labels, in_a_loop(job, other=other, confidence=confidence))


@pytest.mark.parametrize("shown", [True, False])
def test_where_a_class_that_is_there_is_not_found_nothing_is_believed(shown: bool) -> None:
    """All of a tagged image but its strokes; of a boxed one, its boxes of that class."""
    tagged = a_job(some_candidates(absent=(3,)), (0, 1, 2))
    boxed = a_job(some_candidates(boxes=((3.0, 2.0, 11.0, 9.0), (8.0, 4.0, 16.0, 12.0)), labels=(2, 1)), (0, 1, 2))
    inside = np.zeros((H, W), bool)
    inside[2:9, 3:11] = True
    strokes = np.zeros((H, W), bool)
    strokes[0, :2] = True
    for job, doubtful in ((tagged, ~strokes), (boxed, inside)):
        assert job.network is not None
        job.network[2] = 0
        job.present[2] = shown
        labels = hard(job.classes, annotated(job, rule=PLAIN))
        np.testing.assert_array_equal(labels == 255, doubtful & shown)
        job.network[2, 6, 5] = 1.0
        job.network[[0, 1], 6, 5] = 0
        assert (hard(job.classes, annotated(job, rule=PLAIN)) != 255).all(), "one pixel is enough"


def test_no_regulariser_carries_a_class_out_of_its_box() -> None:
    job = a_job(some_candidates(boxes=((3.0, 2.0, 11.0, 9.0),), labels=(2,)), (0, 2))
    outside = np.ones((H, W), bool)
    outside[2:9, 3:11] = False
    for kind in ("crf", "par"):
        labels = hard(job.classes, annotated(job, rule=PLAIN.model_copy(update={"regulariser": kind})))
        assert (labels[outside] == 0).all()
        assert (labels == 2).any()


def test_the_local_model_takes_part_only_where_every_class_is_drawn() -> None:
    job = a_job(some_candidates(absent=(3,)), (0, 1))
    with_local = PLAIN.model_copy(update={"weight": 0.9})
    np.testing.assert_array_equal(annotated(job, rule=with_local), annotated(job, rule=PLAIN))

    drawn = job.candidates.index.copy()
    drawn[5, 5:9] = len(job.candidates.sets)
    sets = np.concatenate([job.candidates.sets, np.arange(C)[None] == 1])
    complete = replace(job, candidates=Candidates(sets, drawn))
    assert not np.array_equal(annotated(complete, rule=with_local), annotated(complete, rule=PLAIN))


def test_pooling_repeats_the_border() -> None:
    values = np.arange(2 * 3 * 5, dtype=np.float32).reshape(2, 3, 5)
    cells = pooled(values, 2)
    assert cells.shape == (2, 2, 3)
    np.testing.assert_allclose(cells[:, 0, 0], values[:, :2, :2].mean(axis=(1, 2)))
    np.testing.assert_allclose(cells[:, 1, 2], values[:, 2, 4])


def stage_labels(tmp_path: Path, hints: Hints) -> list[npt.NDArray[np.uint8]]:
    infer = ToyInference(tmp_path)
    knowledge = ImageKnowledge.of(hints, CLASSES)
    nothing = np.full(infer._image.seeds.shape, 255, np.uint8)
    candidates = build_candidates(knowledge, nothing, np.empty((0, 4)), (), CLASSES.background)
    infer._image = replace(
        infer._image, hints=hints, candidates=candidates, allowed=~knowledge.absent, present=knowledge.present
    )
    CombinedAnnotations(AnnotationConfig(other=0, confidence=0), CLASSES).make(infer)
    return infer.written


def test_tags_let_the_network_annotate_and_nothing_known_does_not(tmp_path: Path) -> None:
    rest = [CLASSES.names[i] for i in CLASSES.foreground]

    tagged = Tags(present=frozenset({rest[0]}), absent=frozenset(rest[1:]))
    (labels,) = stage_labels(tmp_path, Hints("toy", tags=tagged))
    allowed = {0, CLASSES.names.index(rest[0])}  # the background may always be seen
    assert set(np.unique(labels)) == allowed
    assert stage_labels(tmp_path, Hints("toy")) == []
    assert stage_labels(tmp_path, Hints("toy", mask="masks/toy.png")) == []
