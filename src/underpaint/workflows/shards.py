"""Predicts the images of a manifest of any length into shards, on this machine or on a Ray cluster."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from underpaint.core.atomic import remove_leftovers
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
    from underpaint.predict.shard import LoadedRun

SIZE = 256
"""Default number of images per shard."""

TRIES = 3
"""Number of attempts for a shard whose process ends unexpectedly each time."""

Executor = Literal["processes", "ray"]
EXECUTORS: tuple[Executor, ...] = ("processes", "ray")

Watch = Callable[[int, int, int], None]


@dataclass(frozen=True)
class Shards:
    """The result of a prediction of many images.

    Args:
        out: The folder.
        shards: Number of shards.
        images: Number of images in the manifest.
        masks: Number of masks that were written, by this call and by earlier ones.
        failed: Number of images that could not be read; the index names them with the reasons.
        left_out: Number of lines, files and names in the manifest that are not images.
    """

    out: Path
    shards: int
    images: int
    masks: int
    failed: int
    left_out: int

    def reasons(self) -> Iterator[LeftOut]:
        """Yield the parts of the manifest that were left out, with the reasons."""
        return Plan.read(Store(self.out).plan).reasons()


@dataclass(frozen=True)
class _Lost:
    """A shard whose process ended unexpectedly."""

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
    crf: bool = True,
    tile: int | None = None,
    engine: Literal["auto", "torch", "onnx"] = "auto",
    on_progress: Watch | None = None,
) -> Shards:
    """Predict the images of a manifest into shards of masks with an index.

    A shard is written completely or not at all, and no image is in two shards. The same call continues an interrupted
    one. Several calls, on one machine or on several machines that share the folder, divide the shards among themselves.
    `underpaint.read_shards` reads the masks.

    Args:
        run: Folder of a finished training. On a cluster, all machines need it under this path.
        manifest: A JSON Lines or Parquet file with a column ``image`` and optionally ``name``; a folder; a pattern such
            as ``photos/**/*.jpg``; tar archives; or the address of any of these, such as ``s3://bucket/photos``.
        out: Folder for the shards, which all machines can use under this path.
        size: Number of images per shard.
        jobs: Number of processes on this machine, each with one thread; with Ray, the size of the local cluster.
        executor: ``processes`` or ``ray``.
        address: Address of a running Ray cluster; None starts a cluster on this machine.
        scales: As in `underpaint.predict`.
        flip: As in `underpaint.predict`.
        crf: As in `underpaint.predict`.
        tile: As in `underpaint.predict`.
        engine: As in `underpaint.predict`.
        on_progress: Called with (finished images, images in the manifest, failed images), first with those of earlier
            calls.

    Returns:
        The number of masks, and the numbers of images that failed or were left out.

    Raises:
        DataError: There is no image; the manifest cannot be read, needs a package that is not installed, or differs
            from that of an earlier call; or the folder contains other files, such as shards of another run or of other
            settings.
        ConfigError: A setting is out of range, or Ray is not installed.
        RunError: The run is not finished or was changed during the prediction, or a shard failed in every attempt. The
            other shards are finished.

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
    load, stamp = _settled(root, asked)
    Output.open(
        target, holds="shards of masks", by="underpaint predict", apart=("plan", "shards", "claims")
    )  # refuses what a person made
    store = Store(target)
    plan = make_plan(store.plan, entries(source), size=size, stamp=stamp, source=source)
    work = partial(_work, target, load)
    run_some = partial(_executed, work, executor=executor, jobs=jobs, address=address)
    done = _all_done(store, plan, run_some, on_progress or (lambda done, total, failed: None))
    failed = sum(one.failed for one in done)
    return Shards(target, len(done), plan.images, plan.images - failed, failed, plan.left_out)


def _source(manifest: AnyPath, out: Path) -> str:
    """The manifest as text, because a `Path` would change an address."""
    source = manifest if isinstance(manifest, str) else str(as_path(manifest, "manifest"))
    if is_remote(source):
        return source
    if Path(source).is_dir() and lies_in(out, Path(source)):
        raise ConfigError("the output folder is among the images", where=out, fix="choose a folder beside them")
    return source


def _settled(root: Path, asked: dict[str, Any]) -> tuple[Callable[[], LoadedRun], Stamp]:
    """A function that makes the predictor in every process, and the inputs that affect the results."""
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
    return loader_of(root, predictor), stamp


def loader_of(root: Path, predictor: Predictor) -> Callable[[], LoadedRun]:
    """A function that makes the same network with the same settings and engine in any process, once per process."""
    from underpaint.predict.large import weights_digest

    used = predictor.config.model_copy(update={"engine": predictor.engine})
    return partial(_load, root, weights_digest(predictor.network), used.model_dump_json())


def _work(target: Path, load: Callable[[], LoadedRun], number: int) -> Done | None:
    """Predict one shard. This runs in any process of any machine."""
    from underpaint.predict.shard import predict_shard

    return predict_shard(target, load, number)


@cache
def _load(root: Path, network: str, settings: str) -> LoadedRun:
    """Load the network of a run, once per process."""
    from underpaint.predict import PredictConfig
    from underpaint.predict.large import weights_digest
    from underpaint.predict.shard import LoadedRun
    from underpaint.workflows.run import load_run

    run = load_run(root)
    predictor = run.predictor(PredictConfig.model_validate_json(settings))
    if weights_digest(predictor.network) != network:
        raise RunError("the run was changed during the prediction", where=root, fix="give the command again")
    return LoadedRun(predictor, run.classes, run.config.images.rule)


def _executed(
    work: Callable[[int], Done | None], numbers: Iterable[int], *, executor: Executor, jobs: int, address: str | None
) -> Iterator[Done | _Lost | None]:
    """Yield the results of shards in any order."""
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
    """Work on the missing shards until all exist, made by this or by other commands."""
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
    remove_leftovers(store.shards)  # of processes that were killed; the others removed theirs
    if lost := [number for number in range(count) if number not in done]:
        raise RunError(
            f"{len(lost)} of {count} shards have no result, because their process ended unexpectedly {TRIES} times, "
            f"which happens if there is too little memory; the first is shard {lost[0]}",
            where=store.root,
            fix="free some memory or work with fewer processes, and give the same command again",
        )
    return [done[number] for number in range(count)]
