"""Access for people by tokens of 256 bits. Only the digests of the tokens are stored."""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import time
from pathlib import Path

from underpaint.annotations.strokes.log import MAX_NAME
from underpaint.core.atomic import write_atomic
from underpaint.core.errors import FormatError
from underpaint.core.json_text import read_json

PEOPLE = "people.json"

FAILURES = 10
"""Number of wrong tokens per minute after which further wrong tokens get another error for a minute."""


class People:
    """The tokens of a project. The digests are stored in ``people.json``, so that links stay valid after a restart.

    Args:
        folder: Folder of the project.
    """

    def __init__(self, folder: Path) -> None:
        self._file = folder / PEOPLE
        self._failures: list[float] = []
        self._kept: dict[str, str] = {}
        self._owner: dict[str, str] = {}
        if self._file.is_file():
            stored = read_json(self._file, max_bytes=1 << 20)
            if not isinstance(stored, dict) or not all(isinstance(name, str) for name in stored.values()):
                raise FormatError(
                    "not a list of people", where=self._file, fix="remove the file; everybody then needs a new link"
                )
            self._kept = stored

    def invite(self, name: str) -> str:
        """Make a new token for a person. It stays valid after a restart of the server.

        Args:
            name: Name of the person.

        Raises:
            FormatError: The name is empty or too long.
            DataError: The folder cannot be written.
        """
        name = _checked(name)
        token = secrets.token_urlsafe(32)
        self._kept[_digest(token)] = name
        write_atomic(self._file, json.dumps(self._kept, indent=1).encode())
        self._file.chmod(0o600)
        return token

    def admit(self, name: str, token: str) -> None:
        """Accept this token for a person until the server stops. It raises the `FormatError` of `invite`."""
        self._owner = {_digest(token): _checked(name)}

    def name_of(self, token: str) -> str | None:
        """The name of the person with this token, or None. The comparison takes constant time."""
        digest, found = _digest(token), None
        for stored, name in (self._kept | self._owner).items():
            if hmac.compare_digest(stored, digest):
                found = name
        return found

    def pausing(self) -> bool:
        """Whether there were too many wrong tokens in the last minute."""
        now = time.monotonic()
        self._failures = [at for at in self._failures if now - at < 60]
        return len(self._failures) >= FAILURES

    def failed(self) -> None:
        """Count a wrong token."""
        self._failures.append(time.monotonic())


def _checked(name: str) -> str:
    name = name.strip()
    if not name or len(name) > MAX_NAME or not name.isprintable():
        raise FormatError(f"the name {name!r}", where="name", accepted=f"1 to {MAX_NAME} printable letters")
    return name


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()
