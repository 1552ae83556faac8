"""Runs the server and prints the link to the page."""

from __future__ import annotations

import secrets
import socket
import webbrowser
from collections.abc import Callable, Sequence
from importlib.util import find_spec

from underpaint.core.errors import ConfigError, RunError
from underpaint.core.json_text import collector_paused
from underpaint.core.lock import exclusive
from underpaint.core.paths import AnyPath, as_path
from underpaint.serve.address import ADDRESS, Address, read_address, write_address
from underpaint.serve.people import People
from underpaint.serve.site import Site

PORTS = range(8765, 8785)
"""The ports that are tried one after the other. If none is free, any free port is used."""

WAITING = 64
HOME = "127.0.0.1"
HOMES = (HOME, "localhost", "::1")


def paint(
    data: AnyPath,
    *,
    project: AnyPath | None = None,
    host: str = HOME,
    port: int | None = None,
    allow_hosts: Sequence[str] = (),
    base_url: str = "",
    person: str = "me",
    invite: Sequence[str] = (),
    browser: bool = True,
    say: Callable[[str], None] = print,
) -> None:
    """Serve the page on which photographs are marked, until the process is stopped.

    Args:
        data: Folder of photographs, or a data set.
        project: Folder for the marks; None means ``DATA/paint``.
        host: The address on which the server listens. An address of another machine needs ``allow_hosts``.
        port: The port; None means the first free one from 8765 on.
        allow_hosts: Host names with which browsers on other machines open the page.
        base_url: Path prefix behind a proxy, such as ``/paint``.
        person: Name under which the marks of the first link are stored.
        invite: Names of further people. For each, a permanent link is printed. If a server of the project is already
            running, it makes the links.
        browser: Whether to open the page in the browser.
        say: Called with the lines for the user, for example the link.

    Returns:
        Nothing, after the process is stopped. The marks are in the folder of the project.

    Raises:
        DataError: There are no photographs, or the folder cannot be written.
        FormatError: The project is damaged.
        ConfigError: A host needs permission, a port is already used, or a path is not valid.
        RunError: A server of the project is already running; the message contains its link.

    Example:
        >>> underpaint.paint("photographs")  # doctest: +SKIP
    """
    if find_spec("uvicorn") is None:
        raise ConfigError("the page needs starlette and uvicorn", fix="pip install 'underpaint[paint]'")
    if host not in HOMES and not allow_hosts:
        raise ConfigError(
            f"the page could be opened from other machines at {host!r}",
            where="host",
            fix="give the host name that browsers use with --allow-host NAME, and use a proxy with https",
        )
    if base_url and (not base_url.startswith("/") or base_url.endswith("/") or "//" in base_url):
        raise ConfigError(f"the path {base_url!r}", where="base_url", accepted="a path such as /paint")
    folder = as_path(data, "data")
    with collector_paused():  # searching the marks would take a fifth of the time
        site = Site.open(folder, None if project is None else as_path(project, "project"))
    people = People(site.folder)
    try:
        with exclusive(site.folder):
            before = read_address(site.folder)  # of a server that was killed, so that its pages find this one
            token = before.token if before is not None else secrets.token_urlsafe(32)
            people.admit(person, token)
            bound = _bound(host, [port] if port is not None else [*([before.port] if before else []), *PORTS, 0])
            now = Address(f"http://{_shown(host)}:{bound.getsockname()[1]}{base_url}/", token)
            write_address(site.folder, now)
            say(f"{len(site.photographs)} photograph(s), marks in {site.folder}")
            say(f"open this link: {now.link}")
            for name in invite:
                say(f"link for {name}: {now.url}#{people.invite(name)}")
            if host not in HOMES:
                say("warning: other machines can reach this server; put a proxy with https in front of it")
            if browser:
                webbrowser.open(now.link)
            try:
                _serve(site, people, bound, allow_hosts, base_url)
            finally:
                (site.folder / ADDRESS).unlink(missing_ok=True)
    except RunError as error:
        running = read_address(site.folder)
        if running is None:
            raise
        for name in invite:
            say(f"link for {name}: {running.url}#{running.invite(name)}")
        if not invite:
            raise RunError(
                f"a server of this project is already running: {running.link}", where=site.folder, fix="open that link"
            ) from error


def _serve(site: Site, people: People, bound: socket.socket, hosts: Sequence[str], prefix: str) -> None:
    from underpaint.serve.app import make_app  # the extra may be missing, which `paint` reports first
    from underpaint.serve.connections import PageServer
    from underpaint.serve.services import Services

    services = Services(site, people)
    app = make_app(services, hosts=hosts, prefix=prefix)
    PageServer(app, services.news.close).run(sockets=[bound])


def _bound(host: str, ports: Sequence[int]) -> socket.socket:
    """A listening socket on the first port that is free."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for number in ports:
        one = socket.socket(family)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            one.bind((host, number))
            one.listen(WAITING)
        except (OSError, OverflowError) as error:
            one.close()
            refused = error
            continue
        return one
    raise ConfigError(f"the port cannot be used: {refused}", where="port", fix="choose another --port")


def _shown(host: str) -> str:
    return f"[{host}]" if ":" in host else host
