"""The application: the files of the page, the API, and the guard that checks every request."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from importlib.resources import files

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from underpaint.serve.api import failure, routes
from underpaint.serve.guard import Guard
from underpaint.serve.services import Services

TYPES = {
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "svg": "image/svg+xml",
    "json": "application/json",
}
"""The file endings of the page; no other file is served."""


def page_files() -> dict[str, bytes]:
    """The files of the page by name. They are read once, so that nothing is served from the disk."""
    folder = files("underpaint.serve") / "page"
    found = {one.name: one.read_bytes() for one in folder.iterdir() if one.name.rpartition(".")[2] in TYPES}
    return {name: content for name, content in found.items() if name != "tsconfig.json"}


def make_app(services: Services, *, hosts: Iterable[str] = (), prefix: str = "") -> ASGIApp:
    """Make the application.

    Args:
        services: The parts of the server.
        hosts: Allowed host names in addition to those of this machine.
        prefix: Path prefix behind a proxy.
    """
    page = page_files()

    async def static(request: Request) -> Response:
        name = request.path_params.get("name", "") or "index.html"
        if name not in page:
            return failure(404, "there is no such file")
        kind = TYPES[name.rpartition(".")[2]]
        return Response(page[name], headers={"cache-control": "no-cache"}, media_type=kind)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        await services.open()
        try:
            yield
        finally:
            await services.close()

    every = [*routes(services), Route("/", static), Route("/{name}", static)]
    return Guard(Starlette(routes=every, lifespan=lifespan), services.people, hosts, prefix)
