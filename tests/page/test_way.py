"""A person's whole way in a browser: an empty project, classes, strokes, masks, a training, a network, a report."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import BrowserContext, expect
from tests.page.photographs import write_photographs
from tests.page.serving import Served, draw, open_page, show, wait_saved

from underpaint import open_dataset, read_hints

MINUTES = 60_000.0
NAMES = ("one", "two", "three", "four", "five", "six")
CLASSES = ("sky", "grass", "soil")


@pytest.mark.slow
def test_from_a_folder_of_photographs_to_masks_a_network_and_a_report(context: BrowserContext, tmp_path: Path) -> None:
    data = tmp_path / "photographs"
    write_photographs(data, NAMES)
    served = Served(data)
    served.start()
    try:
        page = open_page(context, served, "setup")
        for name in CLASSES:
            page.get_by_label("New class").fill(name)
            page.get_by_role("button", name="Add", exact=True).click()
        page.get_by_role("button", name="Save classes").click()
        expect(page.locator("#live")).to_have_text("Classes saved")
        rows = served.get("images")["items"]
        for row in rows[:3]:
            show(page, f"paint/{row['id']}")
            expect(page.locator(".head h1")).to_contain_text(row["name"])
            horizon = 0.4 + 0.1 * (NAMES.index(row["name"].rpartition("/")[2]) % 4)
            for name, y in zip(CLASSES[:2], (horizon - 0.2, 0.95), strict=True):
                page.locator(f'[data-class="{name}"] .choose').click()
                draw(page, (0.25, y), (0.75, y))
        wait_saved(page)
        expect(page.locator("#state-model")).to_contain_text("Quick model", timeout=3 * MINUTES)
        expect(page.locator('[data-class="sky"] .share')).not_to_be_empty(timeout=3 * MINUTES)

        show(page, "train")
        page.get_by_label("Method").select_option("partial")
        expect(page.locator(".plan")).to_contain_text("partial", timeout=3 * MINUTES)
        page.get_by_label("Minutes at most").select_option("5")
        expect(page.locator(".plan")).to_contain_text("because a step takes", timeout=3 * MINUTES)
        page.get_by_label("Minutes at most").select_option("0")  # else the training takes all of the five minutes
        expect(page.locator(".plan")).not_to_contain_text("because a step takes", timeout=3 * MINUTES)
        page.get_by_role("main").get_by_role("button", name="Train", exact=True).click()
        expect(page.get_by_role("heading", name="finished")).to_be_visible(timeout=15 * MINUTES)
        expect(page.locator(".curve .line")).to_be_visible()

        show(page, "results")
        with page.expect_download(timeout=5 * MINUTES) as masks:
            page.get_by_role("button", name="Masks, one PNG").click()
            page.locator(".job", has_text="Masks").get_by_role("button", name="Download").click(timeout=5 * MINUTES)
        assert masks.value.path().stat().st_size > 0
        page.locator("#source").select_option(index=1)
        page.get_by_role("button", name="Network").click()
        expect(page.locator(".job", has_text="Network")).to_contain_text("ready", timeout=5 * MINUTES)
        page.get_by_role("button", name="Report").click()
        expect(page.locator(".job", has_text="Report")).to_contain_text("ready", timeout=5 * MINUTES)
    finally:
        served.stop()
    hints = read_hints(data / "paint", data)
    assert {shape.name for one in hints.values() for shape in one.shapes} == {"sky", "grass"}
    assert len(open_dataset(data).images) == len(NAMES)


def test_a_photograph_of_sixteen_bits_has_its_contrast(context: BrowserContext, tmp_path: Path) -> None:
    data = tmp_path / "photographs"
    (data / "images").mkdir(parents=True)
    values = np.linspace(1000, 3000, 64 * 96).reshape(64, 96).astype(np.uint16)
    Image.fromarray(values).save(data / "images" / "deep.png")
    served = Served(data)
    served.start()
    try:
        page = open_page(context, served, "paint")
        dark = page.get_by_role("slider", name="Dark end")
        expect(dark).to_be_visible()
        page.wait_for_timeout(1500)
        before = _mean(page.locator('canvas[data-layer="photo"]').screenshot())
        dark.evaluate("slider => { slider.value = '2500'; slider.dispatchEvent(new Event('input')); }")
        page.wait_for_timeout(1500)
        assert _mean(page.locator('canvas[data-layer="photo"]').screenshot()) < before - 10
    finally:
        served.stop()


def _mean(picture: bytes) -> float:
    image = Image.open(io.BytesIO(picture)).convert("L")
    return sum(level * count for level, count in enumerate(image.histogram())) / (image.width * image.height)
