"""Speed of the forward pass that prediction is made of: torch in two layouts, and ONNX Runtime, in one run.

    python benchmarks/prediction.py [--json FILE] [--rounds 15] [--threads N]

nchw    torch, channels first, as a network stands after loading
torch   torch, channels last: the engine `torch`
onnx    the exported network in ONNX Runtime: the engine `onnx`, and `auto` on a CPU

Default network, 21 classes, float32, full-size logits. Batch 2 is the image and its mirror image. The engines take
turns; wall-clock medians over the rounds are given, ratios round by round. Where other programs share the cores, the
ratios of CPU seconds are the steadier ones.
"""

from __future__ import annotations

import argparse
import copy
import importlib.metadata
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

import torch
from torch import Tensor
from torch.nn import functional as F

from underpaint.core.classes import ClassTable
from underpaint.export import choose_forward
from underpaint.models.config import ModelConfig
from underpaint.models.inference import FullSize
from underpaint.models.network import Network
from underpaint.training.run_folder import versions

CLASSES = 21
SHAPES = ((1, 213, 320), (2, 213, 320), (1, 360, 480))
"""(N, H, W): photographs of MSRC-21, with their mirror images, and of CamVid-11 at half size."""


def channels_first(network: Network) -> Callable[[Tensor], Tensor]:
    """As `FullSize`, with the network and its input left in torch's default layout."""
    mean, std = network.mean.view(1, 3, 1, 1), network.std.view(1, 3, 1, 1)

    def forward(rgb: Tensor) -> Tensor:
        height, width = rgb.shape[2:]
        padding = (0, -width % network.divisor, 0, -height % network.divisor)
        logits: Tensor = network(F.pad((rgb - mean) / std, padding, mode="replicate")).upsampled()
        return logits[:, :, :height, :width]

    return forward


def engines(folder: Path) -> dict[str, Callable[[Tensor], Tensor]]:
    """The engines by name, each around the same weights."""
    network = Network(ModelConfig(), CLASSES).eval()
    exported = choose_forward(network, folder, ClassTable.of([str(i) for i in range(CLASSES)], None), engine="onnx")
    assert exported is not None
    return {"nchw": channels_first(copy.deepcopy(network)), "torch": FullSize(network), "onnx": exported}


def time_shape(forwards: dict[str, Callable[[Tensor], Tensor]], shape: tuple[int, int, int], rounds: int) -> Any:
    """Wall-clock and CPU seconds of each engine, round by round, on one noise image."""
    count, height, width = shape
    rgb = torch.rand(count, 3, height, width, generator=torch.Generator().manual_seed(0))
    seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in forwards}
    for turn in range(rounds + 2):
        for name, forward in forwards.items():
            began = time.perf_counter(), time.process_time()
            forward(rgb)
            if turn >= 2:  # the first passes of a shape allocate
                seconds[name].append((time.perf_counter() - began[0], time.process_time() - began[1]))
    return _row(shape, seconds)


def _row(shape: tuple[int, int, int], seconds: dict[str, list[tuple[float, float]]]) -> dict[str, Any]:
    def over(other: str, clock: int) -> float:
        pairs = zip(seconds[other], seconds["onnx"], strict=True)
        return statistics.median(theirs[clock] / ours[clock] for theirs, ours in pairs)

    return {
        "name": "forward",
        "shape": list(shape),
        "images_per_second": {n: shape[0] / statistics.median(s[0] for s in v) for n, v in seconds.items()},
        "cpu_seconds_per_image": {n: statistics.median(s[1] for s in v) / shape[0] for n, v in seconds.items()},
        "onnx_over": {other: over(other, 0) for other in ("nchw", "torch")},
        "onnx_over_cpu": {other: over(other, 1) for other in ("nchw", "torch")},
    }


def measure(rounds: int) -> dict[str, Any]:
    """All shapes."""
    with tempfile.TemporaryDirectory() as folder, torch.inference_mode():
        forwards = engines(Path(folder))
        rows = [time_shape(forwards, shape, rounds) for shape in SHAPES]
    return {
        "network": "deeplabv3plus, tf_efficientnet_lite0, 21 classes",
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, {torch.get_num_threads()} threads",
        "versions": {**versions(), "onnxruntime": importlib.metadata.version("onnxruntime")},
        "rows": rows,
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="also write the result here")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    result = measure(asked.rounds)
    for row in result["rows"]:
        count, height, width = row["shape"]
        rates = "  ".join(f"{name} {rate:6.2f}" for name, rate in row["images_per_second"].items())
        wall, cpu = row["onnx_over"], row["onnx_over_cpu"]
        print(f"{count} x {width}x{height}   images/s: {rates}   onnx is {wall['torch']:.2f} x torch, ", end="")
        print(f"{wall['nchw']:.2f} x nchw (CPU seconds: {cpu['torch']:.2f}, {cpu['nchw']:.2f})")
    if asked.json:
        asked.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
