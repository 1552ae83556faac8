"""Time and memory of the pairwise kernels beside what people use today, in one run.

    python benchmarks/kernels.py [--json] [--rounds 5] [--quick]

windowed   gated CRF energy, forward and backward, against the published form (unfold features and predictions over the
           window), written out below; numba and torch back ends
meanfield  dense CRF inference, 10 iterations, against pydensecrf2 where it can be imported
           (pip install --no-deps --target DIR pydensecrf2, then PYTHONPATH=DIR)
lattice    bilateral filter of 21 channels, lattice included, beside one iteration of pydensecrf2 on that image

Peer and ours take turns; medians over the rounds are given, ratios are peer over ours. Memory is the growth of the peak
resident size (VmHWM) over one call in a fresh process, after the libraries are warm. The allocator is left as it is.
On a machine with a GPU the windowed kernel is timed there as well.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # spinning threads starve each other; must precede torch

import numpy as np
import skimage.data
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from underpaint.kernels.bilateral.coordinates import image_features
from underpaint.kernels.bilateral.lattice import Lattice
from underpaint.kernels.meanfield import CrfParameters, mean_field
from underpaint.kernels.windowed import Backend, GaussianKernel, windowed_energy

try:
    from pydensecrf import densecrf
except ImportError:
    densecrf = None

DATA = Path(os.environ.get("UNDERPAINT_DATA", Path(__file__).resolve().parent.parent.parent / "shared" / "data"))
KERNEL = GaussianKernel(1.0, 6.0, 0.1)
"""The published default of the gated CRF loss."""
CRF = CrfParameters(3, 3, 80, 13, 10)
"""The dense CRF of PSA (Ahn and Kwak 2018)."""
NO_PEER = "pydensecrf2 cannot be imported: no ratio (pip install --no-deps --target DIR pydensecrf2, PYTHONPATH=DIR)"

WINDOWED = [((4, 21, 128, 128), 5), ((4, 21, 256, 256), 5), ((1, 21, 512, 512), 5), ((4, 21, 256, 256), 10)]
MEANFIELD = [(21, 375, 500), (19, 1024, 2048)]
LATTICE = [(4, 21, 256, 256), (1, 21, 512, 512)]
PEER_LIMIT = 8e9
"""Bytes of unfolded predictions (held twice) above which the published form is not run."""

Shape = tuple[int, ...]
Call = Callable[[], Any]
Row = dict[str, Any]


def published_form(y: Tensor, rgb: Tensor, radius: int) -> Tensor:
    """The gated CRF energy as published: features and predictions unfolded over the window."""
    count, classes, height, width = y.shape
    row, column = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    position = torch.stack([column, row]).to(rgb).expand(count, 2, height, width) / KERNEL.sigma_xy
    features = torch.cat([position, rgb / 0.1], dim=1)
    side = 2 * radius + 1
    around = F.unfold(features, side, padding=radius).view(count, 5, side**2, height, width)
    kernel = torch.exp(-0.5 * (around - features.unsqueeze(2)).square().sum(dim=1, keepdim=True))
    kernel[:, :, side**2 // 2] = 0
    neighbours = F.unfold(y, side, padding=radius).view(count, classes, side**2, height, width)
    return kernel.sum() - ((kernel * neighbours).sum(dim=2) * y).sum()


def windowed_inputs(shape: Shape, device: str = "cpu") -> tuple[Tensor, Tensor]:
    """Softmax of normal logits (sd 2), and a smooth image with noise in [0, 1]."""
    draw = torch.Generator().manual_seed(0)
    logits = torch.randn(shape, generator=draw) * 2
    coarse = torch.rand(shape[0], 3, 8, 8, generator=draw)
    smooth = F.interpolate(coarse, shape[2:], mode="bicubic", align_corners=False)
    rgb = (smooth + 0.02 * torch.randn(smooth.shape, generator=draw)).clamp(0, 1)
    return logits.softmax(dim=1).to(device).requires_grad_(), rgb.to(device)


def windowed_call(name: str, shape: Shape, radius: int, device: str = "cpu") -> Call:
    """Forward and backward of one variant: "peer", "numba", "torch" or "gpu"; returns the gradient."""
    y, rgb = windowed_inputs(shape, device)
    backends: dict[str, Backend] = {"numba": "numba", "torch": "torch", "gpu": "auto"}

    def call() -> Tensor:
        if name == "peer":
            energy = published_form(y, rgb, radius)
        else:
            energy = windowed_energy(y, rgb, kernels=[KERNEL], radius=radius, backend=backends[name])
        return torch.autograd.grad(energy, y)[0]

    return call


def photograph(height: int, width: int) -> NDArray[np.uint8]:
    """A PASCAL VOC photograph (or scikit-image's cat) of that size; noise of sd 3 where it had to be enlarged."""
    found = sorted((DATA / "voc_sample" / "VOC2012" / "JPEGImages").glob("*.jpg"))
    cat = Image.fromarray(skimage.data.chelsea())  # type: ignore[no-untyped-call]  # scikit-image has no types
    image = Image.open(found[0]).convert("RGB") if found else cat
    pixels = np.array(image.resize((width, height), Image.Resampling.BILINEAR))
    if width <= image.width:
        return pixels
    noisy = pixels + np.random.default_rng(0).normal(0, 3, pixels.shape)
    return noisy.clip(0, 255).astype(np.uint8)


def smooth_probabilities(shape: Shape) -> NDArray[np.float32]:
    """Softmax of smooth random fields (C, H, W)."""
    classes, height, width = shape
    coarse = torch.randn(1, classes, height // 24, width // 24, generator=torch.Generator().manual_seed(0)) * 2
    fields = F.interpolate(coarse, (height, width), mode="bicubic", align_corners=False)[0]
    return np.asarray(fields.softmax(dim=0).numpy())


def meanfield_call(name: str, shape: Shape) -> Call:
    """Ten iterations of "peer" or "ours" with the parameters of PSA, from probabilities; returns the distribution."""
    probabilities, image = smooth_probabilities(shape), photograph(*shape[1:])
    if name == "ours":
        return lambda: mean_field(probabilities, image, CRF)
    return lambda: peer_mean_field(probabilities, image, CRF.iterations)


def peer_mean_field(
    probabilities: NDArray[np.float32], image: NDArray[np.uint8], iterations: int
) -> NDArray[np.float32]:
    """The same inference by pydensecrf2."""
    assert densecrf is not None
    classes, height, width = probabilities.shape
    crf = densecrf.DenseCRF2D(width, height, classes)
    crf.setUnaryEnergy(-np.log(probabilities.clip(1e-5, 1)).reshape(classes, -1))
    crf.addPairwiseGaussian(sxy=CRF.gaussian_xy, compat=CRF.gaussian_compat)
    crf.addPairwiseBilateral(
        sxy=CRF.bilateral_xy,
        srgb=CRF.bilateral_rgb,
        rgbim=image,
        compat=CRF.bilateral_compat,
    )
    return np.array(crf.inference(iterations), dtype=np.float32).reshape(probabilities.shape)


def lattice_call(shape: Shape) -> Call:
    """Bilateral filter with rloss's sigmas at half size (50 pixels, 15 grey levels), lattices built anew."""
    count, channels, height, width = shape
    image = torch.from_numpy(photograph(height, width).copy()).movedim(-1, 0).float()
    planes = smooth_probabilities((channels, height, width)).reshape(channels, -1)

    def call() -> None:
        for _ in range(count):
            features = image_features(image, sigma_xy=50, sigma_rgb=15)
            Lattice.build(features.numpy(), width=width).filter(planes)

    return call


def take_turns(calls: dict[str, Call], rounds: int) -> dict[str, float]:
    """Median seconds of each call, one warm-up before, the calls interleaved."""
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for i in range(rounds + 1):
        for name, call in calls.items():
            started = time.perf_counter()
            call()
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            if i:
                seconds[name].append(time.perf_counter() - started)
    return {name: statistics.median(taken) for name, taken in seconds.items()}


def memory(kind: str, name: str, shape: Shape, radius: int = 0) -> float:
    """MB by which the peak resident size of a fresh process grows over one call."""
    arguments = [kind, name, "x".join(map(str, shape)), str(radius)]
    command = [sys.executable, __file__, "--memory-of", *arguments]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def print_memory(kind: str, name: str, size: str, radius: str) -> None:
    """The work of `memory`'s process: a small call to load every library, then the one measured."""
    shape = tuple(int(part) for part in size.split("x"))

    def prepared(dims: Shape) -> Call:
        return windowed_call(name, dims, int(radius)) if kind == "windowed" else meanfield_call(name, dims)

    prepared((1, 2, 24, 32) if kind == "windowed" else (2, 48, 64))()
    call = prepared(shape)
    Path("/proc/self/clear_refs").write_text("5")  # sets the peak back to the present size
    before = resident("VmHWM")
    call()
    print((resident("VmHWM") - before) / 1024)


def resident(field: str) -> int:
    """A size from /proc/self/status, kB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field))


def windowed_row(shape: Shape, radius: int, rounds: int) -> Row:
    """One size of the windowed kernel."""
    count, classes, height, width = shape
    runs_peer = 8 * count * classes * (2 * radius + 1) ** 2 * height * width < PEER_LIMIT
    names = [*(["peer"] if runs_peer else []), "numba", "torch"]
    calls = {name: windowed_call(name, shape, radius) for name in names}
    gradients = {name: call() for name, call in calls.items()}
    scale = gradients["torch"].abs().max()
    row: Row = {"name": "windowed", "shape": list(shape), "radius": radius, "work": "forward + backward"}
    row["gradient_difference"] = max(((g - gradients["torch"]).abs().max() / scale).item() for g in gradients.values())
    gradients.clear()
    row["seconds"] = take_turns(calls, rounds)
    row["memory_mb"] = {name: memory("windowed", name, shape, radius) for name in names}
    if runs_peer:
        seconds, size = row["seconds"], row["memory_mb"]
        row["windowed_speedup"] = seconds["peer"] / seconds["numba"]
        row["windowed_torch_speedup"] = seconds["peer"] / seconds["torch"]
        row["windowed_memory_ratio"] = size["peer"] / size["numba"]
        row["windowed_torch_memory_ratio"] = size["peer"] / size["torch"]
    else:
        row["note"] = f"the published form was not run: it needs more than {PEER_LIMIT / 1e9:.0f} GB"
    return row


def meanfield_row(shape: Shape, rounds: int) -> Row:
    """One size of the mean field."""
    names = ["ours"] if densecrf is None else ["peer", "ours"]
    calls = {name: meanfield_call(name, shape) for name in names}
    row: Row = {"name": "meanfield", "shape": list(shape), "iterations": CRF.iterations}
    row["peer"] = "pydensecrf2" if densecrf else NO_PEER
    row["seconds"] = take_turns(calls, rounds)
    row["memory_mb"] = {name: memory("meanfield", name, shape) for name in names}
    if densecrf:
        row["meanfield_speedup"] = row["seconds"]["peer"] / row["seconds"]["ours"]
        row["meanfield_memory_ratio"] = row["memory_mb"]["peer"] / row["memory_mb"]["ours"]
        row["same_labels"] = float((calls["peer"]().argmax(0) == calls["ours"]().argmax(0)).mean())
    return row


def agreement_row() -> Row:
    """Share of equal labels on every photograph of VOC's sample, each at its own size."""
    shares = {}
    for path in sorted((DATA / "voc_sample" / "VOC2012" / "JPEGImages").glob("*.jpg")):
        image = np.array(Image.open(path).convert("RGB"))
        probabilities = smooth_probabilities((21, *image.shape[:2]))
        peer = peer_mean_field(probabilities, image, CRF.iterations)
        shares[path.stem] = float((peer.argmax(0) == mean_field(probabilities, image, CRF).argmax(0)).mean())
    least = min(shares, key=shares.__getitem__)
    median = float(np.median(list(shares.values())))
    return {
        "name": "meanfield-agreement",
        "photographs": len(shares),
        "median": median,
        "least": {least: shares[least]},
    }


def lattice_row(shape: Shape, rounds: int) -> Row:
    """One size of the filter alone."""
    calls = {"ours": lattice_call(shape)}
    row: Row = {"name": "lattice", "shape": list(shape), "work": "lattices and one filter"}
    if densecrf:
        _, *single = shape
        image, probabilities = photograph(*single[1:]), smooth_probabilities(tuple(single))
        calls["peer_1"] = lambda: peer_mean_field(probabilities, image, 1)
        calls["peer_6"] = lambda: peer_mean_field(probabilities, image, 6)
    seconds = take_turns(calls, rounds)
    row["seconds"] = {"ours": seconds["ours"]}
    if densecrf:
        row["seconds"]["peer_iteration_of_one_image"] = (seconds["peer_6"] - seconds["peer_1"]) / 5
    return row


def gpu_rows(rounds: int) -> list[Row]:
    """The figures asked of a GPU, where there is one."""
    if not torch.cuda.is_available():
        return []
    shape = (16, 21, 128, 128)
    calls = {name: windowed_call(name, shape, 5, "cuda") for name in ("peer", "torch", "gpu")}
    windowed: Row = {"name": "windowed-gpu", "shape": list(shape), "radius": 5, "seconds": take_turns(calls, rounds)}
    windowed["windowed_gpu_speedup"] = windowed["seconds"]["peer"] / windowed["seconds"]["gpu"]
    return [windowed]


def machine() -> Row:
    """What the figures were measured on."""
    model = platform.processor()
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), model)
    return {
        "cpu": model,
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "load": os.getloadavg()[0],
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "wait_policy": os.environ["OMP_WAIT_POLICY"],
    }


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of lines")
    parser.add_argument("--rounds", type=int, default=5, help="times that each call is measured (default 5)")
    parser.add_argument("--quick", action="store_true", help="the smallest size of each kernel only")
    parser.add_argument("--memory-of", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.memory_of:
        print_memory(*options.memory_of)
        return
    last = 1 if options.quick else None
    plan: list[Call] = [partial(windowed_row, *case, options.rounds) for case in WINDOWED[:last]]
    plan += [partial(meanfield_row, shape, options.rounds) for shape in MEANFIELD[:last]]
    plan += [partial(lattice_row, shape, options.rounds) for shape in LATTICE[:last]]
    if densecrf and not options.quick and DATA.is_dir():
        plan.append(agreement_row)
    rows: list[Row] = []
    for measure in plan:
        rows.append(measure())
        print(json.dumps(rows[-1]), file=sys.stderr if options.json else sys.stdout, flush=True)
    rows += gpu_rows(options.rounds)
    if options.json:
        print(json.dumps({"machine": machine(), "rows": rows}, indent=2))


if __name__ == "__main__":
    main()
