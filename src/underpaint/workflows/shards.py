"""Predicts the images of a manifest, however many, into shards; on this machine or on a Ray cluster."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from underpaint.core.claim import wait_for_one
from underpaint.core.errors import ConfigError, RunError
from underpaint.core.outputs import Output
from underpaint.core.parallel import stream
from underpaint.core.paths import AnyPath, as_path, existing, lies_in
from underpaint.shards.addresses import is_remote
from underpaint.shards.items import LeftOut
from underpaint.shards.manifest import entries
from underpaint.shards.plan import Plan, Stamp, make_plan
from underpaint.shards.store import Done, Store

if TYPE_CHECKING:
    from underpaint.predict import Predictor
    from underpaint.predict.shard import Seeing

SIZE = 256
"""Images of a shard, if nobody says another number."""

TRIES = 3
"""How often a shard is begun whose process dies each time."""

Executor = Literal["processes", "ray"]
EXECUTORS: tuple[Executor, ...] = ("processes", "ray")

Watch = Callable[[int, int, int], None]


@dataclass(frozen=True)
class Shards:
    """The result of a prediction of many images.

    Args:
        out: The folder.
        shards: Number of shards.
        images: Images of the manifest.
        masks: Masks that were written, by this call and by earlier ones.
        failed: Images that could not be read; the index names them with the reasons.
        left_out: Lines, files and names of the manifest that are no image.
    """

    out: Path
    shards: int
    images: int
    masks: int
    failed: int
    left_out: int

    def reasons(self) -> Iterator[LeftOut]:
        """What was left out of the manifest, and why, one by one."""
        return Plan.read(Store(self.out).plan).reasons()


@dataclass(frozen=True)
class _Lost:
    """A shard whose process died."""

    shard: int


def predict_shards(
    run: AnyPath,
    manifest: AnyPath,
    out: AnyPath,
    *,
    size: int = SIZE,
    jobs: int = 1,
    executor: Executor = "processes",
    address: str | None = None,
    scales: float | Sequence[float] = 1.0,
    flip: bool = False,
    crf: bool = False,
    tile: int | None = None,
    engine: Literal["auto", "torch", "onnx"] = "auto",
    on_progress: Watch | None = None,
) -> Shards:
    """Predict the images of a manifest into shards of masks with an index.

    A shard is written whole or not at all, and no image is in two of them. The same call continues what was
    interrupted. Several calls, on one machine or on several that share the folder, divide the shards among themselves.
    `underpaint.read_shards` reads the masks.

    Args:
        run: Folder of a finished training; on a cluster every machine must find it under this path.
        manifest: A JSON Lines or Parquet file with a column ``image`` and perhaps ``name``; a folder; a pattern such as
            ``photos/**/*.jpg``; tar archives; or the address of any of these, such as ``s3://bucket/photos``.
        out: Folder of shards, on a disk that every machine reaches under this path.
        size: Images of a shard.
        jobs: Processes on this machine, each on one thread; for Ray, the size of the local cluster.
        executor: ``processes``, or ``ray``.
        address: Of a running Ray cluster; None starts one on this machine.
        scales: As in `underpaint.predict`.
        flip: As in `underpaint.predict`.
        crf: As in `underpaint.predict`.
        tile: As in `underpaint.predict`.
        engine: As in `underpaint.predict`.
        on_progress: Called with (images done, images of the manifest, images that failed), first with what was done
            before.

    Returns:
        How many masks there are, and how many images failed or were left out.

    Raises:
        DataError: no image; a manifest that cannot be read, whose package is not installed, or that is not the one of
            an earlier call; or the folder holds something else, such as shards of another run or of other settings.
        ConfigError: a setting out of range, or Ray is not installed.
        RunError: the run is not finished or was changed meanwhile, or a process died again and again on a shard; the
            others are done.

    Example:
        >>> underpaint.predict_shards("run", "images.jsonl", "out", jobs=8).masks  # doctest: +SKIP
        1000000
    """
    root, target = existing(as_path(run, "run"), "the run folder").absolute(), as_path(out, "out").absolute()
    source = _source(manifest, target)
    if size < 1 or jobs < 1:
        raise ConfigError(f"size is {size} and jobs is {jobs}", accepted="whole numbers from 1")
    if executor not in EXECUTORS:
        raise ConfigError(f"executor is {executor!r}", where="executor", accepted=", ".join(EXECUTORS))
    asked = {"scales": scales, "flip": flip, "crf": crf, "tile": tile, "engine": engine}
    seeing, stamp = _settled(root, asked)
    Output.open(
        target, holds="shards of masks", by="underpaint predict", apart=("plan", "shards", "claims")
    )  # refuses what a person made
    store = Store(target)
    plan = make_plan(store.plan, entries(source), size=size, stamp=stamp, source=source)
    work = partial(_work, target, seeing)
    run_some = partial(_executed, work, executor=executor, jobs=jobs, address=address)
    done = _all_done(store, plan, run_some, on_progress or (lambda done, total, failed: None))
    failed = sum(one.failed for one in done)
    return Shards(target, len(done), plan.images, plan.images - failed, failed, plan.left_out)


def _source(manifest: AnyPath, out: Path) -> str:
    """The manifest as text: a `Path` would spoil an address."""
    source = manifest if isinstance(manifest, str) else str(as_path(manifest, "manifest"))
    if is_remote(source):
        return source
    if Path(source).is_dir() and lies_in(out, Path(source)):
        raise ConfigError("the output folder lies among the images", where=out, fix="choose a folder beside them")
    return source


def _settled(root: Path, asked: dict[str, Any]) -> tuple[Callable[[], Seeing], Stamp]:
    """What predicts in every process, and what the results depend on."""
    from underpaint.predict.large import weights_digest
    from underpaint.workflows.run import load_run, predict_config

    run = load_run(root)
    predictor = run.predictor(predict_config(**asked))
    used = {**predictor.config.model_dump(mode="json"), "engine": predictor.engine}
    stamp = {
        "network": weights_digest(predictor.network),
        "class table": list(run.classes.names),
        "rule for images": str(run.config.images.rule),
        **{f"setting {key}": value for key, value in used.items()},
    }
    return seeing_of(root, predictor), stamp


def seeing_of(root: Path, predictor: Predictor) -> Callable[[], Seeing]:
    """A function that gives any process the same network with the same settings and engine, once for each process."""
    from underpaint.predict.large import weights_digest

    used = predictor.config.model_copy(update={"engine": predictor.engine})
    return partial(_seeing, root, weights_digest(predictor.network), used.model_dump_json())


def _work(target: Path, seeing: Callable[[], Seeing], number: int) -> Done | None:
    """Predict one shard; runs in any process of any machine."""
    from underpaint.predict.shard import predict_shard

    return predict_shard(target, seeing, number)


@cache
def _seeing(root: Path, network: str, settings: str) -> Seeing:
    """The network of a run, once for each process."""
    from underpaint.predict import PredictConfig
    from underpaint.predict.large import weights_digest
    from underpaint.predict.shard import Seeing
    from underpaint.workflows.run import load_run

    run = load_run(root)
    predictor = run.predictor(PredictConfig.model_validate_json(settings))
    if weights_digest(predictor.network) != network:
        raise RunError("the run was changed while its network was at work", where=root, fix="give the command again")
    return Seeing(predictor, run.classes, run.config.images.rule)


def _executed(
    work: Callable[[int], Done | None], numbers: Iterable[int], *, executor: Executor, jobs: int, address: str | None
) -> Iterator[Done | _Lost | None]:
    """The results of shards, in any order."""
    if executor == "ray":
        from underpaint.workflows.cluster import on_cluster

        yield from on_cluster(work, numbers, jobs=jobs, address=address, lost=_Lost)
    else:
        yield from stream(work, numbers, workers=jobs, lost=_Lost, queued=1, threads=1, named=_named)


def _named(number: int) -> str:
    return f"shard {number}"


def _all_done(
    store: Store, plan: Plan, run_some: Callable[[list[int]], Iterator[Done | _Lost | None]], watch: Watch
) -> list[Done]:
    """Work on the missing shards until there are none, whoever makes them."""
    count = len(plan.starts)
    done = {number: one for number in range(count) if (one := store.done(number)) is not None}
    tries: Counter[int] = Counter()
    images, failed = sum(one.images for one in done.values()), sum(one.failed for one in done.values())
    watch(images, plan.images, failed)
    while missing := [number for number in range(count) if number not in done and tries[number] < TRIES]:
        for found in run_some(missing):
            if isinstance(found, Done):
                done[found.shard] = found
                images, failed = images + found.images, failed + found.failed
                watch(images, plan.images, failed)
            elif isinstance(found, _Lost):
                tries[found.shard] += 1
        if others := [store.claim(number) for number in missing if number not in done]:
            wait_for_one(others)
    if lost := [number for number in range(count) if number not in done]:
        raise RunError(
            f"{len(lost)} of {count} shards have no result, since their process died {TRIES} times, as systems do when "
            f"memory runs out; the first is shard {lost[0]}",
            where=store.root,
            fix="free some memory or work with fewer processes, and give the same command again",
        )
    return [done[number] for number in range(count)]
