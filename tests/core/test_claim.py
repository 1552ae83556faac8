"""Claims on pieces of work: one owner, and what happens when it dies or stands still."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from underpaint.core import claim
from underpaint.core.claim import claimed

HOLD = "import sys, time; from pathlib import Path; from underpaint.core.claim import claimed\n"
HOLD += "with claimed(Path(sys.argv[1])) as mine: print(mine, flush=True); time.sleep(60)"


def holder(path: Path) -> subprocess.Popen[str]:
    """Another process, which has the claim when this returns."""
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "True\n"
    return process


def test_one_owner_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "claims" / "one"
    with claimed(path) as mine, claimed(path) as again, claimed(path.with_name("two")) as other:
        assert (mine, again, other) == (True, False, True)
    with claimed(path) as mine:
        assert mine
    assert list(path.parent.iterdir()) == []


def test_the_claim_of_a_killed_process_is_taken_over_at_once(tmp_path: Path) -> None:
    process = holder(tmp_path / "one")
    with claimed(tmp_path / "one") as mine:
        assert not mine
    process.send_signal(signal.SIGKILL)
    process.wait()
    with claimed(tmp_path / "one") as mine:
        assert mine


def test_waiting_ends_when_one_claim_is_free(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claim, "PAUSE", 0.01)
    with claimed(tmp_path / "one"):
        claim.wait_for_one([tmp_path / "one", tmp_path / "two"])  # the second is free
    with claimed(tmp_path / "three"):
        waiting = threading.Thread(target=claim.wait_for_one, args=([tmp_path / "three"],))
        waiting.start()
        waiting.join(0.1)
        assert waiting.is_alive()
    waiting.join(5)
    assert not waiting.is_alive()


def test_an_owner_elsewhere_is_gone_when_it_refreshes_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "one"
    path.write_text("another machine")
    now = [1000.0]
    monkeypatch.setattr("underpaint.core.claim.time.monotonic", lambda: now[0])

    def mine() -> bool:
        with claimed(path) as got:
            return got

    assert not mine()
    now[0] += claim.STALE - 1
    os.utime(path)
    assert not mine()  # it was refreshed
    now[0] += claim.STALE - 1
    assert not mine()
    now[0] += 2
    assert mine()


def test_owners_refresh_their_claim(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claim, "BEAT", 0.01)
    with claimed(tmp_path / "one"):
        os.utime(tmp_path / "one", (0, 0))
        for _ in range(500):
            if (tmp_path / "one").stat().st_mtime > 1:
                return
            time.sleep(0.01)
    raise AssertionError("the claim was not refreshed")
