"""Throughput of training: the whole of it, a bare loop with the batch in memory, and naive loops, in one run.

    python benchmarks/training.py [--json FILE] [--rounds 5]

whole     `underpaint train` as it is: loading, augmentation, hints to pixels, losses, logging, checkpoints
bare      the same network, loss and optimiser on one batch that is in memory already: what loading may cost at most
naive     the same network, channels first, cross-entropy over all pixels at full size
stock     as naive, on the network as segmentation-models-pytorch gives it: 256 channels, every layer trained

Default network, MSRC-21 with simulated scribbles (synthetic scenes where the data is not there), batch 8, crop 208x320.
The loops take turns; medians over the rounds are given, and ratios round by round.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import segmentation_models_pytorch as smp
import torch
from torch import nn
from torch.nn import functional as F

import underpaint
from underpaint.core.classes import ClassTable
from underpaint.data.hinted import HintedImages
from underpaint.data.samples import collate
from underpaint.data.sampling import BatchSampler
from underpaint.data.synthetic import write_dataset
from underpaint.methods.base import CandidateConfig
from underpaint.methods.partial.method import Partial
from underpaint.models.config import ModelConfig
from underpaint.models.network import Network
from underpaint.records import Batch, Progress
from underpaint.training.run_folder import read_events, versions

DATA = Path(os.environ.get("UNDERPAINT_DATA", Path(__file__).resolve().parent.parent.parent / "shared" / "data"))
BATCH = 8
CROP = (208, 320)
STEPS = 10
"""Steps of each loop in a round; the first of a loop is not counted."""


def bare_step(classes: ClassTable, batch: Batch) -> Callable[[], None]:
    """Network, loss and optimiser as training uses them, and nothing else."""
    torch.manual_seed(0)
    network = Network(ModelConfig(), len(classes)).train().to(memory_format=torch.channels_last)
    method = Partial(CandidateConfig(), classes)
    optimiser = torch.optim.AdamW([p for p in network.parameters() if p.requires_grad], lr=1e-4)

    def step() -> None:
        optimiser.zero_grad(set_to_none=True)
        terms = method.loss(network.on(batch), batch, Progress(1, 2))
        torch.autograd.backward(torch.stack(list(terms.values())).sum())
        optimiser.step()

    return step


def naive_step(network: nn.Module, batch: Batch) -> Callable[[], None]:
    """Channels first, logits upsampled to full size, cross-entropy over all pixels with the unknown ones ignored."""
    network.train()
    image, seeds = batch.image.contiguous(), batch.seeds().long()
    optimiser = torch.optim.AdamW([p for p in network.parameters() if p.requires_grad], lr=1e-4)

    def step() -> None:
        optimiser.zero_grad(set_to_none=True)
        output = network(image)
        logits = output if isinstance(output, torch.Tensor) else output.upsampled()
        torch.autograd.backward(F.cross_entropy(logits, seeds, ignore_index=255))
        optimiser.step()

    return step


def time_steps(step: Callable[[], None]) -> float:
    """Images a second over the steps of a round, the first not counted."""
    step()
    began = time.perf_counter()
    for _ in range(STEPS - 1):
        step()
    return BATCH * (STEPS - 1) / (time.perf_counter() - began)


def whole(data: Path, hints: Path, folder: Path) -> float:
    """Images a second of `underpaint train`, from its own log; the first lines hold the start-up and are left out."""
    images = len(underpaint.plan(data, hints=[hints]).hints)
    overrides = [
        f"views.crop={list(CROP)}",
        f"train.epochs={3 * STEPS * BATCH / images}",
        f"train.batch={BATCH}",
        "train.checkpoint_every=20",
    ]
    underpaint.plan(data, hints=[hints], method="partial", settings=overrides).train(folder)
    rates = [float(e["images_per_second"]) for e, _ in read_events(folder / "events.jsonl") if e["event"] == "steps"]
    return statistics.harmonic_mean(rates[1:])


def prepare(folder: Path) -> tuple[Path, Path]:
    """A data set and its scribbles."""
    data = DATA / "msrc21"
    if not data.is_dir():
        data = folder / "scenes"
        write_dataset(data, train=64, test=4, size=(213, 320), seed=0)
    hints = folder / "scribbles.jsonl"
    underpaint.simulate(data, hints, kind="scribbles")
    return data, hints


def one_batch(data: Path, hints: Path) -> tuple[ClassTable, Batch]:
    """The first batch of the training."""
    planned = underpaint.plan(data, hints=[hints], settings=[f"views.crop={list(CROP)}"])
    images = HintedImages(planned.data, planned.hints, planned.config.views, seed=0)
    keys = next(iter(BatchSampler(len(images), BATCH, (0, 1), seed=0)))
    network = Network(ModelConfig(), 2, pretrained=False)
    return planned.data.classes, collate([images[key] for key in keys], network.mean, network.std)


def measure(rounds: int) -> dict[str, Any]:
    """All loops in turn."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        data, hints = prepare(folder)
        classes, batch = one_batch(data, hints)
        stock = smp.DeepLabV3Plus("tu-tf_efficientnet_lite0", encoder_weights=None, classes=len(classes))
        steps = {
            "bare": bare_step(classes, batch),
            "naive": naive_step(Network(ModelConfig(), len(classes)), batch),
            "stock": naive_step(stock, batch),
        }
        rates: dict[str, list[float]] = {name: [] for name in ("whole", *steps)}
        for turn in range(rounds):
            rates["whole"].append(whole(data, hints, folder / f"run{turn}"))
            for label, step in steps.items():
                rates[label].append(time_steps(step))
    ratio = {other: [a / b for a, b in zip(rates["whole"], rates[other], strict=True)] for other in steps}
    return {
        "dataset": data.name,
        "network": "deeplabv3plus, tf_efficientnet_lite0",
        "batch": BATCH,
        "crop": CROP,
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, {torch.get_num_threads()} threads",
        "versions": versions(),
        "images_per_second": {label: statistics.median(values) for label, values in rates.items()},
        "per_round": rates,
        "whole_over": {other: statistics.median(values) for other, values in ratio.items()},
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="also write the result here")
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    result = measure(asked.rounds)
    for label, rate in result["images_per_second"].items():
        over = result["whole_over"].get(label)
        print(f"{label:6s} {rate:6.2f} images/s" + (f"   whole is {over:.2f} x" if over else ""))
    if asked.json:
        asked.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
