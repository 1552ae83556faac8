"""The permutohedral lattice in torch, for any device, in float32 or float64. Tests compare the compiled one with it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from underpaint.kernels.bilateral.coordinates import elevation_scale, packing
from underpaint.kernels.bilateral.lattice import Direction


@dataclass(frozen=True)
class TorchLattice:
    """The same filter as `bilateral.lattice.Lattice`, on tensors. Vertices are numbered in the order of their keys.

    On a GPU the splat adds with atomic operations: the last bits differ between runs unless
    ``torch.use_deterministic_algorithms(True)`` is set.

    Args:
        dimensions: d.
        corners: (P, d + 1) int64, the vertices around each point, from 1; 0 is the null vertex.
        weights: (P, d + 1) barycentric weights of the corners.
        neighbours: (d + 1, M + 1, 2) int64, the two neighbours of each vertex along each axis; 0 where there is none.
    """

    dimensions: int
    corners: Tensor
    weights: Tensor
    neighbours: Tensor

    @classmethod
    def build(cls, features: Tensor, active: Tensor | None = None) -> TorchLattice:
        """Build the lattice of (d, P) features; ``active`` (P,) bool says which points to use, None means all."""
        dims, points = features.shape
        scale = torch.from_numpy(elevation_scale(dims)).to(features)
        low, high = (torch.stack(features.aminmax(dim=1)) * scale).float().cpu().numpy()
        packed, base = packing(low, high)
        stride = torch.from_numpy(packed).to(features.device)
        used = torch.arange(points, device=features.device) if active is None else active.nonzero()[:, 0]
        keys, share = _embed(features[:, used].T * scale, stride, base)
        vertices, inverse = torch.unique(keys, return_inverse=True)
        corners = torch.zeros(points, dims + 1, dtype=torch.int64, device=features.device)
        weights = torch.zeros(points, dims + 1, dtype=features.dtype, device=features.device)
        corners[used], weights[used] = inverse + 1, share
        return cls(dims, corners, weights, _link(vertices, stride))

    def filter(self, planes: Tensor, direction: Direction = "forth") -> Tensor:
        """Filter (C, P) into (C, P), in the type of ``planes``."""
        if direction == "both":
            return self._filter(planes, transpose=False) + self._filter(planes, transpose=True)
        return self._filter(planes, transpose=direction == "back")

    def _filter(self, planes: Tensor, *, transpose: bool) -> Tensor:
        rows, weights = planes.T, self.weights.to(planes.dtype)
        vertices = planes.new_zeros(self.neighbours.shape[1], len(planes))
        for k in range(self.dimensions + 1):
            vertices.index_add_(0, self.corners[:, k], rows * weights[:, k, None])
        vertices[0] = 0
        axes = range(self.dimensions, -1, -1) if transpose else range(self.dimensions + 1)
        for axis in axes:
            left, right = self.neighbours[axis].unbind(dim=-1)
            vertices = vertices + (vertices[left] + vertices[right]) / 2
            vertices[0] = 0
        sliced = torch.zeros_like(rows)
        for k in range(self.dimensions + 1):
            sliced.addcmul_(vertices[self.corners[:, k]], weights[:, k, None])
        return sliced.T / (1 + 2.0**-self.dimensions)


def _embed(scaled: Tensor, stride: Tensor, base: int) -> tuple[Tensor, Tensor]:
    """Keys and barycentric weights (P, d + 1) of the vertices around points with scaled features (P, d)."""
    points, dims = scaled.shape
    n = dims + 1
    tail = scaled.flip(1).cumsum(1).flip(1)  # sum over all features from j on
    lower = tail - torch.arange(dims, device=scaled.device) * torch.cat([scaled[:, :1], scaled[:, :-1]], dim=1)
    elevated = torch.cat([lower, -dims * scaled[:, -1:]], dim=1)
    whole = torch.floor(elevated / n + 0.5)
    residual = elevated - whole * n
    order = residual.argsort(dim=1, descending=True, stable=True)
    rank = order.argsort(dim=1) + whole.sum(dim=1, keepdim=True).long()
    wrap = (rank < 0).long() - (rank >= n).long()
    rank, rounded = rank + n * wrap, n * (whole.long() + wrap)
    offset = (elevated - rounded) / n
    inverse = rank.argsort(dim=1)
    offset, steps = offset.gather(1, inverse), (n * stride)[inverse]
    share = torch.cat([1 + offset[:, -1:] - offset[:, :1], (offset[:, :-1] - offset[:, 1:]).flip(1)], dim=1)
    first = base + (rounded * stride).sum(dim=1)
    moves = stride.sum() - steps[:, 1:].flip(1)
    keys = first[:, None] + torch.cat([moves.new_zeros(points, 1), moves.cumsum(dim=1)], dim=1)
    return keys, share


def _link(vertices: Tensor, stride: Tensor) -> Tensor:
    """Number the neighbours of every vertex along every axis, given the sorted keys of the vertices."""
    n, count = len(stride), len(vertices)
    neighbours = vertices.new_zeros(n, count + 1, 2)
    own = torch.arange(1, count + 1, device=vertices.device)
    for axis in range(n):
        wanted = vertices + n * stride[axis] - stride.sum()
        place = torch.searchsorted(vertices, wanted).clamp_(max=count - 1)
        there = vertices[place] == wanted
        neighbours[axis, own[there], 1] = place[there] + 1
        neighbours[axis, place[there] + 1, 0] = own[there]
    return neighbours
