"""Exports networks as self-contained ONNX files, after comparing the file's outputs with the network's."""

from __future__ import annotations

import copy
import io
import json
import warnings
from collections.abc import Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from underpaint.core.atomic import scratch_folder
from underpaint.core.classes import ClassTable
from underpaint.core.errors import ConfigError, RunError
from underpaint.core.outputs import write_new
from underpaint.core.rng import generator
from underpaint.core.version import __version__
from underpaint.export.session import OnnxForward, extra
from underpaint.models.inference import FullSize
from underpaint.models.network import Network

OPSET = 17
"""Version of the ONNX operator set (2022), which the oldest accepted ONNX Runtime and most other runtimes support."""

TOLERANCE = 1e-3
"""Largest accepted difference of a logit. Correct exports differ by less than 1e-4. No probability changes by more."""

CHECKED = ((1, 97, 131), (2, 64, 160), (1, 240, 320))
"""(N, H, W) of the inputs on which every export is checked: different batches, and sides that no divisor divides."""


@dataclass(frozen=True)
class ExportReport:
    """The difference between an exported file and its network.

    Args:
        path: The file.
        max_difference: Largest absolute difference of a logit over the checked images.
        agreement: Share of the pixels with the same most probable class, 0 to 1.
    """

    path: Path
    max_difference: float
    agreement: float


def export_onnx(network: Network, path: Path, *, classes: ClassTable) -> ExportReport:
    """Write a network as one self-contained ONNX file, whole or not at all, after comparing it with the network.

    Input ``rgb`` (N, 3, H, W) float32 RGB in [0, 1], any N, H and W; output ``logits`` (N, C, H, W) float32.
    Normalisation, padding and upsampling are inside. The metadata holds ``classes`` (names), ``colours`` and
    ``background`` as JSON.

    Args:
        network: Not changed.
        path: Path of the new file; another file with this name is never replaced.
        classes: The network's classes.

    Raises:
        ConfigError: onnx or onnxruntime is not installed, or the number of classes differs from the network's.
        RunError: torch cannot export this network, or the file's logits differ by more than 1e-3.
        DataError: Another file has this name, or the file cannot be written.
    """
    onnx, _ = extra("onnx"), extra("onnxruntime")  # both before the work
    if len(classes) != network.head.out_channels:
        raise ConfigError(f"{len(classes)} classes for a network of {network.head.out_channels}", where="classes")
    whole = FullSize(copy.deepcopy(network).cpu())
    model = onnx.load_from_string(_traced(whole, path))
    onnx.helper.set_model_props(model, metadata(classes))
    onnx.checker.check_model(model)
    content: bytes = model.SerializeToString()
    report = _compare(whole, OnnxForward(content), path)
    write_new(path, content)
    return report


def _traced(whole: FullSize, target: Path) -> bytes:
    """The bytes from torch's TorchScript exporter. The newer exporter would need one more package, onnxscript."""
    axes = {0: "N", 2: "H", 3: "W"}
    # If the export fails, torch prints the whole graph.
    with scratch_folder(target) as folder, warnings.catch_warnings(), torch.no_grad(), redirect_stdout(io.StringIO()):
        # One warning says that this is the older exporter. The other says that the check of the divisor is not traced,
        # which is intended, because the padding fulfils it at any size.
        warnings.simplefilter("ignore")
        path = folder / "network.onnx"
        try:
            torch.onnx.export(
                whole,
                (
                    torch.rand(1, whole.network.config.bands, 50, 70),
                ),  # sides that no divisor divides, so that the padding is traced
                path,
                dynamo=False,
                opset_version=OPSET,
                input_names=["rgb"],
                output_names=["logits"],
                dynamic_axes={"rgb": axes, "logits": axes},
            )
        except Exception as error:  # the exporter has no base class of its own errors
            raise RunError(
                f"torch cannot export this network: {type(error).__name__}: {error}",
                fix="predict with engine=torch; default decoders and encoders are known to export",
            ) from error
        return path.read_bytes()


def metadata(classes: ClassTable) -> dict[str, str]:
    """The metadata of the file, which describe the classes, as JSON by key."""
    return {
        "underpaint": __version__,
        "classes": json.dumps(classes.names),
        "colours": json.dumps(classes.colours),
        "background": json.dumps(classes.background),
    }


def check_file(network: Network, path: Path) -> OnnxForward:
    """Load the file of an earlier export and compare it with the network on one small image.

    Raises:
        RunError: The file cannot be loaded, or contains another network.
    """
    forward = OnnxForward(path)
    _compare(FullSize(copy.deepcopy(network).cpu()), forward, path, CHECKED[:1])
    return forward


def _compare(
    whole: FullSize, forward: OnnxForward, path: Path, images: Sequence[tuple[int, int, int]] = CHECKED
) -> ExportReport:
    worst, same, pixels = torch.zeros(()), 0, 0
    with torch.inference_mode():
        for count, height, width in images:
            rgb = torch.from_numpy(_checked_images(count, whole.network.config.bands, height, width))
            expected, seen = whole(rgb), forward(rgb)
            if expected.shape != seen.shape:
                raise RunError(
                    f"the exported network gives {tuple(seen.shape)} for {tuple(expected.shape)}", where=path
                )
            worst = torch.maximum(worst, (expected - seen).abs().max())  # keeps NaN, which Python's max drops
            same += int((expected.argmax(1) == seen.argmax(1)).sum())
            pixels += count * height * width
    if not worst <= TOLERANCE:
        raise RunError(
            f"the exported logits differ by {float(worst):.2g}; the same class at {same / pixels:.2%} of the pixels",
            where=path,
            accepted=f"a difference of at most {TOLERANCE}",
            fix="predict with engine=torch",
        )
    return ExportReport(path, float(worst), same / pixels)


def _checked_images(count: int, bands: int, height: int, width: int) -> NDArray[np.float32]:
    """Noise over a slope of brightness, (N, B, H, W) in [0, 1]."""
    noise = generator(0, "export", height, width).random((count, bands, height, width))
    return ((noise + np.linspace(0, 1, width)) / 2).astype(np.float32)
