"""However a training stops, and whatever it meets on the way, it is resumed to the bytes of one that did not stop."""

from __future__ import annotations

import errno
import multiprocessing
import os
import resource
import shutil
import signal
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from tests.tiny import TINY
from typer.testing import CliRunner

from underpaint import Plan, plan, train
from underpaint.cli import app
from underpaint.core.errors import ConfigError, DataError, InterruptionError, RunError
from underpaint.core.lock import exclusive
from underpaint.training.config import RunConfig
from underpaint.training.reporter import Silent
from underpaint.training.run_folder import EventLog, RunFolder

SMALL = [*TINY, "views.crop=[32,32]", "train.batch=2", "train.epochs=3", "train.workers=0", "train.checkpoint_every=7"]
"""12 steps on 8 images, reported at 10 and 12; a checkpoint at 7."""


class At(Silent):
    """Does something when the first ten steps are reported.

    Args:
        act: What.
    """

    def __init__(self, act: Callable[[], object]) -> None:
        self.act = act

    def advance(self, done: int, images_per_second: float, values: Mapping[str, float]) -> None:
        """Act, once."""
        if done == 10:
            self.act()


@pytest.fixture
def planned(scenes: Path, scribbles: Path) -> Callable[..., Plan]:
    def make(*overrides: str, data: Path = scenes) -> Plan:
        return plan(data, hints=[scribbles], method="partial", settings=[*SMALL, *overrides])

    return make


def learned(planned: Plan) -> list[Path]:
    """The photographs that are learned from."""
    return [planned.data.images[name] for name in sorted(planned.hints)]


RESULTS = ("weights.safetensors", "curves.png", "samples.png")


def results(run: Path) -> dict[str, bytes]:
    return {name: (run / name).read_bytes() for name in RESULTS if (run / name).is_file()}


