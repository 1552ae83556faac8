"""The perceptual hash, on real photographs and by a plain transform; the search for near ones by a plain loop."""

from __future__ import annotations

import io
import math
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from underpaint.doctor.image import Job, examine_image, turned
from underpaint.doctor.signature import KEPT, RADIUS, SIDE, nearest, signature
from underpaint.imagefiles.numbering import VOC

Grey = npt.NDArray[np.uint8]


def grey(seed: int) -> Grey:
    """Coarse noise: structure in the low frequencies, as photographs have."""
    cells = np.random.default_rng(seed).integers(0, 256, (16, 16), np.uint8)
    return np.asarray(Image.fromarray(cells).resize((SIDE, SIDE), Image.Resampling.BICUBIC))


def bits_of(path: Path) -> npt.NDArray[np.uint8]:
    examined = examine_image(Job(path.name, path, (), VOC))
    assert examined.fault is None
    assert examined.signature is not None
    return np.frombuffer(examined.signature, np.uint8)


def apart(one: npt.NDArray[np.uint8], two: npt.NDArray[np.uint8]) -> int:
    return int(np.bitwise_count(one ^ two).sum())


def test_bits_are_the_low_frequencies_above_their_median() -> None:
    picture = grey(0).astype(float)
    wave = [[math.cos(math.pi * k * (2 * n + 1) / (2 * SIDE)) for n in range(SIDE)] for k in range(1, KEPT + 1)]
    low = np.zeros((KEPT, KEPT))
    for i in range(KEPT):
        for j in range(KEPT):
            low[i, j] = sum(wave[i][y] * float(picture[y] @ np.array(wave[j])) for y in range(SIDE))
    flat = low.ravel().tolist()
    middle = (sorted(flat)[127] + sorted(flat)[128]) / 2
    bits = np.unpackbits(np.frombuffer(signature(grey(0)) or b"", np.uint8))
    assert bits.tolist() == [int(value > middle) for value in flat]
    assert bits.sum() == 128


def test_a_flat_picture_has_no_signature() -> None:
    assert signature(np.full((SIDE, SIDE), 200, np.uint8)) is None
    assert signature(grey(1)) is not None


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_square_is_turned_as_the_photograph_is(tmp_path: Path, orientation: int) -> None:
    path, exif = tmp_path / "a.png", Image.Exif()
    exif[0x0112] = orientation
    square = grey(2)
    Image.fromarray(square).save(path, exif=exif)
    from underpaint.imagefiles.images import read_rgb

    np.testing.assert_array_equal(turned(square, orientation), read_rgb(path)[:, :, 0])


@pytest.mark.parametrize("radius", [0, 40, 110])
def test_nearest_by_a_plain_loop(radius: int) -> None:
    rng = np.random.default_rng(3)
    words = rng.integers(0, 2**63, (150, 4), np.uint64)
    for i, flips in enumerate((0, 3, 30, 41)):  # pairs of known distance
        copy = words[i].copy()
        copy[0] ^= np.uint64((1 << flips) - 1)
        words[100 + 9 * i] = copy
    parts = rng.integers(-1, 3, 150)
    found = nearest(words, parts, radius=radius)
    for i in range(150):
        best: dict[bool, tuple[int, int]] = {}
        for j in range(150):
            bits = sum(int(a ^ b).bit_count() for a, b in zip(words[i], words[j], strict=True))
            if i != j and bits <= radius:
                other = bool(parts[i] >= 0 and parts[j] >= 0 and parts[i] != parts[j])
                best[other] = min(best.get(other, (999, 0)), (bits, j))
        assert found.same[i] == best.get(False, (0, -1))[1]
        assert found.other[i] == best.get(True, (0, -1))[1]


COPIES = {
    "quality 30": ("jpg", 1.0, {"quality": 30}),
    "quality 10": ("jpg", 1.0, {"quality": 10}),
    "half size": ("jpg", 0.5, {"quality": 75}),
    "double size": ("jpg", 2.0, {"quality": 75}),
    "0.6, as PNG": ("png", 0.6, {}),
}


def test_copies_of_real_photographs_are_near_and_others_are_far(real_data: Path, tmp_path: Path) -> None:
    photographs = sorted((real_data / "msrc21" / "images").glob("*.jpg"))[::50]
    own = [bits_of(path) for path in photographs]
    for path, bits in zip(photographs, own, strict=True):
        with Image.open(path) as image:
            for name, (suffix, factor, options) in COPIES.items():
                copy = tmp_path / f"copy.{suffix}"
                size = (round(image.width * factor), round(image.height * factor))
                image.resize(size, Image.Resampling.BICUBIC).save(copy, **options)  # type: ignore[arg-type]
                assert apart(bits, bits_of(copy)) <= RADIUS, (path.name, name)
    distances = [apart(a, b) for i, a in enumerate(own) for b in own[:i]]
    assert min(distances) > 2 * RADIUS - 8  # far: unrelated ones differ in 128 bits, plus or minus 8
    assert abs(float(np.mean(distances)) - 128) < 2


def test_cutting_a_tenth_away_is_another_picture(real_data: Path, tmp_path: Path) -> None:
    path = sorted((real_data / "msrc21" / "images").glob("*.jpg"))[0]
    with Image.open(path) as image:
        width, height = image.size
        image.crop((width // 10, height // 10, width, height)).save(tmp_path / "a.png")
    assert apart(bits_of(path), bits_of(tmp_path / "a.png")) > RADIUS


def test_reduced_decoding_meets_the_faults_that_full_decoding_meets(real_data: Path, tmp_path: Path) -> None:
    """What the speed rests on: a JPEG decoded at a reduced scale fails where the full one fails, and nowhere else."""
    path = sorted((real_data / "msrc21" / "images").glob("*.jpg"))[7]
    content = path.read_bytes()
    rng = np.random.default_rng(0)
    verdicts = []
    for i in range(160):
        mutant = bytearray(content)
        if i % 2:
            mutant = mutant[: int(rng.integers(len(mutant)))]
        else:
            for at in rng.integers(0, len(mutant) if i % 4 else 700, 4):  # every other time in the headers
                mutant[at] = rng.integers(256)
        copy = tmp_path / "a.jpg"
        copy.write_bytes(mutant)
        verdicts.append((_decodes(bytes(mutant)), examine_image(Job("a", copy, (), VOC)).fault is None))
    assert {full for full, _ in verdicts} == {True, False}
    assert all(full == reduced for full, reduced in verdicts), verdicts


def _decodes(content: bytes) -> bool:
    try:
        with Image.open(io.BytesIO(content), formats=["JPEG"]) as image:
            image.convert("RGB")
        return True
    except Exception:
        return False
