"""Averages a network's outputs for overlapping tiles into one result without seams, in bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import groupby

import torch
from torch import Tensor

from underpaint.predict.tiles import Tile, tiles

Area = tuple[int, int, int, int]
"""Top, bottom, left, right in pixels of the image."""


def blended(
    size: tuple[int, int], output: Callable[[Tile], Tensor], *, tile: int, overlap: int, first: int = 0
) -> Iterator[tuple[Area, Tensor]]:
    """Predict an image tile by tile.

    Around the border between two tiles, up to half the overlap on both sides, their outputs are averaged: the weight of
    one tile falls linearly while that of the other rises. The outer half of the overlap only gives the network context.
    At any time, memory holds one tile and the rows in which tiles are averaged, over the width of the image.

    Args:
        size: (H, W) of the image.
        output: Returns the (K, h, w) output of the network for a tile.
        tile: Longest side of the part that the network sees, in pixels, as in `tiles`.
        overlap: Width of the context around the kept part in pixels, as in `tiles`.
        first: The row of tiles from which on areas are given. The row before it is predicted as well, since its
            numbers are averaged with those below.

    Yields:
        Areas that together contain every pixel of the image exactly once, with their (K, h, w) averaged outputs.
    """
    every = list(tiles(size, tile=tile, overlap=overlap))
    if len(every) == 1:
        if first == 0:
            yield (0, size[0], 0, size[1]), output(every[0])
        return
    reach = overlap // 2
    above: Tensor | None = None
    for number, ((_, bottom), row) in enumerate(groupby(every, key=lambda each: each.kept[:2])):
        if number < first - 1:
            continue
        end = size[0] if bottom == size[0] else max(0, bottom - reach)
        below: Tensor | None = None
        for (top, left), here in _across(size, row, output, reach):
            right = left + here.shape[2]
            if above is not None:
                here[:, : above.shape[1]] += above[:, :, left:right]
            if number >= first:
                yield (top, end, left, right), here[:, : end - top]
            if end < size[0]:
                rest = here[:, end - top :]
                below = rest.new_zeros(len(rest), rest.shape[1], size[1]) if below is None else below
                below[:, :, left:right] = rest
        above = below


def ends_of_rows(size: tuple[int, int], *, tile: int, overlap: int) -> list[int]:
    """The row of pixels at which the areas of each row of tiles end, in order."""
    bottoms = sorted({each.kept[1] for each in tiles(size, tile=tile, overlap=overlap)})
    return [bottom if bottom == size[0] else max(0, bottom - overlap // 2) for bottom in bottoms]


def _across(
    size: tuple[int, int], row: Iterable[Tile], output: Callable[[Tile], Tensor], reach: int
) -> Iterator[tuple[tuple[int, int], Tensor]]:
    """Average a row of tiles from left to right; yields the first row and column of each part with weighted outputs."""
    carried: Tensor | None = None
    for tile in row:
        top, bottom, left, right = tile.kept
        upper, lower, first, last = (
            max(0, top - reach),
            min(size[0], bottom + reach),
            max(0, left - reach),
            min(size[1], right + reach),
        )
        seen = output(tile)[:, upper - tile.seen[0] : lower - tile.seen[0], first - tile.seen[2] : last - tile.seen[2]]
        rows = _weights((upper, lower), (top, bottom), size[0], reach, seen)
        columns = _weights((first, last), (left, right), size[1], reach, seen)
        numbers = seen * (rows[:, None] * columns)
        if carried is not None:
            numbers[:, :, : carried.shape[2]] += carried
        end = size[1] if right == size[1] else max(0, right - reach)
        carried = numbers[:, :, end - first :]
        yield (upper, first), numbers[:, :, : end - first]


def _weights(span: tuple[int, int], kept: tuple[int, int], length: int, reach: int, like: Tensor) -> Tensor:
    """(stop - start,) weights of a tile's pixels along one side; the weights of all tiles sum to 1 at every pixel."""
    middles = torch.arange(*span, device=like.device) + 0.5
    weights = torch.ones_like(middles)
    if reach:
        rise, fall = ((middles - (edge - reach)).div(2 * reach).clamp(0, 1) for edge in kept)
        weights = (weights if kept[0] == 0 else rise) - (0 if kept[1] == length else fall)
    return weights.to(like.dtype)
