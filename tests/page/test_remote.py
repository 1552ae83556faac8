"""The page through a tunnel, below a prefix, and with two people at once."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, expect
from tests.page.photographs import write_photographs
from tests.page.serving import Served, draw, open_page, show, wait_saved

CLASSES = "sky\ngrass\n"


@contextmanager
def tunnel(port: int) -> Iterator[int]:
    """Another port that leads to the server byte for byte, as `ssh -L` makes one."""
    loop = asyncio.new_event_loop()

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while part := await reader.read(1 << 16):
                writer.write(part)
                await writer.drain()
        writer.close()

    async def join(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(copy(reader, back), copy(there, writer))

    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    server = asyncio.run_coroutine_threadsafe(asyncio.start_server(join, "127.0.0.1", 0), loop).result()
    yield server.sockets[0].getsockname()[1]
    loop.call_soon_threadsafe(loop.stop)
    thread.join()


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    write_photographs(tmp_path / "data", ("one", "two"))
    (tmp_path / "data" / "classes.txt").write_text(CLASSES, encoding="utf-8")
    served = Served(tmp_path / "data", "--base-url", "/marks")
    served.start()
    yield served
    served.stop()


def test_a_tunnel_and_a_prefix_change_nothing(context: BrowserContext, served: Served) -> None:
    assert served.address.endswith("/marks/")
    number = served.get("images")["items"][0]["id"]
    with tunnel(served.port) as port:
        page = context.new_page()
        page.goto(served.link.replace(f":{served.port}/", f":{port}/"))
        page.locator("#nav a").first.wait_for()
        show(page, f"paint/{number}")
        expect(page.locator(".head h1")).not_to_be_empty()
        draw(page, (0.3, 0.3), (0.6, 0.3))
        wait_saved(page)
        page.close()
    assert len(served.marks(number)) == 1


def test_two_people_see_each_other(browser: Browser, context: BrowserContext, served: Served) -> None:
    number = served.get("images")["items"][0]["id"]
    page = open_page(context, served, "setup")
    page.get_by_label("Name", exact=True).fill("Ben")
    page.get_by_role("button", name="Make a link").click()
    link = page.locator(".link-out").text_content() or ""
    theirs = browser.new_context(viewport={"width": 1280, "height": 800})
    other = theirs.new_page()
    other.goto(link)
    other.locator("#nav a").first.wait_for()
    for one in (page, other):
        show(one, f"paint/{number}")
        expect(one.locator(".head h1")).not_to_be_empty()
    draw(other, (0.3, 0.3), (0.6, 0.3))
    wait_saved(other)
    expect(page.locator(".history li")).to_contain_text(["Ben"])
    assert [mark["by"] for mark in served.get(f"images/{number}")["hints"]] == ["Ben"]
    theirs.close()
