"""Work in several processes: order, bounded reading ahead, processes that die, and none that stays behind."""

from __future__ import annotations

import os
import pickle
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from underpaint.core.errors import DataError, InterruptionError, RunError
from underpaint.core.parallel import AHEAD, stream
from underpaint.core.stop import stop_requests
from underpaint.core.worker import Worker

CHUNK = 32


def double(number: int) -> int:
    return 2 * number


def slow_at_first(number: int) -> int:
    time.sleep(0.2 if number == 0 else 0)
    return number


def die_on_seven(number: int) -> int:
    if number == 7:
        os._exit(3)
    return number


def killed_on_seven(number: int) -> int:
    if number == 7:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def killed_often(number: int) -> int:
    if number % 5 == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def fail(number: int) -> int:
    raise ValueError(number)


def fail_as_users_do(number: int) -> int:
    raise DataError("no such thing", where="here", fix="mend it")


def sleep(number: int) -> int:
    time.sleep(0.02)
    return number


def own_id(_: int) -> int:
    time.sleep(0.05)
    return os.getpid()


def squared(array: np.ndarray) -> np.ndarray:
    return array**2


def lost(number: int) -> int:
    return -number


def test_results_come_in_order_and_items_are_taken_as_needed() -> None:
    taken = 0

    def items(count: int) -> Iterator[int]:
        nonlocal taken
        for taken in range(1, count + 1):
            yield taken - 1

    results = stream(double, items(2000), workers=2, chunk=CHUNK)
    assert next(results) == 0
    assert taken <= 2 * AHEAD * CHUNK
    assert list(results) == [2 * i for i in range(1, 2000)]
    assert list(stream(slow_at_first, range(9), workers=3)) == list(range(9))
    assert list(stream(double, [], workers=2)) == []


def test_one_worker_is_this_process() -> None:
    assert list(stream(own_id, range(2), workers=1)) == [os.getpid()] * 2
    assert os.getpid() not in list(stream(own_id, range(4), workers=2))


def test_a_process_starts_without_what_the_work_does_not_need() -> None:
    code = """
import torch
from {module} import settings
from underpaint.core.parallel import stream
print(list(stream(settings, [1, 2], workers=2, threads=1)))
"""
    # The module is one of its own: this test module imports numpy.
    source = Path(__file__).with_name("bare_work_of_a_test.py")
    source.write_text(
        "import os, sys\n\ndef settings(_):\n    return 'torch' in sys.modules, os.environ['OMP_NUM_THREADS']\n"
    )
    try:
        done = subprocess.run(
            [sys.executable, "-c", code.format(module=source.stem)], cwd=source.parent, check=True, capture_output=True
        )
    finally:
        source.unlink()
    assert done.stdout.decode().strip() == "[(False, '1'), (False, '1')]"


def test_a_script_needs_no_guard(tmp_path: Path) -> None:
    """No process imports the caller's main module again."""
    script = tmp_path / "script.py"
    script.write_text(
        "import math\nfrom underpaint.core.parallel import stream\nprint(sum(stream(math.sqrt, [4, 9], workers=2)))"
    )
    done = subprocess.run([sys.executable, script], check=True, capture_output=True, timeout=60)
    assert done.stdout == b"5.0\n"


def test_large_items_and_results_do_not_block_each_other() -> None:
    items = [np.full(300_000, i, np.int64) for i in range(12)]
    for number, result in enumerate(stream(squared, items, workers=2)):
        assert result[-1] == number**2


@pytest.mark.parametrize("chunk", [1, CHUNK])
def test_a_process_that_dies_costs_its_own_item_alone(chunk: int) -> None:
    results = list(stream(die_on_seven, range(3 * CHUNK), workers=2, lost=lost, chunk=chunk))
    assert results == [*range(7), -7, *range(8, 3 * CHUNK)]


def test_many_that_die() -> None:
    results = list(stream(killed_often, range(12), workers=2, lost=lost, chunk=4))
    assert results == [-number if number % 5 == 2 else number for number in range(12)]


@pytest.mark.parametrize(
    ("work", "said"), [(die_on_seven, "it ended with exit code 3"), (killed_on_seven, "it was killed by SIGKILL")]
)
def test_without_a_substitute_a_death_is_an_error_that_names_the_item(work: object, said: str) -> None:
    results = stream(work, range(20), workers=2, named="photograph {}".format)  # type: ignore[arg-type, var-annotated]
    with pytest.raises(RunError, match=said) as caught:
        list(results)
    assert "where: photograph 7\n" in str(caught.value)
    assert "fix: free some memory" in str(caught.value)


