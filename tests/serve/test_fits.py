"""The quick model of the page: its fits after strokes, and masks that equal those of the command."""

from __future__ import annotations

import json
import queue
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import underpaint
from underpaint.annotations.strokes.log import LogWriter
from underpaint.annotations.strokes.operations import Add, Delete, Operation
from underpaint.core.errors import LearningError
from underpaint.hints.types import Scribble
from underpaint.serve import quick_worker
from underpaint.serve.fits import Fits
from underpaint.serve.site import Site, number_of
from underpaint.workflows.quick_model import fit_quick
from underpaint.workflows.training_data import read_training_data

PARTS = {"sky": (4.0, 10.0), "grass": (30.0, 36.0)}


@pytest.fixture
def site(tmp_path: Path) -> Site:
    data = tmp_path / "data"
    data.mkdir()
    for number, name in enumerate("abc"):
        pixels = np.random.default_rng(number).integers(0, 60, (40, 60, 3), np.uint8)
        pixels[:20, :, 2] += 150
        pixels[20:, :, 1] += 120
        Image.fromarray(pixels).save(data / f"{name}.png")
    (data / "classes.txt").write_text("sky\ngrass\n")
    return Site.open(data)


class Marker:
    """Writes strokes into a log of the project."""

    def __init__(self, site: Site) -> None:
        self._writer, self._count = LogWriter(site.folder, "me"), 0

    def stroke(self, image: str, name: str, x: float = 5.0) -> str:
        self._count += 1
        top, bottom = PARTS[name]
        shape = Scribble(name, ((x, top), (x + 20, bottom)), 2.0)
        self._writer.append([Operation(f"s{self._count}", self._count, 1.79e9 + self._count, image, Add(shape))])
        return f"s{self._count}"

    def delete(self, image: str, target: str) -> None:
        self._count += 1
        self._writer.append([Operation(f"s{self._count}", self._count, 1.79e9, image, Delete(target))])


def weights(site: Site) -> dict[str, np.ndarray]:
    model = fit_quick(read_training_data(site.data, hints=[site.folder], lenient=True), {})
    return {name: value.numpy() for name, value in model.network.head.state_dict().items()}


def test_fits_that_go_on_and_exact_fits(site: Site) -> None:
    marker, fits = Marker(site), Fits(site.data, site.folder)
    first = marker.stroke("a", "sky")
    with pytest.raises(LearningError, match="only one class"):
        fits.fit(exact=False)
    marker.stroke("a", "grass")
    fits.fit(exact=False)
    assert fits.exact, "the first fit starts from nothing"
    marker.stroke("b", "grass", 30.0)
    marker.stroke("b", "sky", 30.0)
    fits.fit(exact=False)
    assert not fits.exact
    marker.delete("a", first)
    marker.stroke("a", "sky", 35.0)
    fits.fit(exact=False)
    model = fits.fit(exact=True)
    assert fits.exact
    held = {name: value.numpy() for name, value in model.network.head.state_dict().items()}
    for name, value in weights(site).items():
        np.testing.assert_array_equal(held[name], value)


def test_masks_equal_those_of_the_command(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    marker = Marker(site)
    said: list[dict[str, Any]] = []
    for kind in ("masks", "uncertainty"):
        (site.folder / "cache" / kind).mkdir(parents=True)
    monkeypatch.setattr(quick_worker, "_answer", said.append)
    process = quick_worker.QuickWorker(site.data, site.folder, queue.Queue())
    for image, x in (("a", 5.0), ("b", 30.0)):
        marker.stroke(image, "sky", x)
        marker.stroke(image, "grass", x)
        process._fit(2, exact=False)
        process._masks()
    process._fit(4, exact=True)
    process._requests.image = "b"
    assert process._masks()
    held_for = process._kept.image
    assert held_for is not None
    np.testing.assert_array_equal(held_for, np.asarray(Image.open(site.data / "b.png")), "the next stroke needs these")
    underpaint.quick(site.data, tmp_path / "out", hints=site.folder, lenient=True)
    for name in "abc":
        with Image.open(site.folder / "cache" / "masks" / f"{number_of(name)}.png") as held:
            mine = np.asarray(held)
        with Image.open(tmp_path / "out" / f"{name}.png") as theirs:
            np.testing.assert_array_equal(mine, np.asarray(theirs))
    last: dict[str, Any] = {one["mask"]["image"]: one["mask"] for one in said if "mask" in one}
    assert sorted(last) == ["a", "b", "c"]
    assert all(sum(one["counts"]) == 40 * 60 for one in last.values())
    json.dumps(said)


def test_opening_a_photograph_is_no_second_without_a_stroke(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """An exact fit cannot be interrupted, so the next stroke on the opened photograph would wait for it."""
    now, done = [100.0], list[str | None]()

    class Recorded:
        model, exact = object(), False

    def fit(revision: int, *, exact: bool) -> None:
        process._fitted, Recorded.exact = revision, exact
        done.append("exact" if exact else "fit")

    def masks() -> bool:
        done.append(process._requests.image)
        return process._requests.image != "interrupted"

    lines: queue.Queue[str] = queue.Queue()
    process = quick_worker.QuickWorker(site.data, site.folder, lines)
    monkeypatch.setattr(process, "_fits", Recorded())
    monkeypatch.setattr(process, "_fit", fit)
    monkeypatch.setattr(process, "_masks", masks)
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    monkeypatch.setattr(time, "monotonic", lambda: now[0])

    def turn(after: float, **request: Any) -> None:
        now[0] += after
        if request:
            lines.put(json.dumps(request))
        process._requests.take(wait=0)
        process._answer_requests()

    turn(0, revision=1, image="a")
    turn(0.3, image="b")
    turn(0.3, revision=2, image="b")
    turn(0.9, image="c")
    assert done == ["fit", "a", "b", "fit", "b", "c"]
    assert process._wait() == pytest.approx(0.1)
    turn(0.05, image="interrupted")
    assert process._wait() == 0
    turn(0.1, image="d")
    assert done[-2:] == ["interrupted", "d"], "the mask of the screen comes before the exact fit"
    turn(0)
    assert done[-2:] == ["exact", "d"]
    assert process._wait() is None
