"""Generated scenes of a seabed for the demo and the tests. They need no download, and allow every kind of hint.

A class can be recognised only by colour, texture and shape together. The colours of the classes overlap with each other
and with the ground. The shapes are concave or thin, so that boundaries matter. Later shapes hide earlier ones, and the
light changes over the image. Certain classes occur together (each scene has a theme), so that an image usually has
several tags.
"""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from underpaint.core.classes import ClassTable
from underpaint.core.errors import DataError
from underpaint.core.rng import generator
from underpaint.data import scene_shapes as shapes
from underpaint.data import scene_textures as textures
from underpaint.imagefiles.masks import write_index_mask

Rgb = NDArray[np.uint8]
Mask = NDArray[np.uint8]
Plane = NDArray[np.float32]
Colour = tuple[int, int, int]

SCENE_CLASSES = ClassTable(
    ("background", "pebble", "starfish", "weed", "shell", "ring"),
    # Okabe and Ito's colours, made for colour-blind readers; black is the background.
    ((0, 0, 0), (230, 159, 0), (86, 180, 233), (0, 158, 115), (213, 94, 0), (204, 121, 167)),
    0,
)
"""The class table of the scenes, background first."""

MIN_SIDE = 48
"""Smallest side of a scene in pixels: in smaller scenes the thin parts are less than a pixel wide."""

TEST_START = 1_000_000
"""Index of the first test scene: the test scenes stay the same, however many are made for training."""

VERSION = 2
"""Version of the scenes. It is increased when the same (seed, index) gives another scene than before."""


_RECORD = "scenes.json"
"""File that describes which scenes a folder contains."""

_PICTURES = ("images", "masks")


@dataclass(frozen=True)
class _Appearance:
    """How a class is drawn: outline, texture, mean colour, and strength of the texture."""

    shape: shapes.Shape
    texture: textures.Texture
    colour: Colour
    contrast: float


_APPEARANCES = {
    "pebble": _Appearance(shapes.pebble, textures.mottled, (124, 122, 128), 26),
    "starfish": _Appearance(shapes.starfish, textures.dotted, (188, 96, 64), 34),
    "weed": _Appearance(shapes.weed, textures.striped, (84, 122, 58), 26),
    "shell": _Appearance(shapes.shell, textures.concentric, (200, 164, 150), 26),
    "ring": _Appearance(shapes.ring, textures.banded, (146, 84, 120), 36),
}

_GROUNDS: tuple[Colour, ...] = ((164, 142, 108), (112, 116, 108), (96, 118, 120), (138, 108, 88))
"""Colours of sand, gravel, silt and clay, which are similar to the colours of the classes."""

_THEMES = (
    ("weed", "starfish", "shell"),
    ("weed", "ring", "pebble"),
    ("shell", "pebble", "starfish"),
    ("starfish", "ring", "shell"),
)
"""Classes that occur together in a scene."""

_STRAY = 0.15
"""Share of the shapes that are of any class instead of a class of the scene's theme."""

_SPREAD = 12.0
"""Standard deviation of the mean colour of a shape, 0 to 255. With texture and light, the classes' colours overlap."""

_CAMOUFLAGE = 0.1
"""Share of the shapes whose colour is half way to the colour of the ground, so that only texture and outline differ."""


def make_scene(index: int, *, seed: int, size: tuple[int, int]) -> tuple[Rgb, Mask]:
    """Draw scene number ``index``. The result depends only on (seed, index, size).

    Args:
        index: Number of the scene, 0 or more.
        seed: Seed of the whole set.
        size: (height, width) in pixels, at least 48 each.

    Returns:
        The image (H, W, 3) uint8, and its mask (H, W) uint8 with indices of `SCENE_CLASSES`; no pixel is void.

    Raises:
        DataError: A side is below 48 pixels.
    """
    height, width = size
    if min(size) < MIN_SIDE:
        raise DataError(f"a scene of {width} x {height} pixels", accepted=f"{MIN_SIDE} pixels a side or more")
    rng = generator(seed, "scene", index)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32) + np.float32(0.5)
    unit = min(size) / 128  # all lengths below were chosen for 128 pixels
    base = np.asarray(_GROUNDS[rng.integers(len(_GROUNDS))]) + rng.normal(0, 10, 3)
    image = base + 20 * textures.ground(rng, x - width / 2, y - height / 2, 1.5 * unit)[..., None]
    image += _blotches(rng, size, unit)
    mask = np.zeros(size, np.uint8)
    theme = _THEMES[rng.integers(len(_THEMES))]
    for _ in range(int(rng.integers(3, 6))):
        name = str(rng.choice(tuple(_APPEARANCES) if rng.random() < _STRAY else theme))
        _place(rng, image, mask, name, base, unit)
    return _expose(rng, image, unit), mask


def _blotches(rng: np.random.Generator, size: tuple[int, int], unit: float) -> NDArray[np.float64]:
    """Soft patches on the ground in the colours of the classes, without their texture and edges."""
    stain = np.clip(textures.noise(rng, size, 7 * unit) - 0.8, 0, 1)
    colours = np.asarray([appearance.colour for appearance in _APPEARANCES.values()])
    colour = colours[rng.integers(len(colours))] - 128.0
    return np.asarray(0.5 * stain[..., None] * colour)


