"""What the vector instructions of `kernels.vectors` and `kernels.products` buy, against the same loops in plain numba.

    python -m benchmarks.plain_numba -o benchmarks/results/plain-numba.json

Two processes of one thread compile the kernels anew, one of them with the loops below in the place of the emitted
instructions. They take turns; for every computation the least CPU seconds of all rounds are compared, and the results.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from benchmarks.reports import origin, write
from numba import njit
from numpy.typing import NDArray
from torch import Tensor

from underpaint.kernels import products, vectors

Call = Callable[[], bytes]
Floats = NDArray[np.float32]
Corners = NDArray[np.uint16]
Shifts = NDArray[np.int64]


@njit(fastmath={"contract"})
def add_scaled(target: Floats, i: int, factor: float, source: Floats, j: int) -> None:
    """See `vectors.add_scaled`."""
    for c in range(target.shape[1]):
        target[i, c] += factor * source[j, c]


@njit(fastmath={"contract"})
def set_scaled(target: Floats, i: int, factor: float, source: Floats, j: int) -> None:
    """See `vectors.set_scaled`."""
    for c in range(target.shape[1]):
        target[i, c] = factor * source[j, c]


@njit(fastmath={"contract"})
def gather(target: Floats, i: int, scale: float, source: Floats, corners: Corners, weights: Floats, p: int) -> None:
    """See `vectors.gather`."""
    for k in range(corners.shape[1]):
        weight = scale * weights[p, k]
        for c in range(target.shape[1]):
            target[i, c] += weight * source[corners[p, k], c]


@njit(fastmath={"contract"})
def scatter(target: Floats, corners: Corners, weights: Floats, p: int, scale: float, source: Floats, j: int) -> None:
    """See `vectors.scatter`."""
    for k in range(corners.shape[1]):
        weight = scale * weights[p, k]
        for c in range(target.shape[1]):
            target[corners[p, k], c] += weight * source[j, c]


@njit(fastmath={"contract"})
def sum_neighbours(
    sums: Floats, x: int, weights: Floats, q: int, shifts: Shifts, values: Floats, p: int, first: int, count: int
) -> None:
    """See `products.sum_neighbours`."""
    for c in range(first, first + count):
        sums[c, x : x + 8] = 0
        for o in range(len(shifts)):
            for i in range(8):
                sums[c, x + i] += weights[o, q + i] * values[c, p + i + shifts[o]]
                sums[c, x + i] += weights[o, q + i - shifts[o]] * values[c, p + i - shifts[o]]


def calls() -> dict[str, Call]:
    """The computations; each returns the bytes of its result. The kernels are imported, and so compiled, here."""
    from underpaint.kernels.meanfield import CrfParameters, mean_field
    from underpaint.losses.gated_crf import PUBLISHED, RADIUS, gated_crf_loss
    from underpaint.methods.dense_crf.method import dense_crf_loss

    draw = torch.Generator().manual_seed(0)
    shape = (8, 21, 52, 80)  # a training step: eight crops of 208 x 320, at the decoder's stride of 4
    logits = torch.randn(shape, generator=draw) * 2
    rgb = _smooth((8, 3, 208, 320), draw)
    valid = torch.ones(8, 208, 320, dtype=torch.bool)

    def gradient(loss: Callable[[Tensor], Tensor]) -> bytes:
        given = logits.clone().requires_grad_()
        return torch.autograd.grad(loss(given.softmax(dim=1)), given)[0].numpy().tobytes()

    probabilities = _smooth((1, 21, 375, 500), draw)[0].mul(4).softmax(dim=0).numpy()
    image = (_smooth((1, 3, 375, 500), draw)[0] * 255).byte().movedim(0, -1).contiguous().numpy()
    return {
        "gated CRF loss": lambda: gradient(lambda y: gated_crf_loss(y, rgb, valid, kernels=[PUBLISHED], radius=RADIUS)),
        "dense CRF loss": lambda: gradient(lambda y: dense_crf_loss(y, rgb, valid, sigma_xy=25.0, sigma_rgb=15 / 255)),
        "mean field": lambda: mean_field(probabilities, image, CrfParameters(3, 3, 80, 13, 10)).tobytes(),
    }


def _smooth(shape: tuple[int, ...], draw: torch.Generator) -> Tensor:
    """Smooth random planes with a little noise, in [0, 1]."""
    coarse = torch.rand(*shape[:2], 8, 8, generator=draw)
    fine = torch.nn.functional.interpolate(coarse, shape[2:], mode="bicubic", align_corners=False)
    return (fine + 0.02 * torch.randn(shape, generator=draw)).clamp(0, 1)


def serve(plain: bool) -> None:
    """Compile, and then answer every line of the input with the seconds and a digest of the computation it names."""
    torch.set_num_threads(1)
    if plain:
        for name in ("add_scaled", "set_scaled", "gather", "scatter"):
            setattr(vectors, name, globals()[name])
        products.sum_neighbours = sum_neighbours
    every = calls()
    for call in every.values():
        call()
    print("ready", flush=True)
    for line in sys.stdin:
        began = time.process_time()
        result = every[line.strip()]()
        print(json.dumps([time.process_time() - began, hashlib.sha256(result).hexdigest()]), flush=True)


class Variant:
    """A process that computes with one form of the loops, with a folder of its own for the machine code."""

    def __init__(self, name: str, folder: str) -> None:
        own = {"NUMBA_CACHE_DIR": str(Path(folder, name)), "OMP_NUM_THREADS": "1"}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.plain_numba", "--serve", name],
            env=os.environ | own, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def answer(self) -> str:
        """The next line of the process."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit("a process has ended before its answer")
        return line

    def ask(self, name: str) -> tuple[float, str]:
        """CPU seconds and digest of a computation."""
        assert self.process.stdin is not None
        self.process.stdin.write(name + "\n")
        self.process.stdin.flush()
        seconds, digest = json.loads(self.answer())
        return float(seconds), str(digest)


def measure(rounds: int) -> list[dict[str, object]]:
    """A row for each computation."""
    names = ("gated CRF loss", "dense CRF loss", "mean field")
    with tempfile.TemporaryDirectory() as folder:
        variants = {name: Variant(name, folder) for name in ("emitted", "plain")}
        try:
            for variant in variants.values():
                variant.answer()
            rows: list[dict[str, object]] = []
            for name in names:
                told: dict[str, list[tuple[float, str]]] = {key: [] for key in variants}
                for _ in range(rounds):
                    for key, variant in variants.items():
                        told[key].append(variant.ask(name))
                least = {key: min(seconds for seconds, _ in every) for key, every in told.items()}
                same = len({digest for every in told.values() for _, digest in every}) == 1
                ratio = least["plain"] / least["emitted"]
                rows.append({"row": name, "cpu_seconds": least, "ratio": round(ratio, 2), "same_bits": same})
                print(rows[-1], flush=True)
            return rows
        finally:
            for variant in variants.values():
                variant.process.kill()
                variant.process.wait()


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=24)
    parser.add_argument("-o", "--out", type=Path)
    parser.add_argument("--serve", choices=("emitted", "plain"), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.serve:
        serve(asked.serve == "plain")
        return
    rows = measure(asked.rounds)
    write({**origin(), "rows": rows}, asked.out)


if __name__ == "__main__":
    main()