def test_an_error_in_the_work_is_the_callers() -> None:
    with pytest.raises(ValueError, match=r"^0"):
        list(stream(fail, range(3), workers=2))
    with pytest.raises(DataError, match="no such thing") as caught:
        list(stream(fail_as_users_do, range(3), workers=2))
    assert caught.value.what == "no such thing"
    assert str(caught.value).splitlines()[1:] == ["  where: here", "  fix: mend it"]


@pytest.mark.parametrize(
    "error", [DataError("a", where="b", accepted="c", fix="d"), InterruptionError("a", fix="d", number=15)]
)
def test_errors_travel_whole(error: RunError | DataError) -> None:
    other = pickle.loads(pickle.dumps(error))
    assert (type(other), str(other), vars(other)) == (type(error), str(error), vars(error))


def stop_asked(folder: str) -> str:
    """As a training: it ends its step when it is asked to, says so, and keeps what it has."""
    with stop_requests() as asked:
        Path(folder, "begun").touch()
        while asked.number is None:
            time.sleep(0.01)
    Path(folder, "kept").touch()
    raise InterruptionError("stopped", fix="go on", number=asked.number)


def test_a_process_keeps_its_work_when_the_caller_ends(tmp_path: Path) -> None:
    folders = [tmp_path / str(number) for number in range(4)]
    for folder in folders:
        folder.mkdir()
    results = stream(stop_asked, map(str, folders), workers=2)
    waiter = threading.Thread(target=_interrupt_when, args=(folders[:2],))
    waiter.start()
    with pytest.raises(KeyboardInterrupt):
        next(results)
    waiter.join()
    assert [(folder / "kept").exists() for folder in folders] == [True, True, False, False]
    assert not (folders[2] / "begun").exists(), "what waits in line is not begun"


def _interrupt_when(folders: list[Path]) -> None:
    while not all((folder / "begun").exists() for folder in folders):
        time.sleep(0.01)
    os.kill(os.getpid(), signal.SIGINT)


def test_leaving_early_ends_the_processes() -> None:
    results = stream(own_id, range(10_000), workers=2)
    seen = {next(results) for _ in range(6)}
    began = time.perf_counter()
    results.close()
    assert time.perf_counter() - began < 10
    assert not any(alive(process) for process in seen)


def alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return b"State:\tZ" not in Path(f"/proc/{process}/status").read_bytes() if Path("/proc").is_dir() else True


HOURS = """
import signal, sys
for number in (signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, signal.SIG_DFL)
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.path.insert(0, {folder!r})
from test_parallel import long_work
from underpaint.core.parallel import stream
for name in stream(long_work, [{folder!r}] * 4, workers=2):
    pass
"""


def long_work(_: str) -> None:
    sys.stdout.write(f"{os.getpid()}\n")
    sys.stdout.flush()
    while True:  # in Python, which hears of nothing else
        sum(range(1000))


@pytest.mark.skipif(sys.platform == "win32", reason="no such signals")
@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGKILL, -signal.SIGKILL), (signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, 1)],
)
def test_no_process_is_left_behind(number: signal.Signals, code: int, tmp_path: Path) -> None:
    """Whatever ends the caller, and it alone: nobody else is told."""
    program = HOURS.format(folder=str(Path(__file__).parent))
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        workers = [int(process.stdout.readline()) for _ in range(2)]
        assert all(map(alive, workers))
        os.kill(process.pid, number)
        assert process.wait(30) in {code, -number}
        ends = time.monotonic() + 10
        while any(map(alive, workers)) and time.monotonic() < ends:
            time.sleep(0.05)
        assert not any(map(alive, workers))


def test_ctrl_c_is_the_callers_alone() -> None:
    code = """
import signal, time
from underpaint.core.parallel import stream
signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job inherits that it is ignored
print("begun", flush=True)
list(stream(time.sleep, [0.02] * 5000, workers=2, lost=print))
"""
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"begun\n"
        time.sleep(0.5)  # the processes are starting
        os.killpg(process.pid, signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert said.count(b"Traceback") == 1
    assert said.rstrip().endswith(b"KeyboardInterrupt")


def test_too_few_descriptors_are_said() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    used = len(list(Path("/proc/self/fd").iterdir()))
    resource.setrlimit(resource.RLIMIT_NOFILE, (used, hard))
    try:
        with pytest.raises(RunError, match="no further process can be started: Too many open files"):
            list(stream(double, range(4), workers=2))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_fewer_processes_than_asked_for_do_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Worker] = []

    def scarce(work: Callable[[object], object], threads: int | None) -> Worker:
        if made:
            raise BlockingIOError(11, "Resource temporarily unavailable")
        made.append(Worker(work, threads))
        return made[0]

    monkeypatch.setattr("underpaint.core.parallel.Worker", scarce)
    assert list(stream(partial(pow, 2), range(9), workers=4)) == [2**i for i in range(9)]