def _place(
    rng: np.random.Generator,
    image: NDArray[np.float64],
    mask: Mask,
    name: str,
    ground: NDArray[np.float64],
    unit: float,
) -> None:
    """Draw one shape of class ``name`` over the image, with a soft shadow beside it."""
    height, width = mask.shape
    drawn = _APPEARANCES[name]
    r = float(rng.uniform(28, 40)) * unit
    x, y = _local(rng, height, width)
    distance = drawn.shape(rng, x, y, r)
    shadow = np.clip(0.5 - ndimage.shift(distance, (2 * unit, 2 * unit), order=1, mode="nearest") / (4 * unit), 0, 1)
    image *= 1 - 0.25 * shadow[..., None]
    colour = np.asarray(drawn.colour) + rng.normal(0, _SPREAD, 3)
    if rng.random() < _CAMOUFLAGE:
        colour = (colour + ground) / 2
    surface = colour + drawn.contrast * rng.uniform(0.6, 1.2) * drawn.texture(rng, x, y, 1.5 * unit)[..., None]
    cover = np.clip(0.5 - distance, 0, 1)[..., None]
    image += cover * (surface - image)
    mask[distance < 0] = SCENE_CLASSES.index(name)


def _local(rng: np.random.Generator, height: int, width: int) -> tuple[Plane, Plane]:
    """Pixel coordinates relative to a random centre, rotated by a random angle."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32) + np.float32(0.5)
    x -= np.float32(rng.uniform(0.05, 0.95) * width)
    y -= np.float32(rng.uniform(0.05, 0.95) * height)
    angle = rng.uniform(0, 2 * np.pi)
    c, s = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    return c * x + s * y, c * y - s * x


def _expose(rng: np.random.Generator, image: NDArray[np.float64], unit: float) -> Rgb:
    """Add light that changes across the image, slight blur, and noise."""
    height, width = image.shape[:2]
    angle, fall = rng.uniform(0, 2 * np.pi), rng.uniform(0.15, 0.4)
    across = np.linspace(-1, 1, width)[None, :] * np.cos(angle) + np.linspace(-1, 1, height)[:, None] * np.sin(angle)
    lit = image * (1 + fall * across + 0.06 * textures.noise(rng, (height, width), 20 * unit))[..., None]
    lit = ndimage.gaussian_filter(lit, (0.5 * unit, 0.5 * unit, 0))
    noisy = np.rint(lit + rng.normal(0, 4, lit.shape))
    return np.asarray(np.clip(noisy, 0, 255), dtype=np.uint8)


@dataclass(frozen=True)
class _Recipe:
    """Everything that a written set of scenes depends on."""

    train: int
    test: int
    size: tuple[int, int]
    seed: int

    def text(self) -> str:
        return json.dumps({"scenes": VERSION, **asdict(self)}, sort_keys=True) + "\n"

    def scenes(self) -> dict[str, dict[str, int]]:
        """The scenes of each split: names with their indices."""
        spans = {"train": (0, self.train), "test": (TEST_START, self.test)}
        return {split: {f"{split}-{i:04d}": start + i for i in range(count)} for split, (start, count) in spans.items()}


def write_dataset(root: Path, *, train: int, test: int, size: tuple[int, int], seed: int) -> None:
    """Write scenes as a folder data set: images, palette masks, splits, classes, and ``scenes.json``, which lists them.

    Everything is written into a folder beside ``root``, which is renamed at the end, so that ``root`` is complete or
    absent. A ``root`` that already contains all files of these scenes is not changed.

    Args:
        root: Folder to make.
        train: Number of training scenes, 1 or more.
        test: Number of test scenes, 1 or more; the first ones are the same for every ``train``.
        size: (height, width) of every scene, pixels.
        seed: Seed of the set.

    Raises:
        DataError: ``root`` contains something else, the number of scenes is 0, or the scenes are too small.
    """
    if min(train, test) < 1:
        raise DataError(f"{train} training and {test} test scenes", accepted="1 or more of each")
    recipe = _Recipe(train, test, (size[0], size[1]), seed)
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        if _holds(root, recipe):
            return
        raise DataError(
            "the folder for the scenes holds something else",
            where=root,
            accepted="a new or empty folder, or the same scenes from before",
            fix="name another folder, or remove this one",
        )
    root.parent.mkdir(parents=True, exist_ok=True)
    partial = root.parent / f".{root.name}.{os.getpid()}.partial"
    try:
        _write(partial, recipe)
        partial.replace(root)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _holds(root: Path, recipe: _Recipe) -> bool:
    """Whether ``root`` was written from ``recipe`` and still has all its files."""
    try:
        same = (root / _RECORD).read_text(encoding="utf-8") == recipe.text()
    except (OSError, UnicodeDecodeError):
        return False
    return same and all((root / name).is_file() for name in _files(recipe))


def _files(recipe: _Recipe) -> list[str]:
    pictures = [f"{folder}/{name}.png" for names in recipe.scenes().values() for name in names for folder in _PICTURES]
    return ["classes.txt", *(f"splits/{split}.txt" for split in recipe.scenes()), *pictures]


def _write(root: Path, recipe: _Recipe) -> None:
    for folder in (*_PICTURES, "splits"):
        (root / folder).mkdir(parents=True)
    for split, names in recipe.scenes().items():
        for name, index in names.items():
            image, mask = make_scene(index, seed=recipe.seed, size=recipe.size)
            Image.fromarray(image).save(root / "images" / f"{name}.png")
            write_index_mask(root / "masks" / f"{name}.png", mask, SCENE_CLASSES)
        (root / "splits" / f"{split}.txt").write_text("\n".join(names) + "\n", encoding="utf-8")
    classes = zip(SCENE_CLASSES.names, SCENE_CLASSES.colours, strict=True)
    lines = [f"{name} {r} {g} {b}\n" for name, (r, g, b) in classes]
    (root / "classes.txt").write_text("".join(lines), encoding="utf-8")
    (root / _RECORD).write_text(recipe.text(), encoding="utf-8")
