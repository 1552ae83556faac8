"""The labels of RRM: class activation maps label the few pixels of an image whose class is nearly certain."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from underpaint.hints.rasterise import UNKNOWN, Mask
from underpaint.methods.tags.maps import Flags, Floats, background_score, normalised, resized, tagged
from underpaint.methods.tags.refine import Pixels, Refiner, refine


@dataclass(frozen=True)
class Reliability:
    """The conditions for a reliable pixel. The defaults are those of the authors' code.

    Args:
        foreground_alpha: Exponent of the background score in the refinement that selects object pixels.
        background_alpha: The same in the refinement that selects background pixels.
        confidence: Smallest probability after the refinements.
        share: Share of the pixels of a class in the maps that are strong: those with the largest responses.
        least: Pixels with a smaller response are not strong and do not count.
        background: Smallest background score of a background pixel, with ``background_alpha``.
        refiner: Dense CRF or pixel-adaptive refinement.
        stride: Side of a label in pixels of the image; the reach of the CRF is divided by it.
    """

    foreground_alpha: float = 4.0
    background_alpha: float = 32.0
    confidence: float = 0.8
    share: float = 0.4
    least: float = 0.1
    background: float = 0.8
    refiner: Refiner = "crf"
    stride: int = 1


def reliable_labels(
    responses: Floats,
    present: Flags,
    rgb: Pixels,
    valid: Flags,
    *,
    background: int | None,
    rule: Reliability,
) -> Mask:
    """Labels of the reliable pixels of one image, 255 for all others.

    A pixel is labelled if the refined maps give it a class with confidence and if its response in the maps is strong.
    These are the two tests of the section "reliable region" of the paper, in the form of the authors' code.

    paper: Zhang et al., "Reliability Does Matter", AAAI 2020. Departures: padding is cut off first; a class
    may have no reliable pixel (the authors' code fails then); without a background class there is one
    refinement and no background.

    Args:
        responses: (C, h', w') >= 0, at any size.
        present: (C,) classes known to be in the image.
        rgb: (h, w, 3) uint8.
        valid: (h, w) bool, a rectangle.
        background: Index of the background class, or None.
        rule: The conditions for a reliable pixel.

    Returns:
        (h, w) uint8.
    """
    labels = np.full(valid.shape, UNKNOWN, np.uint8)
    classes = tagged(present, background)
    if len(classes) == 0 or not valid.any():
        return labels
    rows, columns = np.flatnonzero(valid.any(axis=1)), np.flatnonzero(valid.any(axis=0))
    window = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    maps = normalised(resized(responses[classes], (valid.shape[0], valid.shape[1]))[:, window[0], window[1]])
    inside = np.ascontiguousarray(rgb[window])
    if background is None:
        sure = _without_background(maps, inside, classes, rule)
    else:
        sure = _with_background(maps, inside, classes, background, rule)
    labels[window] = np.where(valid[window], sure, UNKNOWN)
    return labels


def _with_background(
    maps: Floats, rgb: Pixels, classes: npt.NDArray[np.int64], background: int, rule: Reliability
) -> Mask:
    strict, loose = (
        np.concatenate([background_score(maps, kind="power", level=alpha)[None], maps])
        for alpha in (rule.foreground_alpha, rule.background_alpha)
    )
    objects, ground = refine([strict, loose], rgb, refiner=rule.refiner, stride=rule.stride)
    named = np.concatenate([[background], classes])
    best = objects.argmax(axis=0)
    labels = np.where(best > 0, named[best], UNKNOWN)
    labels = np.where(ground.argmax(axis=0) == 0, background, labels)
    confident = np.maximum(ground[0], objects[1:].max(axis=0)) >= rule.confidence
    strong = _strong(loose, best, rule)
    return np.where(confident & strong, labels, UNKNOWN).astype(np.uint8)


def _without_background(maps: Floats, rgb: Pixels, classes: npt.NDArray[np.int64], rule: Reliability) -> Mask:
    # With one class, a refinement changes nothing; the responses alone select the pixels.
    refined = refine([maps], rgb, refiner=rule.refiner, stride=rule.stride)[0] if len(maps) > 1 else np.ones_like(maps)
    best = refined.argmax(axis=0)
    behind = np.zeros((1, *maps.shape[1:]), np.float32)
    strong = _strong(np.concatenate([behind, maps]), best + 1, rule)
    return np.where((refined.max(axis=0) >= rule.confidence) & strong, classes[best], UNKNOWN).astype(np.uint8)


def _strong(scores: Floats, refined: npt.NDArray[np.int64], rule: Reliability) -> Flags:
    """(h, w): whether the response is among the strongest of a class that the refinement found in the image.

    Args:
        scores: (1 + K, h, w); the background comes first.
        refined: (h, w) in 0..K, the class after the refinement.
        rule: Thresholds.
    """
    own = scores.argmax(axis=0)
    strong = np.zeros(own.shape, bool)
    for k in np.unique(refined):
        value = np.where(own == k, scores[k], 0)
        if k == 0:
            strong |= value > rule.background
            continue
        # The quantile is over the pixels of the class in the maps, above the least response.
        counted = np.sort(value[value > rule.least])
        if len(counted):
            strong |= value > counted[min(int((1 - rule.share) * len(counted)), len(counted) - 1)]
    return strong
