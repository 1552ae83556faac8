"""A running `underpaint paint`, and what its page is asked."""

from __future__ import annotations

import json
import os
import re
import select
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import BrowserContext, Page, expect

LINK = re.compile(r"(https?://\S+#\S+)\s")
PATIENCE = 60.0
"""Seconds for a start on a machine that many share."""


class Served:
    """The command in a process of its own. ``link`` is what it prints."""

    def __init__(self, data: Path, *options: str) -> None:
        self.data, self.options = data, options
        self.port = 0
        self.link = ""
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start, on the same port as before."""
        command = [sys.executable, "-m", "underpaint", "paint", str(self.data), "--no-browser"]
        self._process = subprocess.Popen(
            [*command, "--port", str(self.port), *self.options],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=os.environ | {"PYTHONUNBUFFERED": "1"},
        )
        self.link = self._printed_link(self._process)
        self.port = urlsplit(self.link).port or 0

    def _printed_link(self, process: subprocess.Popen[bytes]) -> str:
        assert process.stdout is not None
        said, end = "", time.monotonic() + PATIENCE
        while time.monotonic() < end:
            if not select.select([process.stdout], [], [], 1)[0]:
                continue
            part = os.read(process.stdout.fileno(), 1 << 16)  # a buffer would hide lines from `select`
            said += part.decode()
            if found := LINK.search(said):
                return found[1]
            if not part:
                break
        process.kill()
        raise AssertionError(f"no link was printed: {said}")

    def stop(self, number: int = signal.SIGINT) -> None:
        """End the server and wait until it is gone."""
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(PATIENCE)
            assert self._process.stdout is not None
            self._process.stdout.close()
            self._process = None

    @property
    def address(self) -> str:
        return self.link.partition("#")[0]

    @property
    def token(self) -> str:
        return self.link.partition("#")[2].removeprefix("token=")

    def get(self, path: str) -> Any:
        """What the server answers, asked beside the page."""
        return self._asked(path, None)

    def post(self, path: str, body: object) -> Any:
        """What the server answers to a request that changes something."""
        return self._asked(path, json.dumps(body).encode())

    def _asked(self, path: str, body: bytes | None) -> Any:
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        request = urllib.request.Request(f"{self.address}api/v1/{path}", body, headers)
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return json.load(answer)

    def marks(self, image: int) -> list[dict[str, Any]]:
        """The hints of a photograph, oldest first."""
        return [mark["hint"] for mark in self.get(f"images/{image}")["hints"]]


def open_page(context: BrowserContext, served: Served, screen: str = "photographs") -> Page:
    """The page by its link, on one of its screens."""
    page = context.new_page()
    page.goto(served.link)
    page.locator("#nav a").first.wait_for()
    show(page, screen)
    return page


def show(page: Page, screen: str) -> None:
    """Go to a screen, as a link of the page does."""
    page.evaluate("address => { location.hash = address; }", f"#/{screen}")
    page.locator("#main .empty").wait_for(state="detached")
    if screen.startswith("paint"):
        page.locator("[data-stage]").wait_for()


def draw(page: Page, *places: tuple[float, float]) -> None:
    """A line by mouse through places of the stage, given as shares of its width and height."""
    box = page.locator("[data-stage]").bounding_box()
    assert box is not None
    points = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in places]
    page.mouse.move(*points[0])
    page.mouse.down()
    for point in points[1:]:
        page.mouse.move(*point, steps=6)
    page.mouse.up()


def wait_saved(page: Page) -> None:
    expect(page.locator("#state-saved")).to_have_text("Saved", timeout=20_000)
