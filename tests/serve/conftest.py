"""The page's server without sockets and without its processes."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from underpaint.serve.app import make_app
from underpaint.serve.connections import PageServer
from underpaint.serve.people import People
from underpaint.serve.services import Services
from underpaint.serve.site import Site

TOKEN = "t" * 43
CLASSES = [
    {"name": "background", "color": "#999999", "key": "0"},
    {"name": "cat", "color": "#e69f00", "key": "1"},
    {"name": "dog", "color": "#56b4e9", "key": "2"},
]
HOST = "http://127.0.0.1:8765"


Result = TypeVar("Result")


def in_own_loop(work: Coroutine[Any, Any, Result]) -> Result:
    """The result of a coroutine, in a thread of its own: after browser tests the main thread has a loop already."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()


def photographs(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    for number, name in enumerate(("a", "b", "c")):
        pixels = np.random.default_rng(number).integers(0, 255, (40, 60, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"{name}.png")
    return folder


class Page:
    """What a page does: every request has the token, and bodies are JSON."""

    def __init__(self, client: TestClient, services: Services) -> None:
        self.client, self.services = client, services
        client.headers["authorization"] = f"Bearer {TOKEN}"

    def get(self, path: str) -> Any:
        answer = self.client.get(f"/api/v1/{path}")
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(self, path: str, body: object) -> Any:
        answer = self.client.post(f"/api/v1/{path}", json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    @property
    def ids(self) -> list[int]:
        return [row["id"] for row in self.get("images")["items"]]


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Page]:
    with opened(photographs(tmp_path / "data")) as page:
        page.post("project", {"classes": CLASSES})
        yield page


class opened:  # noqa: N801 - read as a word: with opened(folder) as page
    """A server of a folder of photographs, without the process of the quick model."""

    def __init__(self, data: Path, project: Path | None = None, **options: Any) -> None:
        site = Site.open(data, project)
        people = People(site.folder)
        people.admit("me", TOKEN)
        self._services = Services(site, people, quick=False)
        self._client = TestClient(make_app(self._services, **options), base_url=HOST, raise_server_exceptions=True)

    def __enter__(self) -> Page:
        return Page(self._client.__enter__(), self._services)

    def __exit__(self, *error: Any) -> None:
        self._client.__exit__(*error)


@contextmanager
def serving(site: Site) -> Iterator[int]:
    """The server in a thread, on a socket, without the process of the quick model; the port."""
    people = People(site.folder)
    people.admit("me", TOKEN)
    services = Services(site, people, quick=False)
    server = PageServer(make_app(services), services.news.close)
    bound = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]})
    thread.start()
    yield bound.getsockname()[1]
    server.should_exit = True
    thread.join()
