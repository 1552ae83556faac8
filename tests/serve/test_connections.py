"""How many connections the server holds, and for how long it waits for a client: over sockets, with little patience."""

from __future__ import annotations

import http.client
import json
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from tests.serve.conftest import CLASSES, TOKEN, photographs, serving

from underpaint.serve import connections
from underpaint.serve.site import Site

SECONDS = 20.0
HEAD = f"POST /api/v1/ops HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {TOKEN}\r\n"
EVENTS = f"GET /api/v1/events HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {TOKEN}\r\n\r\n".encode()
FILE = b"GET /text.js HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n"


@pytest.fixture
def site(tmp_path: Path) -> Site:
    made = Site.open(photographs(tmp_path / "data"))
    made.set_classes({"classes": CLASSES})
    return made


@pytest.fixture
def port(site: Site) -> Iterator[int]:
    with serving(site) as port:
        yield port


@pytest.fixture
def hasty(site: Site, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """A server that waits for half a second."""
    monkeypatch.setattr(connections, "PATIENCE", 0.5)
    with serving(site) as port:
        yield port


def connect(port: int, *parts: bytes) -> socket.socket:
    opened = socket.create_connection(("127.0.0.1", port), SECONDS)
    for part in parts:
        opened.sendall(part)
    return opened


def rest(opened: socket.socket) -> bytes:
    """What comes until the server ends the connection."""
    held = b""
    try:
        while part := opened.recv(1 << 16):
            held += part
    except ConnectionResetError:
        pass
    return held


def ends(opened: socket.socket) -> bool:
    """Whether the server ends the connection while bytes go on being sent."""
    end = time.monotonic() + SECONDS / 2
    while time.monotonic() < end:
        try:
            opened.sendall(b" ")
        except OSError:
            return True
        time.sleep(0.02)
    return False


def status(opened: socket.socket) -> int:
    """The status of an answer, which is read to its end where it has one."""
    answer = http.client.HTTPResponse(opened)
    answer.begin()
    if answer.length is not None:
        answer.read()
    return answer.status


@pytest.mark.parametrize(
    "sent", [b"", b"GET / HTTP/1.1\r\nhost: 127.0", HEAD.encode() + b"content-length: 90\r\n\r\n" + b'{"ops"']
)
def test_a_request_that_does_not_come_to_its_end_is_not_waited_for(
    hasty: int, sent: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    with connect(hasty, sent) as opened:
        assert b" 200 " not in rest(opened)
    assert "Traceback" not in capfd.readouterr().err


@pytest.mark.parametrize("kind", ["application/json", "text/plain"])
def test_a_request_that_comes_byte_by_byte_is_not_waited_for(hasty: int, kind: str) -> None:
    """Every byte comes in time, the whole does not; the second kind is refused at once, and its body goes on coming."""
    with connect(hasty, f"{HEAD}content-type: {kind}\r\ncontent-length: 4000000\r\n\r\n".encode()) as opened:
        assert ends(opened)


def test_an_answer_that_is_not_taken_is_not_waited_for(hasty: int) -> None:
    """Two thousand requests at once, whose answers are more than all buffers between the two hold."""
    with socket.socket() as opened:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        opened.connect(("127.0.0.1", hasty))
        opened.sendall(FILE * 2000)
        assert ends(opened)


def test_a_complete_request_and_the_news_are_not_cut_off(hasty: int) -> None:
    body = json.dumps({"ops": []}).encode()
    whole = f"{HEAD}content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body
    with connect(hasty, EVENTS) as news, connect(hasty, whole) as asked:
        assert status(asked) == 200
        assert status(news) == 200
        time.sleep(1.2)
        asked.sendall(whole)
        assert status(asked) == 200, "a silent connection may be used again for a while"
        news.setblocking(False)
        try:
            left = news.recv(1 << 16)
        except BlockingIOError:
            left = b"nothing new"
        assert left, "the stream of news is open"


def test_a_connection_too_many_takes_the_place_of_a_silent_one(port: int) -> None:
    with ExitStack() as held:
        silent = [held.enter_context(connect(port)) for _ in range(connections.CONNECTIONS)]
        time.sleep(0.2)
        with connect(port, FILE) as late:
            assert status(late) == 200
        assert rest(silent[0]) == b""


def test_where_all_connections_are_in_use_another_one_is_refused(port: int) -> None:
    with ExitStack() as held:
        for _ in range(connections.CONNECTIONS):
            assert status(held.enter_context(connect(port, EVENTS))) == 200
        with connect(port) as late:
            said = rest(late)
        assert said.startswith(b"HTTP/1.1 503 ")
        assert set(json.loads(said.partition(b"\r\n\r\n")[2])) == {"what", "where", "fix"}
    time.sleep(0.2)
    with connect(port, FILE) as later:
        assert status(later) == 200, "those that have gone make place"


def test_a_websocket_is_no_way_in(port: int) -> None:
    asked = b"GET /api/v1/events HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: upgrade\r\nupgrade: websocket\r\n"
    asked += b"sec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    with connect(port, asked) as opened:
        assert status(opened) == 401
