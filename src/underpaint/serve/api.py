"""The requests of the page and their answers (docs/paint-api.md)."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from underpaint.annotations.parsing.fields import Fields
from underpaint.annotations.strokes.log import UnsavedError
from underpaint.core.errors import DataError, FormatError, UnderpaintError
from underpaint.core.json_text import parse_json
from underpaint.doctor import examine
from underpaint.methods.registry import entries
from underpaint.serve.contradictions import contradictions
from underpaint.serve.guard import BODY, TooLargeError
from underpaint.serve.jobs import FORMATS
from underpaint.serve.pictures import TILE, depth_and_window, index_png, levels
from underpaint.serve.rows import LIMIT, ordered, row_of
from underpaint.serve.services import Services
from underpaint.serve.site import UNREADABLE, Photograph, json_bytes

Handler = Callable[[Request], Awaitable[Response]]

WHOLE = re.compile(r"-?[0-9]{1,17}", re.ASCII)

FOREVER = {"cache-control": "private, max-age=31536000, immutable"}
"""Header of pictures whose address changes with their content."""


def routes(services: Services) -> list[Route]:
    """All routes under ``/api/v1``."""
    api = Api(services)
    gets: dict[str, Handler] = {
        "project": api.project,
        "images": api.images,
        "images/{id:int}": api.image,
        "images/{id:int}/tiles/{level:int}/{x:int}_{y:int}": api.tile,
        "images/{id:int}/thumb": api.thumb,
        "images/{id:int}/mask": api.mask,
        "images/{id:int}/uncertainty": api.uncertainty,
        "next": api.next,
        "runs": api.runs,
        "runs/{run}": api.run,
        "results": api.results,
        "check": api.check,
        "jobs/{job}": api.job,
        "jobs/{job}/file": api.job_file,
        "events": api.events,
    }
    posts: dict[str, Handler] = {
        "project": api.set_project,
        "ops": api.ops,
        "train/plan": api.plan,
        "train": api.train,
        "runs/{run}/stop": api.stop,
        "runs/{run}/resume": api.resume,
        "jobs": api.begin_job,
        "people": api.invite,
    }
    every = [("GET", path, handler) for path, handler in gets.items()]
    every += [("POST", path, handler) for path, handler in posts.items()]
    return [Route(f"/api/v1/{path}", explained(handler), methods=[method]) for method, path, handler in every]


def explained(handler: Handler) -> Handler:
    """A handler whose errors become ``{what, where, fix}``."""

    async def answer(request: Request) -> Response:
        try:
            return await handler(request)
        except ClientDisconnect:
            return failure(400, "the request ended before it was complete")  # nobody reads it
        except TooLargeError:
            return failure(413, "the request is too large", f"send at most {BODY} bytes")
        except LookupError:
            return failure(404, "this does not exist")
        except UnsavedError as error:
            return failure(507, error.what, error.fix)
        except DataError as error:
            return failure(422, error.what, error.fix)
        except UnderpaintError as error:
            return failure(400, error.brief, error.fix)

    return answer


def failure(status: int, what: str, fix: str | None = None) -> Response:
    """The error answer that the page expects."""
    return _json({"what": what, "where": "", "fix": fix or ""}, status)


def _json(record: Any, status: int = 200) -> Response:
    return Response(json_bytes(record), status, {"cache-control": "no-store"}, "application/json")


async def _body(request: Request) -> Fields:
    try:
        text = (await request.body()).decode("utf-8")
    except UnicodeDecodeError:
        raise FormatError("the request is not UTF-8", where="the request") from None
    return Fields(parse_json(text, "the request"), "the request")


class Api:
    """The handlers of all requests.

    Args:
        services: The parts of the server.
    """

    def __init__(self, services: Services) -> None:
        self.services, self.site = services, services.site

    def _photograph(self, request: Request) -> Photograph:
        return self.site.photograph(request.path_params["id"])

    async def project(self, request: Request) -> Response:
        """Describe the whole project."""
        site, services = self.site, self.services
        running = [services.runs.info(run) for run in services.runs.known.values()]
        active = [run for run in running if run["state"] in ("running", "starting")]
        return _json(
            {
                "id": site.project.id,
                "name": site.data.resolve().name,
                "revision": site.revision,
                "classes": [{"name": one.name, "color": one.color, "key": one.key} for one in site.project.classes],
                "images": len(site.photographs),
                "model": services.model_info(),
                "run": active[-1] if active else None,
                "me": {"name": request.state.person},
                "limits": {"methods": ["auto", *sorted(entries())], "formats": list(FORMATS)},
            }
        )

    async def set_project(self, request: Request) -> Response:
        """Replace the list of classes."""
        self.site.set_classes(parse_json((await request.body()).decode("utf-8", "replace"), "the request"))
        await self.services.model.changed()
        await self.services.news.say("data", {"came": 0, "went": 0})
        return await self.project(request)

    async def images(self, request: Request) -> Response:
        """Return a part of the list of photographs."""
        query = request.query_params
        limit = min(max(_whole(query.get("limit"), LIMIT), 1), LIMIT)
        after = max(_whole(query.get("after"), 0), 0)
        rows = ordered(self.services, query.get("order", "name"), query.get("filter", ""))
        part = rows[after : after + limit]
        more = after + limit if after + limit < len(rows) else None
        return _json({"items": [row_of(self.services, one) for one in part], "next": more})

    async def image(self, request: Request) -> Response:
        """Return one photograph with its marks."""
        one = self._photograph(request)
        row = row_of(self.services, one)
        if request.query_params.get("brief"):
            return _json(row)
        await self.services.model.attend(one.name)
        depth, window = 8, None
        if one.size != UNREADABLE:
            depth, window = await asyncio.to_thread(depth_and_window, one)
        shown = None if window is None else {"lo": window[0], "hi": window[1]}
        marks = self.services.mark_records(one.name)
        return _json({**row, "hints": marks, "levels": levels(one.size), "tile": TILE, "depth": depth, "window": shown})

    async def tile(self, request: Request) -> Response:
        """Return a tile of a photograph."""
        one, place = self._photograph(request), request.path_params
        low, high = (request.query_params.get(key) for key in ("lo", "hi"))
        window = None
        if low is not None and high is not None:
            window = (_whole(low, 0), _whole(high, 0))
            if not 0 <= window[0] < window[1] < 2**16:
                raise FormatError(f"the window {window}", where="lo, hi", accepted="0 <= lo < hi < 65536")
        content, kind = await asyncio.to_thread(
            self.services.pictures.tile, one, place["level"], place["x"], place["y"], window
        )
        return Response(content, headers=FOREVER, media_type=kind)

    async def thumb(self, request: Request) -> Response:
        """Return a thumbnail of a photograph."""
        content = await asyncio.to_thread(self.services.pictures.thumb, self._photograph(request))
        return Response(content, headers=FOREVER, media_type="image/webp")

    async def mask(self, request: Request) -> Response:
        """Return the mask of a photograph from the quick model or from a training."""
        one, source = self._photograph(request), request.query_params.get("source", "")
        if source in ("", "quick"):
            return self._kept("masks", one)
        if source not in self.services.runs.known:
            raise LookupError(source)
        index = await asyncio.to_thread(self.services.run_mask, source, one.name)
        return Response(index_png(index), headers={"cache-control": "no-store"}, media_type="image/png")

    async def uncertainty(self, request: Request) -> Response:
        """Return the uncertainty map of the quick model."""
        return self._kept("uncertainty", self._photograph(request))

    def _kept(self, kind: str, one: Photograph) -> Response:
        if not self.services.model.mask_revision(one.name):
            raise LookupError(one.name)
        content = (self.site.folder / "cache" / kind / f"{one.id}.png").read_bytes()
        return Response(content, headers={"cache-control": "no-store"}, media_type="image/png")

    async def ops(self, request: Request) -> Response:
        """Store operations."""
        fields = await _body(request)
        records = fields.value("ops")
        if not isinstance(records, list):
            fields.refuse("ops", "a list of operations")
        fields.refuse_rest()
        known, images = await self.services.keep(records, request.state.person)
        return _json({"revision": self.site.revision, "known": known, "images": images})

    async def next(self, request: Request) -> Response:
        """Return the places where a mark helps most."""
        image, count = request.query_params.get("image"), _whole(request.query_params.get("count"), 20)
        number = _whole(image, -1)
        first = self.site.photographs[number].name if number in self.site.photographs else None
        return _json({"items": self.services.model.places(min(max(count, 1), 20), first)})

    async def runs(self, request: Request) -> Response:
        """Return all trainings, the newest first."""
        runs = self.services.runs
        return _json({"items": [runs.info(run) for _, run in sorted(runs.known.items(), reverse=True)]})

    async def run(self, request: Request) -> Response:
        """Return the details of one training."""
        return _json(self.services.runs.detail(request.path_params["run"]))

    async def _wanted(self, request: Request) -> tuple[str, float | None]:
        fields = await _body(request)
        method, known = fields.text("method"), ("auto", *sorted(entries()))
        if method not in known:
            fields.refuse("method", ", ".join(known))
        stated = "minutes" in fields and fields.value("minutes") is not None
        minutes = fields.number("minutes", above=0) if stated else None
        if minutes is not None and minutes > 60 * 24 * 7:
            fields.refuse("minutes", "up to a week")
        fields.refuse_rest()
        return method, minutes

    async def plan(self, request: Request) -> Response:
        """Return the plan of a training."""
        planned = await self.services.runs.plan(*await self._wanted(request))
        return _json({"lines": planned["lines"]})

    async def train(self, request: Request) -> Response:
        """Start a training."""
        return _json({"run": await self.services.runs.begin(*await self._wanted(request))})

    async def stop(self, request: Request) -> Response:
        """Stop a training. It writes a checkpoint first."""
        self.services.runs.stop(request.path_params["run"])
        return _json({"run": request.path_params["run"]})

    async def resume(self, request: Request) -> Response:
        """Continue a training."""
        await self.services.runs.resume(request.path_params["run"])
        return _json({"run": request.path_params["run"]})

    async def results(self, request: Request) -> Response:
        """Return the class shares, the accuracy, and photographs with masks."""
        return _json(await self.services.results(request.query_params.get("source", "quick")))

    async def check(self, request: Request) -> Response:
        """Return the findings of the doctor, and the marks of people that contradict each other."""
        site = self.site
        try:
            report = await asyncio.to_thread(examine, site.data, hints=[site.folder])
            found = [
                {
                    "level": {"blocks": "error", "warns": "warning"}.get(one.level.value, "note"),
                    "what": one.what,
                    "fix": one.fix,
                    "images": self._named(one.names),
                }
                for one in report.findings
            ]
        except UnderpaintError as error:
            found = [{"level": "error", "what": error.what, "fix": error.fix or "", "images": []}]
        found += [{"level": "note", "what": text, "fix": "", "images": []} for text in sorted(site.remarks)]
        pairs = [
            {"image": site.by_name[name].id, "name": name, "by": by, "classes": classes}
            for name, by, classes in contradictions(site)
        ]
        return _json({"findings": found, "contradictions": pairs})

    def _named(self, names: Sequence[str]) -> list[dict[str, Any]]:
        known = self.site.by_name
        return [{"id": known[name].id, "name": name} for name in names if name in known]

    async def begin_job(self, request: Request) -> Response:
        """Start to make a file for download."""
        fields = await _body(request)
        kind = fields.text("kind")
        source = fields.text("source") if "source" in fields else "quick"
        form = fields.text("format", empty=True) if "format" in fields else ""
        fields.refuse_rest()
        return _json({"job": self.services.jobs.begin(kind, source, form)})

    async def job(self, request: Request) -> Response:
        """Return the progress of a file."""
        return _json(self.services.jobs.known[request.path_params["job"]].record())

    async def job_file(self, request: Request) -> Response:
        """Return the file as a download, which the browser does not display."""
        path = self.services.jobs.file(request.path_params["job"])
        content = await asyncio.to_thread(path.read_bytes)
        headers = {
            "content-disposition": f'attachment; filename="{path.name}"',
            "content-security-policy": "sandbox; default-src 'none'; style-src 'unsafe-inline'",
        }
        return Response(content, headers=headers, media_type="application/octet-stream")

    async def invite(self, request: Request) -> Response:
        """Make a token for the link of another person."""
        fields = await _body(request)
        name = fields.text("name")
        fields.refuse_rest()
        return _json({"token": self.services.people.invite(name)})

    async def events(self, request: Request) -> Response:
        """Stream the events."""
        after = request.query_params.get("after")
        stream = self.services.news_for(request.state.person, None if not after else _whole(after, 0))
        return StreamingResponse(
            stream, headers={"cache-control": "no-store", "x-accel-buffering": "no"}, media_type="text/event-stream"
        )


def _whole(text: str | None, otherwise: int) -> int:
    if text is None or text == "":
        return otherwise
    if not WHOLE.fullmatch(text):
        raise FormatError(f"{text[:40]!r} is not a whole number", where="the address")
    return int(text)
