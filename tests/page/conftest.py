"""A browser for the tests of the page: Debian's chromium, driven by Playwright."""

from __future__ import annotations

import mimetypes
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Route, sync_playwright

import underpaint

PAGE = Path(underpaint.__file__).parent / "serve" / "page"
ROOT = Path(__file__).resolve().parents[2]
NOWHERE = "http://page.test/"
"""Modules are loaded from here in tests that need no server."""


def missing(what: str) -> None:
    """Skip where somebody works without a tool; in continuous integration its absence is a fault."""
    if os.environ.get("CI"):
        pytest.fail(what)
    pytest.skip(what)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One browser for all tests of a process; each test has a context of its own."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        missing("no chromium on this machine: apt-get install chromium")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    context.set_default_timeout(10_000)
    yield context
    context.close()


@pytest.fixture
def modules(context: BrowserContext) -> Page:
    """An empty page that may import the modules; there is no server."""

    def from_disk(route: Route) -> None:
        name = route.request.url.removeprefix(NOWHERE)
        if name == "":
            route.fulfill(content_type="text/html", body="<!doctype html><title>modules</title>")
        else:
            kind = mimetypes.guess_type(name)[0] or "text/plain"
            route.fulfill(content_type=kind, body=(PAGE / name).read_text(encoding="utf-8"))

    page = context.new_page()
    page.route("**/*", from_disk)
    page.goto(NOWHERE)
    return page
