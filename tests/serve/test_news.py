"""The stream of news: numbered, resumed where a page lost it, told to everybody who is here."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.serve.conftest import CLASSES, TOKEN, in_own_loop, photographs, serving

from underpaint.serve import news
from underpaint.serve.news import News
from underpaint.serve.site import Site

SECONDS = 20.0


@pytest.fixture
def site(tmp_path: Path) -> Site:
    made = Site.open(photographs(tmp_path / "data"))
    made.set_classes({"classes": CLASSES})
    return made


class Stream:
    """A page that reads the news, by its own reading of the standard."""

    def __init__(self, answer: http.client.HTTPResponse) -> None:
        self._answer = answer
        assert answer.getheader("content-type", "").startswith("text/event-stream")
        assert answer.getheader("cache-control") == "no-store"
        assert answer.readline() == b": hello\n", "from here on nothing is missed"

    def piece(self) -> tuple[int, str, Any]:
        """Number, kind and record of the next piece of news; comments are passed over."""
        fields: dict[str, str] = {}
        while True:
            read = self._answer.readline()
            if not read:
                raise EOFError("the stream has ended")
            line = read.decode().rstrip("\n")
            if not line and "data" in fields:
                return int(fields["id"]), fields["event"], json.loads(fields["data"])
            if line and not line.startswith(":"):
                name, _, value = line.partition(": ")
                fields[name] = value

    def until(self, kind: str) -> tuple[int, Any]:
        while True:
            number, found, record = self.piece()
            if found == kind:
                return number, record


@contextmanager
def listening(port: int, after: int | None = None, token: str = TOKEN) -> Iterator[Stream]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS)
    asked = "" if after is None else f"?after={after}"
    connection.request("GET", f"/api/v1/events{asked}", headers={"authorization": f"Bearer {token}"})
    with connection.getresponse() as answer:
        yield Stream(answer)
    connection.close()


def post(port: int, path: str, body: object, token: str = TOKEN) -> Any:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS)
    headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
    connection.request("POST", f"/api/v1/{path}", json.dumps(body), headers)
    answer = connection.getresponse()
    said = json.loads(answer.read())
    connection.close()
    assert answer.status == 200, said
    return said


def mark(port: int, site: Site, identifier: str, token: str = TOKEN) -> None:
    hint = {"kind": "click", "class": "cat", "x": 3.0, "y": 3.0}
    post(port, "ops", {"ops": [{"id": identifier, "image": min(site.photographs), "op": "add", "hint": hint}]}, token)


def test_a_page_that_lost_the_stream_gets_what_it_missed_and_nothing_twice(site: Site) -> None:
    with serving(site) as port:
        with listening(port) as first:
            mark(port, site, "one")
            number, said = first.until("saved")
            assert said == {"images": [min(site.photographs)], "by": "me", "revision": 1}
        mark(port, site, "two")
        mark(port, site, "three")
        with listening(port, number) as again:
            assert [again.until("saved")[1]["revision"] for _ in range(2)] == [2, 3]
        with listening(port) as fresh:
            mark(port, site, "four")
            assert fresh.until("saved")[1]["revision"] == 4, "a page that knows no number gets what comes from now on"


def test_a_page_gets_what_a_server_says_that_was_started_again(site: Site) -> None:
    with serving(site) as port, listening(port) as first:
        mark(port, site, "one")
        number, _ = first.until("saved")
    later = Site.open(site.data)
    with serving(later) as port:
        mark(port, later, "two")
        with listening(port, number) as again:
            assert again.until("saved")[1]["revision"] == 2


def test_people_hear_who_comes_and_goes(site: Site) -> None:
    with serving(site) as port:
        ben = post(port, "people", {"name": "Ben"})["token"]
        with listening(port) as mine:
            with listening(port, token=ben) as theirs:
                assert mine.until("peer")[1] == {"name": "Ben", "here": True}
                mark(port, site, "one", ben)
                assert mine.until("saved")[1]["by"] == theirs.until("saved")[1]["by"] == "Ben"
            assert mine.until("peer")[1] == {"name": "Ben", "here": False}


def test_a_server_that_ends_says_so(site: Site, capfd: pytest.CaptureFixture[str]) -> None:
    with ExitStack() as held:
        with serving(site) as port:
            stream = held.enter_context(listening(port))
        assert stream.until("bye")[1] == {}
        with pytest.raises(EOFError):
            stream.piece()
    assert not capfd.readouterr().err


def test_the_last_pieces_are_kept_and_silence_is_filled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(news, "SILENCE", 0.01)

    async def read() -> tuple[list[bytes], list[bytes]]:
        made = News()
        start = made._last
        for number in range(news.KEPT + 5):
            await made.say("run", {"run": str(number)})
        stream = made.stream(start)
        behind = [await anext(stream) for _ in range(news.KEPT + 2)]
        ahead = made.stream(made._last + 10**6)
        strange = [await anext(ahead) for _ in range(2)]
        await made.close()
        assert [part async for part in stream][-1].splitlines()[1] == b"event: bye"
        return behind, strange

    behind, strange = in_own_loop(read())
    assert behind[0].startswith(b":")
    assert behind[1].endswith(b'data: {"run": "5"}\n\n'), "the five oldest are gone"
    assert behind[-1] == b": nothing new\n\n"
    assert strange[1] == behind[1], "a number that this server never gave stands for the beginning"
