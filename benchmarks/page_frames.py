"""From pointer to frame on the page: ``python -m benchmarks.page_frames PHOTOGRAPH -o frames.json``.

A browser draws strokes on a photograph, fitted, at 1:1 and as pixels, while the quick model works. The time
goes from the event of the pointer to the first task after the frame that shows it. Figures of a machine that others
use are worth nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import statistics
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.reports import origin, write
from PIL import Image
from playwright.sync_api import Page, sync_playwright
from tests.page.serving import Served, open_page, show, wait_saved

STROKES = 12
STEPS = 30
SIZE = (4000, 3000)

WATCH = """() => {
    window.frames_ = [];
    document.querySelector("[data-stage]").addEventListener("pointermove", ({ timeStamp }) => {
        requestAnimationFrame(() => {
            const { port1, port2 } = new MessageChannel();
            port1.onmessage = () => window.frames_.push(performance.now() - timeStamp);
            port2.postMessage(0);
        });
    });
}"""


def main() -> None:
    """Measure, print, and write the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photograph", type=Path, help="enlarged to 4000 x 3000")
    parser.add_argument("-o", "--out", type=Path, required=True)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        (data / "images").mkdir(parents=True)
        (data / "classes.txt").write_text("one\ntwo\n", encoding="utf-8")
        Image.open(asked.photograph).convert("RGB").resize(SIZE).save(data / "images" / "large.jpg", quality=90)
        served = Served(data)
        served.start()
        try:
            rows = measure(served)
        finally:
            served.stop()
    report = {**origin(), "size": list(SIZE), "load": round(os.getloadavg()[0], 1), "rows": rows}
    write(report, asked.out)
    print(json.dumps(report, indent=1))


def measure(served: Served) -> list[dict[str, Any]]:
    """Milliseconds at each zoom."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = open_page(browser.new_context(viewport={"width": 1280, "height": 800}), served)
        show(page, f"paint/{served.get('images')['items'][0]['id']}")
        page.wait_for_timeout(3000)
        page.evaluate(WATCH)
        rows = []
        for zoom, keys in (("fitted", ["f"]), ("1:1", ["Home"]), ("pixels, 8:1 and more", ["+"] * 10)):
            for key in keys:
                page.keyboard.press(key)
            page.wait_for_timeout(2000)
            rows.append({"zoom": zoom, **strokes(page)})
        wait_saved(page)
        browser.close()
    return rows


def strokes(page: Page) -> dict[str, float]:
    """Draw, and say how long the frames took."""
    page.evaluate("window.frames_.length = 0")
    box = page.locator("[data-stage]").bounding_box()
    assert box is not None
    rng = random.Random(0)
    for number in range(STROKES):
        page.keyboard.press(str(1 + number % 2))
        places = [
            (box["x"] + rng.uniform(0.1, 0.9) * box["width"], box["y"] + rng.uniform(0.1, 0.8) * box["height"])
            for _ in range(3)
        ]
        page.mouse.move(*places[0])
        page.mouse.down()
        for place in places[1:]:
            page.mouse.move(*place, steps=STEPS)
        page.mouse.up()
    times = sorted(page.evaluate("window.frames_"))
    return {
        "frames": len(times),
        "median_ms": round(statistics.median(times), 1),
        "p95_ms": round(times[int(0.95 * len(times))], 1),
    }


if __name__ == "__main__":
    main()
