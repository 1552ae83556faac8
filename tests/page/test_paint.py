"""People at the page, in a real browser: with mouse, keys, finger and pen; over reloads, without the server."""

from __future__ import annotations

import re
import signal
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Dialog, Page, Route, expect
from tests.page.conftest import ROOT, missing
from tests.page.photographs import NAMES, write_photographs
from tests.page.serving import Served, draw, open_page, show, wait_saved

CLASSES = ("sky", "<b onclick=alert(2)>cow</b>", "grass")
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
SCREENS = ("photographs", "paint", "train", "results", "check", "setup")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    data = tmp_path_factory.mktemp("page") / "data"
    write_photographs(data)
    (data / "classes.txt").write_text("\n".join(CLASSES) + "\n", encoding="utf-8")
    served = Served(data)
    served.start()
    yield served
    served.stop()


def number_of(served: Served, name: str) -> int:
    return next(int(row["id"]) for row in served.get("images")["items"] if row["name"].endswith(name))


def at(page: Page, served: Served, name: str = "meadow") -> int:
    """Open a photograph without marks of earlier tests."""
    number = number_of(served, name)
    show(page, f"paint/{number}")
    expect(page.locator(".head h1")).to_have_text(re.compile(re.escape(name)))
    while not page.locator(".tools button", has_text="Undo").is_disabled():
        page.keyboard.press("z")
    wait_saved(page)
    return number


def test_strokes_are_kept_and_undo_goes_on_after_a_reload(context: BrowserContext, served: Served) -> None:
    page = open_page(context, served)
    number = at(page, served)
    page.keyboard.press("1")
    draw(page, (0.3, 0.2), (0.6, 0.25))
    page.keyboard.press("3")
    draw(page, (0.3, 0.8), (0.6, 0.85))
    wait_saved(page)
    first, second = served.marks(number)
    assert (first["kind"], first["class"], second["class"]) == ("scribble", CLASSES[0], CLASSES[2])
    assert len(first["points"]) >= 2
    assert first["points"][0][1] < second["points"][0][1]
    page.reload()
    page.locator("[data-stage]").wait_for()
    expect(page.locator(".history li")).to_have_count(2)
    page.keyboard.press("z")
    page.keyboard.press("Control+z")
    wait_saved(page)
    assert served.marks(number) == []
    page.keyboard.press("Shift+Z")
    wait_saved(page)
    assert served.marks(number) == [first]


def test_a_line_cuts_those_of_other_classes_and_the_eraser_leaves_the_rest(
    context: BrowserContext, served: Served
) -> None:
    page = open_page(context, served)
    number = at(page, served)
    page.keyboard.press("1")
    draw(page, (0.3, 0.5), (0.7, 0.5))
    page.keyboard.press("2")
    draw(page, (0.5, 0.3), (0.5, 0.7))
    wait_saved(page)
    assert sorted(mark["class"] for mark in served.marks(number)) == sorted([CLASSES[0], CLASSES[0], CLASSES[1]])
    page.keyboard.press("z")
    wait_saved(page)
    assert [mark["class"] for mark in served.marks(number)] == [CLASSES[0]]
    page.keyboard.press("e")
    draw(page, (0.4, 0.45), (0.4, 0.55))
    draw(page, (0.6, 0.45), (0.6, 0.55))
    wait_saved(page)
    assert len(served.marks(number)) == 3


def test_every_tool_makes_its_mark(context: BrowserContext, served: Served) -> None:
    page = open_page(context, served)
    number = at(page, served)
    page.keyboard.press("1")
    page.keyboard.press("c")
    draw(page, (0.5, 0.2))
    page.keyboard.press("r")
    draw(page, (0.3, 0.3), (0.4, 0.4))
    for place in ((0.5, 0.5), (0.6, 0.45), (0.7, 0.55), (0.65, 0.6)):
        draw(page, place)
    page.keyboard.press("p")
    for place in ((0.3, 0.6), (0.4, 0.6), (0.4, 0.7)):
        draw(page, place)
    page.keyboard.press("Enter")
    page.keyboard.press("l")
    draw(page, (0.5, 0.7), (0.6, 0.7), (0.6, 0.8), (0.5, 0.8))
    page.locator(f'[data-class="{CLASSES[2]}"] .tag').click()
    wait_saved(page)
    kinds = [mark["kind"] for mark in served.marks(number)]
    assert kinds == ["click", "box", "box", "polygon", "polygon"]
    assert len(served.marks(number)[3]["points"]) == 3
    assert served.get(f"images/{number}")["tags"]["present"] == [CLASSES[2]]


