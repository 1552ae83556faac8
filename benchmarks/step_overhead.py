"""What a pairwise loss adds to a training step of the default network, in one run.

    python benchmarks/step_overhead.py [--json] [--rounds 7]

Batch 8, 208x320, scribbles on 2 % of the pixels, 21 classes. The losses run on the decoder's grid (stride 4), and at
full size on upsampled probabilities. The steps take turns; medians over the rounds of (with - without) / without.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import time
from collections.abc import Callable
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import torch
from torch import Tensor

from underpaint.kernels.windowed import GaussianKernel
from underpaint.losses.candidates import candidate_terms
from underpaint.losses.dense_crf import dense_crf_loss
from underpaint.losses.gated_crf import gated_crf_loss
from underpaint.models.network import ModelConfig, Network
from underpaint.records import Batch, NetOutput

BATCH, HEIGHT, WIDTH, CLASSES = 8, 208, 320, 21
KERNEL = GaussianKernel(weight=1.0, sigma_xy=6.0, sigma_rgb=0.0226)

Loss = Callable[[NetOutput, Batch], Tensor]


def gated(out: NetOutput, batch: Batch, *, full: bool) -> Tensor:
    """The Gated CRF loss of the method's defaults."""
    logits = out.upsampled() if full else out.logits
    return gated_crf_loss(logits.float().softmax(1), batch.rgb, batch.valid, kernels=[KERNEL], radius=5)


def dense(out: NetOutput, batch: Batch, *, full: bool) -> Tensor:
    """The dense CRF loss of the method's defaults."""
    logits, stride = (out.upsampled(), 1) if full else (out.logits, 4)
    probabilities = logits.float().softmax(1)
    return dense_crf_loss(probabilities, batch.rgb, batch.valid, sigma_xy=100 / stride, sigma_rgb=15 / 255)


LOSSES: dict[str, Loss | None] = {
    "cross-entropy alone": None,
    "gated-crf, stride 4": lambda out, batch: gated(out, batch, full=False),
    "gated-crf, full size": lambda out, batch: gated(out, batch, full=True),
    "dense-crf-loss, stride 4": lambda out, batch: dense(out, batch, full=False),
    "dense-crf-loss, full size": lambda out, batch: dense(out, batch, full=True),
}


def make_batch() -> Batch:
    """Smooth colour fields with noise, and random strokes."""
    rng = torch.Generator().manual_seed(0)
    coarse = torch.rand((BATCH, 3, 7, 10), generator=rng)
    smooth = torch.nn.functional.interpolate(coarse, size=(HEIGHT, WIDTH), mode="bicubic").clamp(0, 1)
    rgb = (smooth + 0.03 * torch.randn(smooth.shape, generator=rng)).clamp(0, 1)
    candidates = torch.zeros((BATCH, HEIGHT, WIDTH), dtype=torch.uint8)
    for row in range(10, HEIGHT, 50):
        candidates[:, row, ::3] = torch.randint(1, CLASSES + 1, (BATCH, len(range(0, WIDTH, 3))), generator=rng).byte()
    every, single = torch.ones((1, CLASSES), dtype=torch.bool), torch.eye(CLASSES, dtype=torch.bool)
    return Batch(
        rgb=rgb,
        valid=torch.ones((BATCH, HEIGHT, WIDTH), dtype=torch.bool),
        candidates=candidates,
        sets=torch.cat([every, single]).expand(BATCH, -1, -1),
        tags=torch.zeros((BATCH, CLASSES), dtype=torch.bool),
        tags_known=torch.zeros((BATCH, CLASSES), dtype=torch.bool),
        boxes=(),
        box_classes=(),
        ids=(),
        mean=torch.full((3,), 0.5),
        std=torch.full((3,), 0.5),
    )


def measure(rounds: int) -> list[dict[str, Any]]:
    """Median seconds and overheads of every loss."""
    batch = make_batch()
    network = Network(ModelConfig(), CLASSES).train().to(memory_format=torch.channels_last)
    trained = [p for p in network.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(trained, lr=1e-5)

    def step(extra: Loss | None) -> float:
        began = time.perf_counter()
        optimiser.zero_grad(set_to_none=True)
        out = network.on(batch)
        loss = torch.stack(list(candidate_terms(out, batch, set_weight=1, absent_weight=0).values())).sum()
        torch.autograd.backward(loss if extra is None else loss + 0.1 * extra(out, batch))
        optimiser.step()
        return time.perf_counter() - began

    for extra in LOSSES.values():
        step(extra)
    seconds: dict[str, list[float]] = {name: [] for name in LOSSES}
    for _ in range(rounds):
        for name, extra in LOSSES.items():
            seconds[name].append(step(extra))
    plain = seconds["cross-entropy alone"]
    return [
        {
            "name": name,
            "shape": [BATCH, CLASSES, HEIGHT, WIDTH],
            "seconds": statistics.median(values),
            "step_overhead": statistics.median([(a - b) / b for a, b in zip(values, plain, strict=True)]),
        }
        for name, values in seconds.items()
    ]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--rounds", type=int, default=7)
    asked = parser.parse_args()
    machine = f"{platform.machine()}, {os.cpu_count()} cores, {torch.get_num_threads()} threads"
    rows = measure(asked.rounds)
    if asked.json:
        print(json.dumps({"machine": machine, "rows": rows}, indent=1))
        return
    for row in rows:
        print(f"{row['name']:28s} {row['seconds']:.3f} s a step   {row['step_overhead']:+.1%}")


if __name__ == "__main__":
    main()
