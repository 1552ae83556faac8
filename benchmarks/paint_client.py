"""A client of the server of ``underpaint paint``, for the trials and measurements that need no browser."""

from __future__ import annotations

import http.client
import json
import re
import time
from pathlib import Path
from typing import Any

LINK = re.compile(rb"http://127\.0\.0\.1:(\d+)/#([A-Za-z0-9_-]+)")


class RefusedError(Exception):
    """The server answered with an error: the status and what it says."""


def wait_for_link(log: Path, seconds: float) -> Client:
    """The client of a server whose output goes into a file, as soon as the link stands there.

    Raises:
        TimeoutError: no link came in time.
    """
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if log.is_file() and (found := LINK.search(log.read_bytes())):
            return Client(int(found[1]), found[2].decode())
        time.sleep(0.005)
    raise TimeoutError(f"no link after {seconds:g} s: {log.read_text() if log.is_file() else ''}")


class Client:
    """One connection to a server on this machine.

    Args:
        port: Its port.
        token: The token of the link.
    """

    def __init__(self, port: int, token: str) -> None:
        self.port, self.token = port, token
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)

    def bytes(self, method: str, path: str, body: object = None) -> bytes:
        """The body of an answer.

        Raises:
            OSError, http.client.HTTPException: the server is gone.
            RefusedError: it answered with an error.
        """
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        content = None if body is None else json.dumps(body)
        try:
            self._connection.request(method, f"/api/v1/{path}", content, headers)
            answer = self._connection.getresponse()
            held = answer.read()
        except (OSError, http.client.HTTPException):
            self._connection.close()
            raise
        if answer.status >= 400:
            raise RefusedError(f"{method} {path}: {answer.status} {held[:300]!r}")
        return held

    def get(self, path: str) -> Any:
        """The JSON of a GET."""
        return json.loads(self.bytes("GET", path))

    def post(self, path: str, body: object) -> Any:
        """The JSON of a POST."""
        return json.loads(self.bytes("POST", path, body))

    def rows(self) -> list[dict[str, Any]]:
        """The rows of all photographs."""
        rows: list[dict[str, Any]] = []
        after: int | None = 0
        while after is not None:
            answer = self.get(f"images?after={after}")
            rows, after = rows + answer["items"], answer["next"]
        return rows

    def close(self) -> None:
        """End the connection."""
        self._connection.close()