def test_strokes_wait_in_the_browser_while_the_server_is_away(context: BrowserContext, served: Served) -> None:
    page = open_page(context, served)
    number = at(page, served)
    served.stop()
    page.keyboard.press("1")
    for y in (0.2, 0.3, 0.4):
        draw(page, (0.3, y), (0.6, y))
    expect(page.locator("#state-saved")).to_contain_text("3 changes wait: the server does not answer", timeout=20_000)
    expect(page.locator(".history li")).to_have_count(3)
    served.start()
    expect(page.locator("#state-saved")).to_contain_text("Open the link that the command printed", timeout=30_000)
    page = open_page(context, served, f"paint/{number}")
    wait_saved(page)
    assert len(served.marks(number)) == 3


def test_keys_alone_are_enough(context: BrowserContext, served: Served) -> None:
    page = open_page(context, served)
    number = at(page, served)
    page.keyboard.press("g")
    page.get_by_role("heading", name="Photographs").wait_for()
    link = page.locator(f'[data-image="{number}"] a.name')
    for _ in range(60):
        page.keyboard.press("Tab")
        if link.evaluate("link => link === document.activeElement"):
            break
    page.keyboard.press("Enter")
    page.locator("[data-stage]:focus").wait_for()
    page.keyboard.press("3")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("k")
    for _ in range(4):
        page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("k")
    page.keyboard.press("c")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("k")
    wait_saved(page)
    line, click = served.marks(number)
    assert (line["kind"], line["class"], click["kind"]) == ("scribble", CLASSES[2], "click")
    (x0, y0), (x1, y1) = line["points"][0], line["points"][-1]
    assert (x1 - x0, y1 - y0) == (40, 1)
    assert (click["x"], click["y"]) == (x1, y1 - 1)
    expect(page.locator("#live")).to_have_text(re.compile("click"))


def test_single_keys_can_be_turned_off_and_changed(context: BrowserContext, served: Served) -> None:
    page = open_page(context, served, "setup")
    page.get_by_label("Single keys").uncheck()
    page.get_by_role("textbox", name="Key: Lasso").press("j")
    at_number = number_of(served, "meadow")
    show(page, f"paint/{at_number}")
    page.locator(".head h1").click()
    page.locator(".side").click(position={"x": 5, "y": 5})
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("j")
    expect(page.locator('[data-tool="brush"]')).to_have_attribute("aria-pressed", "true")
    page.locator("[data-stage]").focus()
    page.keyboard.press("j")
    expect(page.locator('[data-tool="lasso"]')).to_have_attribute("aria-pressed", "true")


def test_a_finger_draws_and_two_fingers_move(browser: Browser, served: Served) -> None:
    context = browser.new_context(viewport={"width": 900, "height": 700}, has_touch=True)
    page = open_page(context, served)
    number = at(page, served)
    box = page.locator("[data-stage]").bounding_box()
    assert box is not None
    client = context.new_cdp_session(page)

    def touch(kind: str, *places: tuple[float, float]) -> None:
        at_window = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in places]
        points = [{"x": x, "y": y, "id": finger} for finger, (x, y) in enumerate(at_window)]
        client.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    page.keyboard.press("1")
    touch("touchStart", (0.4, 0.4))
    for x in (0.45, 0.5, 0.55):
        touch("touchMove", (x, 0.42))
    touch("touchEnd")
    wait_saved(page)
    assert [mark["kind"] for mark in served.marks(number)] == ["scribble"]
    before = page.locator(".zoom output").text_content()
    touch("touchStart", (0.4, 0.5))
    touch("touchStart", (0.4, 0.5), (0.6, 0.5))
    for step in (0.05, 0.1, 0.15):
        touch("touchMove", (0.4 - step, 0.5), (0.6 + step, 0.5))
    touch("touchEnd")
    expect(page.locator(".zoom output")).not_to_have_text(before or "")
    wait_saved(page)
    assert len(served.marks(number)) == 1
    context.close()


