"""Files for download: masks, marks in another format, the network, a report."""

from __future__ import annotations

import asyncio
import html
import secrets
import shutil
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from underpaint.annotations.registry import WRITABLE
from underpaint.core.atomic import write_atomic
from underpaint.core.errors import RunError, UnderpaintError
from underpaint.serve.processes import task
from underpaint.serve.runs import Runs
from underpaint.serve.site import Site

Say = Callable[[str, dict[str, Any]], Awaitable[None]]

FORMATS = tuple(form.name for form in WRITABLE if form.name != "masks")
"""The formats in which marks can be downloaded."""

ENDINGS = {form.name: form.layout.split()[1] if form.one_file else "" for form in WRITABLE}
"""The file ending of each format that is one file. The other formats are folders, which are packed."""


@dataclass
class Job:
    """A file that is being made. When it is done, ``where`` is its path in the folder of the project."""

    id: str
    kind: str
    format: str
    state: str = "running"
    done: int = 0
    all: int = 1
    where: str = ""
    fault: str = ""
    download: str = ""

    def record(self) -> dict[str, Any]:
        """The record for the API."""
        return asdict(self)


class Jobs:
    """The jobs of this server. Each runs in a separate process.

    Args:
        site: The project.
        runs: Its trainings.
        say: Sends events to the pages.
        facts: Returns the content of the report: pairs of a heading and lines.
    """

    def __init__(self, site: Site, runs: Runs, say: Say, facts: Callable[[], list[tuple[str, list[str]]]]) -> None:
        self._site, self._runs, self._say, self._facts = site, runs, say, facts
        self.known: dict[str, Job] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(self, kind: str, source: str, form: str) -> str:
        """Start a job and return its identifier.

        Raises:
            RunError: The kind, source or format is unknown.
        """
        choices = ("masks", "onnx", *FORMATS)
        if kind not in ("export", "report") or (kind == "export" and form not in choices):
            raise RunError(f"unknown export {form[:40]!r}", fix=f"choose one of: {', '.join(choices)}")
        run = None if source == "quick" else self._runs.known.get(source)
        if source != "quick" and (run is None or not run.finished):
            raise RunError(f"no finished training {source[:40]!r}", fix="choose quick, or a training that has ended")
        if form == "onnx" and run is None:
            raise RunError(
                "the quick model cannot be exported as ONNX", fix="train a network first, and choose this training"
            )
        job = Job(secrets.token_hex(6), kind, form if kind == "export" else "")
        self.known[job.id] = job
        working = asyncio.create_task(self._work(job, run.folder if run is not None else None))
        self._tasks.add(working)
        working.add_done_callback(self._tasks.discard)
        return job.id

    async def stop(self) -> None:
        """End the jobs that are running."""
        for one in self._tasks:
            one.cancel()

    def file(self, name: str) -> Path:
        """The file of a finished job. Raises `LookupError`."""
        job = self.known[name]
        if not job.where:
            raise LookupError("not done")
        return self._site.folder / job.where

    async def _work(self, job: Job, run: Path | None) -> None:
        try:
            made = await self._made(job, run)
            job.where, job.state, job.done = made.relative_to(self._site.folder).as_posix(), "done", 1
            job.download = made.name
        except (UnderpaintError, OSError) as error:
            job.state, job.fault = "failed", error.brief if isinstance(error, UnderpaintError) else str(error)
        await self._say("job", {"job": job.id})

    async def _made(self, job: Job, run: Path | None) -> Path:
        folder = self._site.folder / "exports"
        folder.mkdir(exist_ok=True)
        stem = folder / f"{job.format or 'report'}-{time.strftime('%Y%m%d-%H%M%S')}-{job.id[:4]}"
        data, project = str(self._site.data), str(self._site.folder)
        if job.kind == "report":
            out = stem.with_suffix(".html")
            write_atomic(out, report(self._site.data.name, self._facts()))
            return out
        if job.format == "onnx":
            out = stem.with_suffix(".onnx")
            await task("network", run=str(run), out=str(out))
            return out
        if job.format == "masks":
            await task("masks", data=data, project=project, out=str(stem), run=None if run is None else str(run))
            return await asyncio.to_thread(_packed, stem)
        out = stem.with_name(stem.name + ENDINGS[job.format])
        await task("hints", data=data, project=project, out=str(out), to=job.format)
        return out if out.is_file() else await asyncio.to_thread(_packed, out)


def _packed(folder: Path) -> Path:
    """Replace a folder by a ZIP file with its content."""
    packed = Path(shutil.make_archive(str(folder), "zip", folder))
    shutil.rmtree(folder)
    return packed


def report(name: str, facts: list[tuple[str, list[str]]]) -> bytes:
    """An HTML page without scripts that summarises the marks and the trainings."""
    parts = [f"<h2>{html.escape(head)}</h2><ul>{''.join(f'<li>{html.escape(line)}</li>' for line in lines)}</ul>"
             for head, lines in facts if lines]  # fmt: skip
    style = "body{font:16px/1.5 system-ui,sans-serif;max-width:46rem;margin:2rem auto;padding:0 1rem}"
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{html.escape(name)}</title>'
        f"<style>{style}</style><h1>{html.escape(name)}</h1>{''.join(parts)}</html>\n"
    ).encode()
