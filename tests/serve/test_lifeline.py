"""Children of the server end with it, also in the middle of their work."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from underpaint.serve.tasks import _put

BUSY = """
import sys, time
from underpaint.serve.lifeline import listen
listen(lambda line: print("heard", line, end="", flush=True))
time.sleep(60)
print("the work went on")
"""


def test_a_child_hears_lines_and_ends_with_its_input() -> None:
    child = subprocess.Popen([sys.executable, "-c", BUSY], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    said, _ = child.communicate("one\ntwo\n", timeout=20)
    assert said == "heard one\nheard two\n"
    assert child.returncode == 0


FORKING = """
import multiprocessing, sys, time
from underpaint.serve.lifeline import listen
listen(str)
time.sleep(0.5)  # the thread waits for a line by now
child = multiprocessing.get_context("fork").Process(target=print, args=("forked",), kwargs={"flush": True}, daemon=True)
child.start()
child.join(15)
print(child.exitcode)
"""


def test_a_child_can_fork_processes_while_it_listens() -> None:
    child = subprocess.Popen([sys.executable, "-c", FORKING], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert child.stdout.read() == "forked\n0\n"
    child.communicate(timeout=20)


def test_the_quick_model_ends_with_its_server_before_it_has_begun(tmp_path: Path) -> None:
    words = [sys.executable, "-X", "importtime", "-m", "underpaint.serve.quick_process", str(tmp_path), str(tmp_path)]
    child = subprocess.Popen(words, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert child.stdin is not None
    child.stdin.close()
    assert child.wait(60) == 0
    assert child.stderr is not None
    assert "quick_model" not in child.stderr.read(), "the modules that need torch were not read to the end"


def test_a_folder_takes_the_place_of_what_an_interrupted_task_left(tmp_path: Path) -> None:
    made, out = tmp_path / "made", tmp_path / "masks" / "001"
    for folder, name in ((made, "new"), (out, "old"), (out.with_name(".001.part"), "half")):
        folder.mkdir(parents=True)
        (folder / name).touch()
    _put(made, out)
    assert [path.name for path in out.parent.iterdir()] == ["001"]
    assert [path.name for path in out.iterdir()] == ["new"]
