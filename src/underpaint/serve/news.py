"""Events for the pages: one numbered stream. The last events are kept for pages that connect again."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator
from typing import Any

from underpaint.serve.site import json_bytes

KEPT = 1000
"""Number of events that are kept."""

SILENCE = 15.0
"""Seconds after which a comment is sent, so that proxies keep the connection open."""


class News:
    """A stream of server-sent events (HTML standard, section 9.2) that any number of pages read."""

    def __init__(self) -> None:
        self._last = int(1000 * time.time())  # larger than every number of an earlier server
        self._kept: deque[tuple[int, bytes]] = deque(maxlen=KEPT)
        self._changed = asyncio.Condition()
        self._closed = False

    async def say(self, kind: str, record: dict[str, Any]) -> None:
        """Send an event to every page."""
        self._last += 1
        head = f"id: {self._last}\nevent: {kind}\ndata: ".encode()
        self._kept.append((self._last, head + json_bytes(record) + b"\n\n"))
        async with self._changed:
            self._changed.notify_all()

    async def close(self) -> None:
        """End the streams."""
        self._closed = True
        await self.say("bye", {})

    async def stream(self, after: int | None) -> AsyncIterator[bytes]:
        """The events after a number, or from now on if it is None.

        A number of an earlier server gives all kept events.
        """
        place = self._last if after is None else after if after <= self._last else 0
        yield b": hello\n\n"
        while True:
            for number, text in list(self._kept):
                if number > place:
                    place = number
                    yield text
            if self._closed:
                return
            if not await self._anything_after(place):
                yield b": nothing new\n\n"

    async def _anything_after(self, place: int) -> bool:
        """Wait for events after a number, for at most `SILENCE` seconds."""
        try:
            async with asyncio.timeout(SILENCE), self._changed:
                await self._changed.wait_for(lambda: self._last > place)
        except TimeoutError:
            return False
        return True
