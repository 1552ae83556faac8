"""RRM's label maker against a plain loop over pixels, and where nothing is sure."""

from __future__ import annotations

import numpy as np
import pytest

from underpaint.methods.rrm.labels import Reliability, reliable_labels
from underpaint.methods.tags.refine import refine

SIZE = (20, 24)


def scene(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Responses (4, H, W) with two hills, on a photograph that has two discs."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]]
    rgb = np.full((*SIZE, 3), (60, 120, 60), float)
    maps = np.zeros((4, *SIZE), np.float32)
    for label, (y, x, colour) in {1: (6, 6, (220, 60, 40)), 3: (13, 17, (40, 60, 220))}.items():
        distance = (rows - y) ** 2 + (columns - x) ** 2
        rgb[distance < 25] = colour
        maps[label] = (label * np.exp(-distance / 18.0)).astype(np.float32)
    return maps, (rgb + rng.normal(0, 5, rgb.shape)).clip(0, 255).astype(np.uint8)


def plain(maps: np.ndarray, classes: list[int], rgb: np.ndarray, rule: Reliability) -> np.ndarray:
    """The steps of the paper's code, pixel by pixel; background 0."""
    norm = {c: maps[c] / (maps[c].max() + 1e-5) for c in classes}
    order = [0, *classes]

    def with_background(alpha: float) -> np.ndarray:
        behind = (1 - np.max([norm[c] for c in classes], axis=0)) ** alpha
        return np.stack([behind, *(norm[c] for c in classes)]).astype(np.float32)

    weak = with_background(rule.background_alpha)
    strict, loose = refine(
        [with_background(rule.foreground_alpha), weak], rgb, refiner=rule.refiner, stride=rule.stride
    )
    named = {order[int(k)] for k in np.unique(strict.argmax(axis=0))}
    sure = np.zeros(SIZE, bool)
    for label in named:
        k = order.index(label)
        values = [weak[k, y, x] if weak[:, y, x].argmax() == k else 0.0 for y in range(SIZE[0]) for x in range(SIZE[1])]
        counted = sorted(v for v in values if v > rule.least)
        if label == 0:
            threshold = rule.background
        elif counted:
            threshold = counted[int((1 - rule.share) * len(counted))]
        else:
            continue
        sure |= np.array(values).reshape(SIZE) > threshold
    labels = np.full(SIZE, 255)
    for y in range(SIZE[0]):
        for x in range(SIZE[1]):
            best = order[int(strict[:, y, x].argmax())]
            label = 255 if best == 0 else best
            if loose[:, y, x].argmax() == 0:
                label = 0
            confident = max(loose[0, y, x], *strict[1:, y, x]) >= rule.confidence
            if sure[y, x] and confident:
                labels[y, x] = label
    return labels


@pytest.mark.parametrize("refiner", ["crf", "par"])
def test_equals_a_plain_loop(refiner: str) -> None:
    maps, rgb = scene()
    rule = Reliability(refiner="par" if refiner == "par" else "crf", stride=2)
    present = np.array([True, True, False, True])
    found = reliable_labels(maps, present, rgb, np.ones(SIZE, bool), background=0, rule=rule)
    assert np.array_equal(found, plain(maps, [1, 3], rgb, rule))
    assert {0, 1, 3, 255} == set(np.unique(found).tolist())


def test_padding_changes_nothing_and_gets_no_label() -> None:
    maps, rgb = scene()
    present = np.array([True, True, False, True])
    whole = reliable_labels(maps, present, rgb, np.ones(SIZE, bool), background=0, rule=Reliability())
    grown = np.pad(rgb, ((0, 5), (3, 0), (0, 0)))
    valid = np.pad(np.ones(SIZE, bool), ((0, 5), (3, 0)))
    wide = np.pad(maps, ((0, 0), (0, 5), (3, 0)), constant_values=7.0)  # responses on padding are strongest
    found = reliable_labels(wide, present, grown, valid, background=0, rule=Reliability())
    assert np.array_equal(found[:-5, 3:], whole)
    assert (found[~valid] == 255).all()


def test_nothing_sure() -> None:
    maps, rgb = scene()
    valid = np.ones(SIZE, bool)
    none = np.zeros(4, bool)
    assert (reliable_labels(maps, none, rgb, valid, background=0, rule=Reliability()) == 255).all()
    assert (reliable_labels(maps, ~none, rgb, ~valid, background=0, rule=Reliability()) == 255).all()
    only = np.array([False, False, True, False])  # tagged, and no response anywhere
    found = reliable_labels(maps, only, rgb, valid, background=0, rule=Reliability())
    assert set(np.unique(found).tolist()) <= {0, 255}, "a class that nothing answers to has no pixel"


def test_without_a_background_class() -> None:
    maps, rgb = scene()
    two = np.array([False, True, False, True])
    found = reliable_labels(maps, two, rgb, np.ones(SIZE, bool), background=None, rule=Reliability())
    assert set(np.unique(found).tolist()) == {1, 3, 255}
    assert found[6, 6] == 1
    assert found[13, 17] == 3
    one = np.array([False, True, False, False])
    alone = reliable_labels(maps, one, rgb, np.ones(SIZE, bool), background=None, rule=Reliability())
    norm = maps[1] / (maps[1].max() + 1e-5)
    counted = np.sort(norm[norm > 0.1])
    assert np.array_equal(alone == 1, norm > counted[int(0.6 * len(counted))])
