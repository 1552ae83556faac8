"""Connections of the server: limits of their number and of the time of a client, and their end."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import h11
from starlette.types import ASGIApp
from uvicorn import Config, Server
from uvicorn.protocols.http.h11_impl import H11Protocol

CONNECTIONS = 32
"""Largest number of open connections. A browser opens at most six to a server; a page uses one of them for its
events."""

PATIENCE = 60.0
"""Largest time in seconds for the complete arrival of a request, and for a client to read an answer."""

REFUSAL = (
    b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n"
    b'{"what": "there are too many connections", "where": "", "fix": "close other tabs of this page"}'
)


class Connection(H11Protocol):
    """A connection of uvicorn with further limits of number and time.

    The limits of uvicorn are not sufficient: its `limit_concurrency` refuses requests but keeps the connections, and a
    client that sends its request byte by byte, or does not read the answer, is never disconnected. If there are more
    than `CONNECTIONS`, the one that was silent for the longest time is closed. If all of them are being answered, the
    new one is refused.
    """

    _silent_since = 0.0
    _receiving: asyncio.TimerHandle | None = None
    _sending: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Accept the connection, or refuse it."""
        super().connection_made(transport)
        self._silent_since = self.loop.time()
        self._receiving = self.loop.call_later(PATIENCE, transport.abort)
        opened: list[Any] = [one for one in self.connections if not one.transport.is_closing()]
        if len(opened) <= CONNECTIONS:
            return
        silent = [one for one in opened if one is not self and not _answered(one)]
        if silent:
            min(silent, key=lambda one: float(one._silent_since)).transport.abort()
        else:
            transport.write(REFUSAL)
            transport.close()

    def data_received(self, data: bytes) -> None:
        """Receive a part of a request. The time is measured from its first byte to its last."""
        self._silent_since = self.loop.time()
        super().data_received(data)
        whole = self.conn.their_state not in (h11.IDLE, h11.SEND_BODY)
        if whole and self._receiving is not None:
            self._receiving.cancel()
            self._receiving = None
        elif not whole and self._receiving is None:
            self._receiving = self.loop.call_later(PATIENCE, self.transport.abort)

    def pause_writing(self) -> None:
        """Start the timer: the client does not read fast enough."""
        super().pause_writing()
        self._sending = self._sending or self.loop.call_later(PATIENCE, self.transport.abort)

    def resume_writing(self) -> None:
        """Stop the timer: the client reads again."""
        super().resume_writing()
        if self._sending is not None:
            self._sending.cancel()
            self._sending = None

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the timers of a closed connection."""
        for timer in (self._receiving, self._sending):
            if timer is not None:
                timer.cancel()
        super().connection_lost(exc)


def _answered(one: Any) -> bool:
    """Whether a request of the connection is being answered."""
    return one.cycle is not None and not one.cycle.response_complete


class PageServer(Server):
    """Uvicorn with the settings for the page: only HTTP, no logs of requests, and forwarded headers are ignored.

    Args:
        app: The application.
        before_end: Tells the pages that the server ends, and closes their event streams, for which uvicorn would wait.
    """

    def __init__(self, app: ASGIApp, before_end: Callable[[], Awaitable[None]]) -> None:
        config = Config(
            app,
            http=Connection,
            ws="none",
            log_level="error",
            access_log=False,
            timeout_keep_alive=30,
            timeout_graceful_shutdown=3,
            server_header=False,
            date_header=False,
            proxy_headers=False,
            h11_max_incomplete_event_size=64 << 10,
        )
        super().__init__(config)
        self._before_end = before_end

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close the event streams, and then everything else."""
        await self._before_end()
        await super().shutdown(sockets)
