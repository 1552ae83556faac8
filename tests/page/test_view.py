"""Where the photograph is in the window when a place is shown."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page

WINDOW, PHOTOGRAPH = (900, 680), (512, 384)


def shown(modules: Page, x: float, y: float, zoom: float) -> dict[str, Any]:
    found: dict[str, Any] = modules.evaluate(
        """async ([window, photograph, x, y, zoom]) => {
            const { View } = await import("/view.js");
            const view = new View();
            view.resize(...window);
            view.open(...photograph);
            view.zoom(zoom);
            const before = [view.x, view.y];
            const moved = view.show(x, y);
            const same = before[0] === view.x && before[1] === view.y;
            const [corner, end] = [view.toWindow(0, 0), view.toWindow(...photograph)];
            return { moved, same, place: view.toWindow(x, y), corner, end };
        }""",
        [WINDOW, PHOTOGRAPH, x, y, zoom],
    )
    return found


CORNERS = [(0.5, 0.5), (511.5, 0.5), (0.5, 383.5), (511.5, 383.5)]


@pytest.mark.parametrize(("x", "y"), [*CORNERS, (256.0, 383.0)])
def test_a_photograph_that_is_seen_as_a_whole_does_not_move(modules: Page, x: float, y: float) -> None:
    found = shown(modules, x, y, 1.0)
    assert not found["moved"]
    assert found["same"]


@pytest.mark.parametrize(("x", "y"), [*CORNERS, (30.0, 200.0), (256.0, 380.0)])
def test_a_place_of_an_enlarged_photograph_comes_into_the_window_and_the_photograph_fills_it(
    modules: Page, x: float, y: float
) -> None:
    found = shown(modules, x, y, 6.0)
    assert found["moved"]
    for place, corner, end, length in zip(found["place"], found["corner"], found["end"], WINDOW, strict=True):
        assert 0 < place < length
        assert corner <= 0.03 * length
        assert end >= 0.97 * length