def test_a_pen_draws_and_its_other_end_erases(context: BrowserContext, served: Served) -> None:
    page = open_page(context, served)
    number = at(page, served)
    box = page.locator("[data-stage]").bounding_box()
    assert box is not None

    def pen(kind: str, x: float, y: float, buttons: int, button: int) -> None:
        page.evaluate(
            """([kind, x, y, buttons, button]) => {
                const stage = document.querySelector("[data-stage]");
                stage.dispatchEvent(new PointerEvent(kind, {
                    pointerType: "pen", pointerId: 7, isPrimary: true, bubbles: true, cancelable: true,
                    clientX: x, clientY: y, buttons, button, pressure: 0.2,
                }));
            }""",
            [kind, box["x"] + x * box["width"], box["y"] + y * box["height"], buttons, button],
        )

    def line(buttons: int, button: int, *places: tuple[float, float]) -> None:
        pen("pointerdown", *places[0], buttons, button)
        for place in places[1:]:
            pen("pointermove", *place, buttons, -1)
        pen("pointerup", *places[-1], 0, button)

    page.keyboard.press("1")
    line(1, 0, (0.3, 0.5), (0.5, 0.5), (0.7, 0.5))
    wait_saved(page)
    assert len(served.marks(number)) == 1
    line(32, 5, (0.5, 0.4), (0.5, 0.6))
    wait_saved(page)
    left, right = sorted(served.marks(number), key=lambda mark: float(mark["points"][0][0]))
    assert left["points"][-1][0] < right["points"][0][0]
    expect(page.locator('[data-tool="brush"]')).to_have_attribute("aria-pressed", "true")


def test_names_are_text_and_nothing_is_asked_elsewhere(context: BrowserContext, served: Served) -> None:
    asked: list[str] = []

    def watched(route: Route) -> None:
        asked.append(route.request.url)
        route.continue_()

    context.route("**/*", watched)
    page = open_page(context, served)
    dialogs: list[str] = []

    def dismissed(dialog: Dialog) -> None:
        dialogs.append(dialog.message)
        dialog.dismiss()

    page.on("dialog", dismissed)
    for name in NAMES:
        number = number_of(served, name)
        show(page, f"paint/{number}")
        expect(page.locator(".head h1")).to_contain_text(name)
    for screen in SCREENS:
        show(page, screen)
        page.wait_for_timeout(200)
    assert page.locator("#main b, #main img[src='x']").count() == 0
    assert not dialogs
    assert asked
    assert not [url for url in asked if not url.startswith((served.address, f"blob:{served.address}"))]
    refused = page.evaluate("() => fetch('http://127.0.0.1:9/x').then(() => false, () => true)")
    assert refused
    markup = "() => { try { document.body.innerHTML = '<b>x</b>'; return false; } catch { return true; } }"
    assert page.evaluate(markup), "the browser itself refuses to make markup of text"
    assert "#" not in page.evaluate("performance.getEntriesByType('resource').map((one) => one.name).join(' ')")
    assert served.token not in page.url


