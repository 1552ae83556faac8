"""The server's connections: how many there may be, how long a client may take, and how they end."""

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
"""The limit of open connections. A browser opens at most six to a server; a page holds one of them for its news."""

PATIENCE = 60.0
"""Seconds in which a request must have come completely, and in which a client must take what it is sent."""

REFUSAL = (
    b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n"
    b'{"what": "there are too many connections", "where": "", "fix": "close other tabs of this page"}'
)


class Connection(H11Protocol):
    """A connection as uvicorn has it, with a limit of their number and limits of time.

    The limits of uvicorn leave gaps: its `limit_concurrency` refuses requests and still holds the connections, and a
    client that sends its request byte by byte, or reads no answer, is waited for without end. Beyond `CONNECTIONS` the
    one that has been silent for the longest time gives way; where all are being answered, the new one is refused.
    """

    _silent_since = 0.0
    _receiving: asyncio.TimerHandle | None = None
    _sending: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take the connection, or refuse it."""
        super().connection_made(transport)
        self._silent_since = self.loop.time()
        self._receiving = self.loop.call_later(PATIENCE, transport.abort)
        if len(self.connections) > CONNECTIONS and not self._somebody_gives_way():
            transport.write(REFUSAL)
            transport.close()

    def _somebody_gives_way(self) -> bool:
        others: list[Any] = [one for one in self.connections if one is not self and not _answered(one)]
        if not others:
            return False
        min(others, key=lambda one: float(one._silent_since)).transport.abort()
        return True

    def data_received(self, data: bytes) -> None:
        """Take a part of a request; the time runs from its first byte to its last."""
        self._silent_since = self.loop.time()
        super().data_received(data)
        whole = self.conn.their_state not in (h11.IDLE, h11.SEND_BODY)
        if whole and self._receiving is not None:
            self._receiving.cancel()
            self._receiving = None
        elif not whole and self._receiving is None:
            self._receiving = self.loop.call_later(PATIENCE, self.transport.abort)

    def pause_writing(self) -> None:
        """More waits to be sent than the client takes."""
        super().pause_writing()
        self._sending = self._sending or self.loop.call_later(PATIENCE, self.transport.abort)

    def resume_writing(self) -> None:
        """The client takes what it is sent."""
        super().resume_writing()
        if self._sending is not None:
            self._sending.cancel()
            self._sending = None

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        for timer in (self._receiving, self._sending):
            if timer is not None:
                timer.cancel()
        super().connection_lost(exc)


def _answered(one: Any) -> bool:
    """Whether a request of the connection is being answered."""
    return one.cycle is not None and not one.cycle.response_complete


class PageServer(Server):
    """Uvicorn as it serves the page: HTTP alone, without logs of requests, and forwarded headers are not believed.

    Args:
        app: The application.
        last_words: Tells the pages that the server ends, and ends their streams of news, for which uvicorn would wait.
    """

    def __init__(self, app: ASGIApp, last_words: Callable[[], Awaitable[None]]) -> None:
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
        self._last_words = last_words

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End the streams of news, and then everything else."""
        await self._last_words()
        await super().shutdown(sockets)
