"""Makes the pictures of the page in docs/images: ``python -m website.paint_pictures``.

Scenes are generated and marked with simulated scribbles, and a browser shows the page at 1280 x 800. Needs chromium.
"""

from __future__ import annotations

import io
import shutil
import sys
import tempfile
import time
from contextlib import chdir
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Page, sync_playwright
from tests.page.serving import Served, open_page, show

from underpaint import read_hints, simulate
from underpaint.annotations.parsing.shapes import shape_record
from underpaint.data.synthetic import write_dataset

IMAGES = Path(__file__).resolve().parents[1] / "docs" / "images"
SCENES = 12
MARKED = 6
PATIENCE = 1800.0
SEEN = "() => [...document.querySelectorAll('.photograph img')].every((one) => one.src && one.complete)"
"""Whether all thumbnails are there."""


def main() -> None:
    """Write the pictures."""
    with (
        tempfile.TemporaryDirectory() as folder,
        chdir(folder),
    ):  # a relative path, so that none of the machine is shown
        data, hints = Path("meadow"), Path("hints.jsonl")
        write_dataset(data, train=SCENES, test=1, size=(384, 512), seed=5)
        simulate(data, hints, kind="scribbles", seed=1)
        shutil.rmtree(data / "masks", ignore_errors=True)
        served = Served(data)
        served.start()
        try:
            mark(served, hints)
            take(served)
        finally:
            served.stop()


def mark(served: Served, hints: Path) -> None:
    """Draw the simulated scribbles on some of the scenes, as the page would."""
    known = read_hints(hints, served.data)
    for row in [row for row in served.get("images")["items"] if row["name"] in known][:MARKED]:
        shapes = known[row["name"]].shapes
        ops = [
            {"id": f"{row['id']}-{number}", "image": row["id"], "op": "add", "hint": shape_record(shape)}
            for number, shape in enumerate(shapes)
        ]
        served.post("ops", {"ops": ops})


def take(served: Served) -> None:
    """Look at each screen."""
    wait(lambda: all(row["mask"] for row in served.get("images")["items"]))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        context = browser.new_context(viewport={"width": 1280, "height": 800})
        page = open_page(context, served)
        page.wait_for_function(SEEN, timeout=1000 * PATIENCE)
        keep(page, "paint-photographs")
        show(page, f"paint/{served.get('images')['items'][1]['id']}")
        page.wait_for_timeout(4000)
        page.keyboard.press("n")
        keep(page, "paint")
        show(page, "setup")
        keep(page, "paint-setup")
        show(page, "check")
        page.locator(".finding").first.wait_for()
        keep(page, "paint-check")
        show(page, "results")
        keep(page, "paint-results")
        run = served.post("train", {"method": "partial", "minutes": 2})["run"]
        show(page, "train")
        wait(lambda: len(served.get(f"runs/{run}")["losses"]) > 1)
        page.locator(".curve .line").scroll_into_view_if_needed()
        keep(page, "paint-train")
        served.post(f"runs/{run}/stop", {})
        browser.close()


def wait(done: Any) -> None:
    """Wait for the server's processes."""
    end = time.monotonic() + PATIENCE
    while not done():
        if time.monotonic() > end:
            sys.exit("the server's processes took too long")
        time.sleep(0.5)


def keep(page: Page, name: str) -> None:
    """A picture of the window as a small WebP."""
    page.wait_for_timeout(2500)
    image = Image.open(io.BytesIO(page.screenshot()))
    image.convert("RGB").save(IMAGES / f"{name}.webp", quality=82, method=6)


if __name__ == "__main__":
    main()