@pytest.fixture(scope="module")
def whole(scenes: Path, scribbles: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What an uninterrupted run leaves."""
    out = tmp_path_factory.mktemp("whole") / "run"
    plan(scenes, hints=[scribbles], method="partial", settings=SMALL).train(out)
    kept = results(out)
    shutil.rmtree(out)
    return kept


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_keeps_a_checkpoint(
    planned: Callable[..., Plan], whole: dict[str, bytes], tmp_path: Path, number: signal.Signals
) -> None:
    before = signal.signal(number, signal.default_int_handler)
    try:
        with pytest.raises(InterruptionError, match=r"interrupted after step 1[01] of 12") as stopped:
            planned().train(tmp_path / "run", reporter=At(lambda: os.kill(os.getpid(), number)))
        assert signal.getsignal(number) is signal.default_int_handler
    finally:
        signal.signal(number, before)
    assert stopped.value.exit_code == {"SIGINT": 130, "SIGTERM": 143, "SIGHUP": 129}[number.name]
    assert list((tmp_path / "run/stages/0-train/checkpoints").glob("step-0000001[01]"))
    planned().train(tmp_path / "run", resume=True)
    assert results(tmp_path / "run") == whole


def test_an_ignored_hang_up_stays_so(planned: Callable[..., Plan], whole: dict[str, bytes], tmp_path: Path) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
    try:
        planned().train(tmp_path / "run", reporter=At(lambda: os.kill(os.getpid(), signal.SIGHUP)))
    finally:
        signal.signal(signal.SIGHUP, before)
    assert results(tmp_path / "run") == whole


@pytest.mark.parametrize("changed", ["train.workers=1", "train.checkpoint_every=2", "views.cache_mb=0"])
def test_settings_without_effect_on_weights_may_change(
    planned: Callable[..., Plan], whole: dict[str, bytes], tmp_path: Path, changed: str
) -> None:
    """The list of such settings is in the configuration; each is tried here, devices in `test_rank_processes.py`."""
    here = {"train.workers", "train.checkpoint_every", "views.cache_mb"}
    assert _free(planned().config) == here | {"train.devices", "train.nodes"}
    name, _, value = changed.partition("=")
    assert name in here
    with pytest.raises(InterruptionError):
        planned().train(tmp_path / "run", reporter=At(lambda: os.kill(os.getpid(), signal.SIGINT)))
    run = planned(changed).train(tmp_path / "run", resume=True)
    assert results(tmp_path / "run") == whole
    group, _, setting = name.partition(".")
    assert run.config.model_dump()[group][setting] == int(value), "the run goes on with what was asked for"


def _free(config: RunConfig) -> set[str]:
    dumped, decisive = config.model_dump(mode="json"), config.decisive()
    groups = ("model", "train", "views")
    return {f"{group}.{name}" for group in groups for name in dumped[group].keys() - decisive[group].keys()}


def test_a_killed_loading_process_is_a_typed_error(planned: Callable[..., Plan], tmp_path: Path) -> None:
    def kill() -> None:
        for process in multiprocessing.active_children():
            process.kill()
        for process in multiprocessing.active_children():
            process.join()

    asked = planned("train.workers=1", "train.epochs=30")  # batches are loaded ahead
    with pytest.raises(RunError, match=r"loading process was killed(.|\n)*stage train(.|\n)*train\.workers=0"):
        asked.train(tmp_path / "run", reporter=At(kill))
    assert multiprocessing.active_children() == []


@pytest.mark.filterwarnings("error")
def test_more_loading_processes_than_cores_are_said_in_our_words(
    planned: Callable[..., Plan], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0})
    asked = planned("train.workers=2", "train.epochs=1")
    assert "2 loading processes share 1 core(s), which may be slow: lower train.workers" in asked.notes
    assert not any("loading processes" in note for note in planned("train.workers=1").notes)
    asked.train(tmp_path / "run")


@pytest.mark.parametrize("spare", [10, 26])
def test_too_few_descriptors_are_a_typed_error(planned: Callable[..., Plan], tmp_path: Path, spare: int) -> None:
    """Too few to start loading processes; enough to start them, and too few to hand batches over.

    Python drops a batch that its process cannot hand over: the training would wait for ever.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    used = {int(path.name) for path in Path("/proc/self/fd").iterdir()}
    limit = next(n for n in range(hard) if n - sum(handle < n for handle in used) == spare)
    asked = planned("train.workers=4")
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
    try:
        with pytest.raises(RunError, match=r"ulimit -n(.|\n)*train\.workers=0"):
            asked.train(tmp_path / "run")
        assert multiprocessing.active_children() == []
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize("damage", ["remove", "cut", "cover"])
def test_photographs_that_vanish_stop_the_run(
    planned: Callable[..., Plan], whole: dict[str, bytes], scenes: Path, tmp_path: Path, damage: str
) -> None:
    """Left out, it would change the weights by the moment at which it went."""
    data = tmp_path / "scenes"
    shutil.copytree(scenes, data)
    victims = learned(planned(data=data))

    def act() -> None:
        for victim in victims:
            if damage == "cut":
                victim.write_bytes(victim.read_bytes()[:-200])
                continue
            victim.unlink()
            if damage == "cover":
                victim.mkdir()

    with pytest.raises(RunError, match=r"was removed or changed(.|\n)*train-000\d\.png(.|\n)*--resume"):
        planned("views.cache_mb=0", data=data).train(tmp_path / "run", reporter=At(act))
    assert not RunFolder(tmp_path / "run").trained
    shutil.rmtree(data)
    shutil.copytree(scenes, data)
    planned(data=data).train(tmp_path / "run", resume=True)
    assert results(tmp_path / "run") == whole


def test_a_photograph_that_changed_between_two_starts_begins_the_stage_anew(
    planned: Callable[..., Plan],
    whole: dict[str, bytes],
    scenes: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    data = tmp_path / "scenes"
    shutil.copytree(scenes, data)
    first, second = learned(planned(data=data))[:2]
    kept = first.read_bytes()
    first.write_bytes(second.read_bytes())
    with pytest.raises(InterruptionError):
        planned(data=data).train(tmp_path / "run", reporter=At(lambda: os.kill(os.getpid(), signal.SIGINT)))
    first.write_bytes(kept)
    planned(data=data).train(tmp_path / "run", resume=True)
    assert "was made from other photographs or by other code" in caplog.text
    assert results(tmp_path / "run") == whole


@pytest.mark.parametrize("name", ["curves.png", "samples.png"])
def test_missing_pictures_are_drawn_the_same(
    planned: Callable[..., Plan], whole: dict[str, bytes], tmp_path: Path, name: str
) -> None:
    run = planned().train(tmp_path / "run")
    (run.root / name).unlink()
    assert run.trained
    assert not run.complete
    assert planned().train(tmp_path / "run", resume=True).complete
    assert results(tmp_path / "run") == whole


@pytest.mark.parametrize("left", [(), ("about.json",), ("about.json", "classes.json")])
@pytest.mark.parametrize("resume", [False, True])
def test_a_start_that_was_killed_begins_anew(
    planned: Callable[..., Plan], tmp_path: Path, left: tuple[str, ...], *, resume: bool
) -> None:
    out = tmp_path / "run"
    out.mkdir()
    for name in left:
        (out / name).write_text("{")
    (out / ".config.yaml.0123456789ab.underpaint.tmp").write_text("meth")

    class EnoughError(Exception):
        pass

    class Stopping(Silent):
        def start(self, task: str, total: int, done: int) -> None:
            raise EnoughError

    with pytest.raises(EnoughError):
        planned().train(out, resume=resume, reporter=Stopping())
    run = RunFolder(out)
    assert run.config == planned().config
    assert run.classes == planned().data.classes
    assert run.about["images"] == 8
    assert not list(out.glob("*.tmp"))
    with pytest.raises(RunError, match="not empty"):
        planned().train(out)


def test_a_person_s_file_is_no_start_of_a_run(planned: Callable[..., Plan], tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run/about.json").write_text("{}")
    (tmp_path / "run/notes.txt").write_text("mine")
    with pytest.raises(RunError, match="not empty"):
        planned().train(tmp_path / "run")


@pytest.mark.parametrize("resume", [False, True])
def test_a_folder_that_is_taken_is_refused_before_data_are_read(tmp_path: Path, *, resume: bool) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run/notes.txt").write_text("mine")
    out, said = (tmp_path / "new", "nothing to resume") if resume else (tmp_path / "run", "not empty")
    with pytest.raises(RunError, match=said):
        train(tmp_path / "no data", out, resume=resume)
    asked = CliRunner().invoke(app, ["train", str(tmp_path / "no data"), "-o", str(out), *["--resume"] * resume])
    assert isinstance(asked.exception, RunError)
    assert said in str(asked.exception)


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("model.encoder=resnet1", "no encoder 'resnet1'(.|\n)*did you mean"),
        ("model.weights=nothing.safetensors", "no such weights"),
        ("model.encoder=test_vit", "cannot be the encoder"),
    ],
)
def test_a_network_that_cannot_be_built_is_refused_in_the_plan(
    planned: Callable[..., Plan], setting: str, said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        planned(setting)


def test_two_trainings_never_share_a_folder(planned: Callable[..., Plan], tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    with exclusive(tmp_path / "run"), pytest.raises(RunError, match="another command is using this folder"):
        planned().train(tmp_path / "run")


@pytest.mark.parametrize(
    ("name", "said"), [(b"run-\xff", "not UTF-8"), (b"file", "cannot be used"), (b"file/run", "cannot be used")]
)
def test_a_folder_that_would_stop_the_run_is_refused_first(
    planned: Callable[..., Plan], tmp_path: Path, name: bytes, said: str
) -> None:
    (tmp_path / "file").write_text("a file")
    with pytest.raises(RunError, match=said):
        planned().train(tmp_path / os.fsdecode(name))
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_run_folder_that_is_removed_is_not_made_again(planned: Callable[..., Plan], tmp_path: Path) -> None:
    out = tmp_path / "run"
    with pytest.raises(DataError, match="was removed while"):
        planned().train(out, reporter=At(lambda: shutil.rmtree(out)))
    assert not out.exists()


def test_a_full_disk_under_the_event_log_is_a_typed_error(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "events.jsonl", "train", 0)
    log.close()
    log._file = open("/dev/full", "ab", buffering=0)  # noqa: SIM115, PTH123 - closed below
    with pytest.raises(RunError, match=rf"{os.strerror(errno.ENOSPC)}(.|\n)*events\.jsonl(.|\n)*--resume"):
        log.write("steps", 1)
    log.close()
