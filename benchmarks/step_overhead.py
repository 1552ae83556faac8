"""What a pairwise loss adds to a training step of the default network, in one run.

    python benchmarks/step_overhead.py [--json] [--rounds 15]

Batch 8, 208x320, scribbles on 2 % of the pixels, 21 classes. The losses run on the decoder's grid (stride 4), as the
methods use them. Every step with a loss has a step without it as its neighbour, in turn before and after it. The
overhead is the median over the rounds of the differences of such pairs, divided by the median step without a loss. So
anything that slows the machine for longer than two steps cancels. The quartiles of the differences show the spread.
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

from underpaint.losses.candidates import candidate_terms
from underpaint.losses.gated_crf import PUBLISHED, RADIUS, gated_crf_loss
from underpaint.methods.dense_crf.method import dense_crf_loss
from underpaint.models.config import ModelConfig
from underpaint.models.network import Network
from underpaint.records import Batch, NetOutput

BATCH, HEIGHT, WIDTH, CLASSES = 8, 208, 320, 21


Loss = Callable[[NetOutput, Batch], Tensor]


def gated(out: NetOutput, batch: Batch) -> Tensor:
    """The gated CRF loss with the defaults of its method."""
    probabilities = out.logits.float().softmax(1)
    return gated_crf_loss(probabilities, batch.rgb, batch.valid, kernels=[PUBLISHED], radius=RADIUS)


def dense(out: NetOutput, batch: Batch) -> Tensor:
    """The dense CRF loss with the defaults of its method."""
    return dense_crf_loss(out.logits.float().softmax(1), batch.rgb, batch.valid, sigma_xy=25, sigma_rgb=15 / 255)


LOSSES: dict[str, Loss] = {"gated-crf, stride 4": gated, "dense-crf-loss, stride 4": dense}


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
    """Seconds of a step, and what every loss adds to it."""
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

    for warm_up in (None, *LOSSES.values()):
        step(warm_up)
    plain: dict[str, list[float]] = {name: [] for name in LOSSES}
    added: dict[str, list[float]] = {name: [] for name in LOSSES}
    for turn in range(rounds):
        for name, extra in LOSSES.items():
            order = (None, extra) if turn % 2 else (extra, None)
            seconds = {given is None: step(given) for given in order}
            plain[name].append(seconds[True])
            added[name].append(seconds[False] - seconds[True])
    without = statistics.median(value for values in plain.values() for value in values)
    rows: list[dict[str, Any]] = [{"name": "cross-entropy alone", "seconds": without}]
    for name, values in added.items():
        low, middle, high = statistics.quantiles(values, n=4)
        rows.append(
            {
                "name": name,
                "seconds": without + middle,
                "added": middle,
                "step_overhead": middle / without,
                "step_overhead_quartiles": [low / without, high / without],
            }
        )
    return rows


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--rounds", type=int, default=15)
    asked = parser.parse_args()
    machine = f"{platform.machine()}, {os.cpu_count()} cores, {torch.get_num_threads()} threads"
    rows = measure(asked.rounds)
    if asked.json:
        shape = [BATCH, CLASSES, HEIGHT, WIDTH]
        print(json.dumps({"machine": machine, "shape": shape, "rounds": asked.rounds, "rows": rows}, indent=1))
        return
    for row in rows:
        print(f"{row['name']:28s} {row['seconds']:.3f} s a step", end="")
        if "added" in row:
            low, high = row["step_overhead_quartiles"]
            print(f"   {row['step_overhead']:+.1%} (quartiles {low:+.1%} to {high:+.1%})", end="")
        print()


if __name__ == "__main__":
    main()
