"""The screen Train shows what the files of a training say, whoever started it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from PIL import Image
from playwright.sync_api import BrowserContext, Route, expect
from tests.page.photographs import write_photographs
from tests.page.serving import Served, open_page, show

NAMES = ("one", "two")
CLASSES = ("background", "sky", "grass")


def write_run(project: Path, name: str, photographs: list[str], losses: list[float]) -> None:
    """A finished training, as the command leaves it, and the masks that the server makes with it."""
    run, masks = project / "runs" / name, project / "masks" / name
    for folder in (run, masks):
        folder.mkdir(parents=True)
    (run / "config.yaml").write_text("method:\n  name: partial\n")
    steps = [{"event": "steps", "stage": "train", "step": 10 * n + 10, "loss/sets": x} for n, x in enumerate(losses)]
    (run / "events.jsonl").write_text("".join(json.dumps(one) + "\n" for one in steps))
    for made in ("weights.safetensors", "samples.png"):
        (run / made).touch()
    for place, photograph in enumerate(photographs):
        (masks / photograph).parent.mkdir(exist_ok=True)
        Image.fromarray(np.full((240, 320), place + 1, np.uint8)).save(masks / f"{photograph}.png")
    (masks / "classes.txt").write_text("\n".join(CLASSES) + "\n")
    (masks / "summary.csv").touch()


def test_a_training_shows_its_curve_and_masks_beside_photographs(context: BrowserContext, tmp_path: Path) -> None:
    data = tmp_path / "data"
    write_photographs(data, NAMES)
    (data / "classes.txt").write_text("\n".join(CLASSES) + "\n")
    served = Served(data)
    served.start()  # makes the project
    names = [row["name"] for row in served.get("images")["items"]]
    colours = [one["color"] for one in served.get("project")["classes"]]
    served.stop()
    write_run(data / "paint", "mine", names, [2.0, 0.5, 0.25])
    served.start()
    try:
        page = open_page(context, served, "train")
        expect(page.get_by_role("heading", name="Training mine: finished")).to_be_visible()
        expect(page.locator("table")).to_contain_text("finished, started by the command")
        expect(page.locator("figcaption", has_text="from 2.00 to 0.250 in 30 steps")).to_be_visible()
        expect(page.locator(".curve .line")).to_be_visible()
        for name, colour in zip(names, colours[1:], strict=True):
            canvas = page.locator(".samples figure", has_text=name).locator("canvas")
            canvas.scroll_into_view_if_needed()
            page.wait_for_function("canvas => canvas.width > 4", arg=canvas.element_handle())
            pixel = canvas.evaluate("canvas => [...canvas.getContext('2d').getImageData(9, 9, 1, 1).data]")
            assert "#{:02x}{:02x}{:02x}".format(*pixel) == colour
    finally:
        served.stop()


def test_the_plan_of_the_last_question_is_shown(context: BrowserContext, tmp_path: Path) -> None:
    """The plan of one method takes longer than that of the method chosen after it."""
    data = tmp_path / "data"
    write_photographs(data, NAMES)
    (data / "classes.txt").write_text("\n".join(CLASSES) + "\n")
    served = Served(data)
    served.start()
    held: list[Route] = []

    def answered(route: Route) -> None:
        method = (route.request.post_data_json or {})["method"]
        if method == "auto":
            held.append(route)
        else:
            route.fulfill(json={"lines": [f"method {method}"]})

    try:
        page = open_page(context, served)
        page.route("**/train/plan", answered)
        show(page, "train")
        page.get_by_label("Method").select_option("partial")
        expect(page.locator(".plan")).to_have_text("method partial")
        with page.expect_response("**/train/plan"):
            held[0].fulfill(json={"lines": ["method auto"]})
        page.wait_for_timeout(200)
        expect(page.locator(".plan")).to_have_text("method partial")
    finally:
        served.stop()
