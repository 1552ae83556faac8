"""Checks every request before any other code handles it."""

from __future__ import annotations

import time
from collections.abc import Iterable, MutableMapping
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from underpaint.serve.people import People
from underpaint.serve.site import json_bytes

LOCAL = frozenset({"127.0.0.1", "localhost", "[::1]"})
"""Names of this machine, which are always allowed."""

BODY = 4 << 20
"""Largest size of the body of a request in bytes."""

WRITES = 50
"""Largest number of changing requests of a person per second."""

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; worker-src 'self'; connect-src 'self'; "
    "img-src 'self' blob:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'; "
    "require-trusted-types-for 'script'; trusted-types underpaint"
)
"""The content security policy of the page: nothing from other servers, and no inline code."""

HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "x-frame-options": "DENY",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
}


class Guard:
    """Checks host, origin, size, token and rate, and sets the headers of every answer.

    Args:
        app: The application behind the guard.
        people: The people who have access.
        hosts: Allowed host names in addition to those of this machine.
        prefix: Path prefix behind a proxy, such as ``/paint``, or an empty text.
    """

    def __init__(self, app: ASGIApp, people: People, hosts: Iterable[str] = (), prefix: str = "") -> None:
        self._app, self._people, self._prefix = app, people, prefix
        self._hosts = LOCAL | {host.lower() for host in hosts}
        self._writes: dict[str, tuple[int, int]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse a request, or pass it on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        scope.setdefault("state", {})
        self._without_prefix(scope)
        refused = self._refusal(scope, headers)
        if refused is not None:
            await _answer(_with_headers(send), *refused)
            return
        await self._app(scope, _Body(receive).receive, _with_headers(send))

    def _without_prefix(self, scope: Scope) -> None:
        path = scope["path"]
        if self._prefix and (path == self._prefix or path.startswith(f"{self._prefix}/")):
            scope["path"] = path[len(self._prefix) :] or "/"
            scope["raw_path"] = scope["path"].encode()

    def _refusal(self, scope: Scope, headers: Headers) -> tuple[int, str, str] | None:
        host = headers.get("host", "")
        if _name(host) not in self._hosts:
            return 421, f"the host {host[:80]!r} is not served", "start the server with --allow-host NAME"
        origin = headers.get("origin")
        if origin is not None and _place(origin) != host.lower():
            return 403, "the request comes from another page", ""
        if headers.get("sec-fetch-site", "none") not in ("same-origin", "none"):
            return 403, "the request comes from another site", ""
        if not scope["path"].startswith("/api/"):
            return None if scope["method"] in ("GET", "HEAD") else (405, "only GET is answered here", "")
        return self._unwelcome(scope, headers)

    def _unwelcome(self, scope: Scope, headers: Headers) -> tuple[int, str, str] | None:
        scheme, _, token = headers.get("authorization", "").partition(" ")
        person = self._people.name_of(token) if scheme.lower() == "bearer" and token else None
        if person is None:
            if self._people.pausing():  # only for wrong tokens, so that a forgotten tab does not lock others out
                return 429, "too many wrong tokens", "wait a minute, and open the link that the command printed"
            if token:
                self._people.failed()
            return 401, "the token is missing or wrong", "open the link that the command printed"
        scope["state"]["person"] = person
        if scope["method"] in ("GET", "HEAD"):
            return None
        if headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            return 415, "the request is not JSON", "send content-type: application/json"
        length = headers.get("content-length", "0")
        if not (length.isascii() and length.isdigit()) or int(length[:20]) > BODY:
            return 413, "the request is too large", f"send at most {BODY} bytes"
        return self._too_often(person)

    def _too_often(self, person: str) -> tuple[int, str, str] | None:
        second = int(time.monotonic())
        at, count = self._writes.get(person, (second, 0))
        count = count + 1 if at == second else 1
        self._writes[person] = (second, count)
        return (429, f"more than {WRITES} requests in a second", "wait a second") if count > WRITES else None


def _place(origin: str) -> str | None:
    """Host and port of an origin, or None if it is not valid."""
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return None


def _name(host: str) -> str:
    """The host without its port."""
    host = host.lower()
    if host.startswith("["):
        return host.partition("]")[0] + "]"
    return host.partition(":")[0]


class TooLargeError(Exception):
    """The body of a request is larger than `BODY`, even if its header states less."""


class _Body:
    """Counts the bytes of a body, because its stated length may be missing or wrong."""

    def __init__(self, receive: Receive) -> None:
        self._receive, self._bytes = receive, 0

    async def receive(self) -> Message:
        message = await self._receive()
        self._bytes += len(message.get("body", b""))
        if self._bytes > BODY:
            raise TooLargeError
        return message


def _with_headers(send: Send) -> Send:
    async def sending(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
        await send(message)

    return sending


async def _answer(send: Send, status: int, what: str, fix: str) -> None:
    body = json_bytes({"what": what, "where": "", "fix": fix})
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
