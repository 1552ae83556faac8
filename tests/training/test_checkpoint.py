"""Checkpoints: whole or not at all, checked when read, the one before the last to fall back to."""

from __future__ import annotations

import errno
import logging
from pathlib import Path

import pytest
import torch

from underpaint.core.errors import DataError, RunError
from underpaint.training import checkpoint as room
from underpaint.training.checkpoint import Checkpoint, Logged, load_checkpoint, save_checkpoint


def _at(step: int) -> Checkpoint:
    return Checkpoint(
        step,
        {"w": torch.full((3, 2), float(step))},
        {"0.step": torch.tensor(float(step))},
        None,
        {"w": torch.full((3, 2), step / 2)},
        Logged(step - 1, {"tags": 0.1, "seeds": 0.2}),
    )


def test_round_trip_and_only_two_are_kept(tmp_path: Path) -> None:
    for step in (1, 2, 30):
        save_checkpoint(tmp_path, _at(step), "mine")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["step-00000002", "step-00000030"]
    held = load_checkpoint(tmp_path, "mine")
    assert held is not None
    assert held.step == 30
    assert torch.equal(held.weights["w"], torch.full((3, 2), 30.0))
    assert held.average is None
    assert held.teacher is not None
    assert torch.equal(held.teacher["w"], torch.full((3, 2), 15.0))
    assert list(held.logged.sums.items()) == [("tags", 0.1), ("seeds", 0.2)], "curves are drawn in the loss's order"


def test_nothing_there_is_none(tmp_path: Path) -> None:
    assert load_checkpoint(tmp_path, "mine") is None


@pytest.mark.parametrize("damage", ["truncate", "flip", "state", "remove"])
def test_damaged_checkpoint_falls_back_and_says_so(
    tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    for step in (1, 2):
        save_checkpoint(tmp_path, _at(step), "mine")
    file = tmp_path / "step-00000002" / "weights.safetensors"
    content = file.read_bytes()
    if damage == "truncate":
        file.write_bytes(content[: len(content) // 2])
    elif damage == "flip":
        file.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    elif damage == "state":
        (file.parent / "state.json").write_text("{", encoding="utf-8")
    else:
        file.unlink()
    with caplog.at_level(logging.WARNING):
        held = load_checkpoint(tmp_path, "mine")
    assert held is not None
    assert held.step == 1
    assert "step-00000002" in caplog.text


def test_all_damaged_is_an_error(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, _at(1), "mine")
    (tmp_path / "step-00000001" / "weights.safetensors").write_bytes(b"")
    with pytest.raises(RunError, match="none of the 1 checkpoints is whole"):
        load_checkpoint(tmp_path, "mine")


def test_full_disk_keeps_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_checkpoint(tmp_path, _at(1), "mine")

    def full(self: Path, data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        with pytest.raises(DataError, match="No space left on device"):
            save_checkpoint(tmp_path, _at(2), "mine")
    assert [p.name for p in tmp_path.iterdir()] == ["step-00000001"]
    held = load_checkpoint(tmp_path, "mine")
    assert held is not None
    assert held.step == 1


def test_leftovers_of_a_killed_process_are_removed(tmp_path: Path) -> None:
    left = tmp_path / ".step-00000005.0123456789ab.underpaint.tmp"
    left.mkdir()
    (left / "weights.safetensors").write_bytes(b"half")
    save_checkpoint(tmp_path, _at(1), "mine")
    assert [p.name for p in tmp_path.iterdir()] == ["step-00000001"]


def test_optimiser_state_round_trip() -> None:
    weight = torch.nn.Parameter(torch.ones(4))
    one, other = torch.optim.AdamW([weight], lr=0.1), torch.optim.AdamW([weight], lr=0.1)
    for _ in range(3):
        weight.grad = torch.arange(4.0)
        one.step()
    room.restore_optimiser(other, room.optimiser_tensors(one))
    for name, value in one.state[weight].items():
        assert torch.equal(value, other.state[weight][name])
