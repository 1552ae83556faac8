"""The address of the running server of a project and the token of its link, for later commands and servers."""

from __future__ import annotations

import http.client
import json
import os
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from underpaint.core.errors import RunError, UnderpaintError
from underpaint.core.json_text import read_json

ADDRESS = "server.json"


@dataclass(frozen=True)
class Address:
    """The URL of the page, which ends with ``/``, and the token of the person who started the server."""

    url: str
    token: str

    @property
    def link(self) -> str:
        """The link for the person who started the server."""
        return f"{self.url}#{self.token}"

    @property
    def port(self) -> int:
        """The port of the server."""
        return urlsplit(self.url).port or 80

    def invite(self, name: str) -> str:
        """Ask the server for a token of another person.

        Raises:
            RunError: The server does not answer, or refuses the name.
        """
        parts = urlsplit(self.url)
        connection = http.client.HTTPConnection(parts.hostname or "", self.port, timeout=10)
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        try:
            connection.request("POST", f"{parts.path}api/v1/people", json.dumps({"name": name}), headers)
            answer = connection.getresponse()
            said = json.loads(answer.read(1 << 16))
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise RunError(f"the server does not answer: {error}", where=self.url) from None
        finally:
            connection.close()
        if answer.status != 200:
            raise RunError(str(said.get("what")), where=self.url, fix=said.get("fix") or None)
        return str(said["token"])


def read_address(folder: Path) -> Address | None:
    """Read the address in the folder of a project. None if there is none or if it is not valid."""
    try:
        stored = read_json(folder / ADDRESS, max_bytes=1 << 16)
        url, token = stored["address"], stored["token"]
        urlsplit(url).port  # noqa: B018 - raises if the port is not valid
    except (UnderpaintError, KeyError, TypeError, ValueError, AttributeError):
        return None
    return Address(url, token) if isinstance(token, str) and len(token) >= 43 and token.isascii() else None


def write_address(folder: Path, address: Address) -> None:
    """Write the address into a file that from the start only this user can read."""
    path, fresh = folder / ADDRESS, folder / f".{ADDRESS}.tmp"
    fresh.unlink(missing_ok=True)
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as file:
        json.dump({"address": address.url, "token": address.token, "process": os.getpid()}, file)
    fresh.replace(path)
