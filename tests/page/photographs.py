"""Small photographs of two colours, with names that would be markup if somebody let them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

NAMES = ("<img src=x onerror=alert(1)>", "a & 'b' \"c\"", "meadow", "ünï 😀")


def write_photographs(folder: Path, names: tuple[str, ...] = NAMES, size: tuple[int, int] = (240, 320)) -> None:
    """Sky above grass, with noise; each with another horizon."""
    (folder / "images").mkdir(parents=True)
    rng = np.random.default_rng(0)
    for number, name in enumerate(names):
        rgb = np.empty((*size, 3))
        horizon = size[0] * (4 + number % 4) // 10
        rgb[:horizon], rgb[horizon:] = (120, 170, 230), (70, 140, 60)
        rgb[horizon + 10 : horizon + 60, 60 + 20 * (number % 5) : 140 + 20 * (number % 5)] = (150, 90, 50)
        noisy = np.clip(rgb + rng.normal(0, 18, rgb.shape), 0, 255).astype(np.uint8)
        Image.fromarray(noisy).save(folder / "images" / f"{name}.png")
