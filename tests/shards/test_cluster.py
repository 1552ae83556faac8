"""A Ray cluster on this machine: the bytes of one process, also where a worker is killed in the middle."""

import contextlib
import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest
from tests.shards.conftest import draw
from tests.shards.test_predict_shards import tree

import underpaint
from underpaint.core.errors import ConfigError, RunError
from underpaint.shards.store import Store


def test_without_ray_the_extra_is_named(
    run: Path, album: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ConfigError, match=r"underpaint\[ray\]"):
        underpaint.predict_shards(run, album, tmp_path / "out", executor="ray")


@pytest.mark.slow
def test_a_cluster_with_a_killed_worker_gives_the_bytes_of_one_process(run: Path, tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="Ray is not installed (extra ray)")
    draw(tmp_path / "in", 60, side=64)
    underpaint.predict_shards(run, tmp_path / "in", tmp_path / "one", size=3)
    killed: list[int] = []
    hunt = threading.Thread(target=_kill_one, args=(Store(tmp_path / "two"), killed))
    hunt.start()
    made = underpaint.predict_shards(run, tmp_path / "in", tmp_path / "two", size=3, jobs=2, executor="ray")
    hunt.join(1)
    assert len(killed) == 1
    assert (made.shards, made.masks, made.failed) == (20, 60, 0)
    assert tree(tmp_path / "two") == tree(tmp_path / "one")
    # Killed between its shard and the end of its claim, it leaves the claim of a finished shard, which nobody reads.
    left = [int(claim.read_text().split("\n")[1]) for claim in (tmp_path / "two" / "claims").iterdir()]
    assert left in ([], killed)


def _kill_one(store: Store, killed: list[int]) -> None:
    """Kill the process that has claimed a shard, once a few shards are done."""
    for _ in range(60_000):
        finished = sum(path.name.isdecimal() for path in store.shards.iterdir()) if store.shards.is_dir() else 0
        for claim in (store.root / "claims").glob("[0-9]*") if finished >= 3 else ():
            with contextlib.suppress(OSError, ValueError):  # it was given up just now
                owner = int(claim.read_text().split("\n")[1])
                os.kill(owner, signal.SIGKILL)
                killed.append(owner)
                return
        time.sleep(0.002)


@pytest.mark.slow
def test_an_address_without_a_cluster_is_refused(run: Path, album: Path, tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="Ray is not installed (extra ray)")
    with pytest.raises(RunError, match="no Ray cluster"):
        underpaint.predict_shards(run, album, tmp_path / "out", executor="ray", address="ray://127.0.0.1:1")