@pytest.mark.parametrize("colours", ["light", "dark"])
def test_no_screen_breaks_a_rule_of_access(browser: Browser, served: Served, colours: Any) -> None:
    axe = ROOT / "tests" / "page" / "node_modules" / "axe-core" / "axe.min.js"
    if not axe.is_file():
        missing("no axe-core: make page")
    width = 1280 if colours == "light" else 320  # 320 pixels are 400 % of zoom
    size: Any = {"width": width, "height": 800}
    context = browser.new_context(viewport=size, color_scheme=colours, reduced_motion="reduce")
    page = open_page(context, served)
    page.evaluate(axe.read_text(encoding="utf-8"))
    found = []
    for screen in (*SCREENS, "help"):
        if screen == "help":
            page.locator("#help-button").click()
        else:
            show(page, screen)
        page.wait_for_timeout(300)
        answer = page.evaluate(
            """async (rules) => (await axe.run(document, { runOnly: rules }))
                .violations.map((one) => [one.id, one.nodes.map((node) => node.html.slice(0, 200))])""",
            RULES,
        )
        found += [(screen, *one) for one in answer]
        wide = page.evaluate("document.documentElement.scrollWidth > innerWidth")
        assert not wide, f"{screen} scrolls sideways"
    assert not found
    context.close()


def test_a_wrong_link_is_asked_for_again(context: BrowserContext, served: Served) -> None:
    page = context.new_page()
    page.goto(served.address + "#" + "x" * 43)
    expect(page.get_by_role("heading", name="The link is needed")).to_be_visible()
    page.get_by_label("Link, or its part after #").fill(served.link)
    page.get_by_role("button", name="Open").click()
    page.locator("#nav a").first.wait_for()


def test_a_page_finds_a_killed_server_again_by_itself(context: BrowserContext, served: Served) -> None:
    page = open_page(context, served)
    number = at(page, served)
    page.keyboard.press("1")
    draw(page, (0.3, 0.2), (0.6, 0.2))
    wait_saved(page)
    served.stop(signal.SIGKILL)
    expect(page.locator("#state-saved")).to_contain_text("The server does not answer", timeout=20_000)
    draw(page, (0.3, 0.3), (0.6, 0.3))
    draw(page, (0.3, 0.4), (0.6, 0.4))
    expect(page.locator("#state-saved")).to_contain_text("2 changes wait", timeout=20_000)
    served.start()
    hint = {"kind": "click", "class": CLASSES[2], "x": 160.0, "y": 200.0}
    served.post("ops", {"ops": [{"id": "away", "image": number, "op": "add", "hint": hint}]})
    wait_saved(page)
    expect(page.locator(".history li")).to_have_count(4, timeout=20_000)
    assert [mark["kind"] for mark in served.marks(number)].count("scribble") == 3
    served.post("ops", {"ops": [{"id": "gone", "image": number, "op": "delete", "target": "away"}]})


def said(served: Served) -> Counter[tuple[str, str]]:
    """Kinds and classes of all marks."""
    rows = served.get("images")["items"]
    return Counter((mark["kind"], mark["class"]) for row in rows for mark in served.marks(row["id"]))


@pytest.mark.slow
def test_a_suggested_place_is_answered_and_passed_by_keys(context: BrowserContext, served: Served) -> None:
    page = open_page(context, served)
    number = at(page, served)
    page.keyboard.press("1")
    draw(page, (0.3, 0.1), (0.6, 0.15))
    page.keyboard.press("3")
    draw(page, (0.3, 0.9), (0.6, 0.95))
    wait_saved(page)
    expect(page.locator("#state-model")).to_contain_text("Quick model", timeout=300_000)
    expect(page.locator('[data-class="sky"] .share')).not_to_be_empty(timeout=300_000)
    page.keyboard.press("n")
    question = page.locator(".question .ask")
    expect(question).to_be_visible()
    asked = set((question.text_content() or "").removesuffix("?").split(" or "))
    assert asked <= set(CLASSES)
    page.keyboard.press("x")
    expect(question).to_be_visible()
    wait_saved(page)
    assert len(served.marks(number)) == 2, "a place that is passed gets no mark"
    for key, name in (("y", None), ("2", CLASSES[1])):
        expect(question).to_be_visible()
        before = said(served)
        name = name or (page.locator(".question button.main").text_content() or "").removeprefix("Yes, ").removesuffix(
            "Y"
        )
        page.keyboard.press(key)
        page.wait_for_timeout(200)
        wait_saved(page)
        assert said(served) - before == Counter({("click", name): 1})
        assert not before - said(served)
