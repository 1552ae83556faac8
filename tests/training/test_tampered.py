"""Run folders that were cut, changed or made by somebody else: refused with the file and the fix; nothing is run."""

from __future__ import annotations

import json
import os
import pickle
import struct
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save, save_file
from torch import Tensor

from underpaint.core.classes import ClassTable
from underpaint.core.errors import RunError, UnderpaintError
from underpaint.export import choose_forward
from underpaint.models.network import Network
from underpaint.models.tensors import load_into, read_tensors
from underpaint.training.checkpoint import load_checkpoint, restore_optimiser
from underpaint.training.config import RunConfig
from underpaint.training.run_folder import EventLog, read_events
from underpaint.workflows.run import Run

TABLE = ClassTable.of(["background", "cat", "dog"])


class Planted:
    """What makes a folder when it is unpickled."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return os.mkdir, (str(self.place),)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run, but that nothing was learned."""
    root = tmp_path_factory.mktemp("runs") / "run"
    root.mkdir()
    run = Run.create(root, RunConfig.parse({"method": {"name": "partial"}}), TABLE, {})
    save_file(
        Network(run.config.model, 3, needs=frozenset(), pretrained=False).state_dict(), root / "weights.safetensors"
    )
    return root


@pytest.fixture
def run(made: Path, tmp_path: Path) -> Run:
    """A copy of it; the weights are a link, since they are large."""
    root = tmp_path / "run"
    root.mkdir()
    for file in made.iterdir():
        if file.suffix == ".safetensors":
            (root / file.name).symlink_to(file)
        else:
            (root / file.name).write_bytes(file.read_bytes())
    return Run(root)


def replaced(run: Run, name: str, content: bytes) -> None:
    path = run.root / name
    path.unlink()
    path.write_bytes(content)


def header(length: int, text: bytes) -> bytes:
    return struct.pack("<Q", length) + text


HUGE = {"a": {"dtype": "F32", "shape": [2**40, 2**20], "data_offsets": [0, 4]}}
WEIGHTS: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda whole: b"",
    "cut": lambda whole: whole[:-1000],
    "cut in the header": lambda whole: whole[:100],
    "a length beyond the file": lambda whole: header(2**62, b"{}"),
    "a header that is no table": lambda whole: header(8, b"[1,2,3] "),
    "a tensor beyond the file": lambda whole: header(72, json.dumps(HUGE).encode().ljust(72)) + bytes(4),
    "a pickle": lambda whole: pickle.dumps(Planted(Path("planted"))),
    "a text": lambda whole: b"weights",
}


@pytest.mark.parametrize("kind", WEIGHTS)
def test_weights_that_are_no_weights(run: Run, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(run.root)
    replaced(run, "weights.safetensors", WEIGHTS[kind]((run.root / "weights.safetensors").read_bytes()))
    with pytest.raises(RunError, match="cut, damaged, or no safetensors file") as refused:
        run.network()
    assert "weights.safetensors" in str(refused.value)
    assert "fix:" in str(refused.value)
    assert not (run.root / "planted").exists()


@pytest.mark.parametrize("name", ["config.yaml", "classes.json", "about.json"])
@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"names: [a"])
def test_texts_that_were_cut(run: Run, name: str, content: bytes) -> None:
    replaced(run, name, content)
    with pytest.raises(UnderpaintError) as refused:
        _ = run.config, run.classes, run.about
    assert refused.value.fix
    assert f"fix: {refused.value.fix}" in str(refused.value)
    assert refused.value.fix in refused.value.brief


CHANGES: dict[str, tuple[Callable[[dict[str, Tensor]], object], str]] = {
    "fewer": (
        lambda held: held.pop("head.bias"),
        "lack 1 tensors of the network and have 0 others, such as 'head.bias'",
    ),
    "more": (
        lambda held: held.update(x=torch.zeros(1)),
        "lack 0 tensors of the network and have 1 others, such as 'x'",
    ),
    "shape": (lambda held: held.update({"head.bias": torch.zeros(4)}), r"\(4,\) of float32, in the network \(3,\)"),
    "type": (lambda held: held.update({"head.bias": torch.zeros(3).long()}), "of int64, in the network .* of float32"),
    "nan": (lambda held: held.update({"head.bias": torch.full((3,), torch.nan)}), "not finite"),
    "infinite": (lambda held: held["head.weight"].fill_(torch.inf), "not finite"),
}


@pytest.mark.parametrize("kind", CHANGES)
def test_weights_of_another_network(run: Run, kind: str) -> None:
    change, said = CHANGES[kind]
    held = load_file(run.root / "weights.safetensors")
    change(held)
    replaced(run, "weights.safetensors", save(held))
    with pytest.raises(RunError, match=said) as refused:
        run.network()
    assert str(run.root / "weights.safetensors") in str(refused.value)


CLASSES: dict[str, object] = {
    "a list": [],
    "nothing": {},
    "a number": 7,
    "numbers for names": {"names": [1, 2, 3], "colours": [[0, 0, 0]] * 3, "background": 0},
    "a text for colours": {"names": ["a", "b", "c"], "colours": "x", "background": 0},
    "colours of two numbers": {"names": ["a", "b", "c"], "colours": [[0, 0]] * 3, "background": 0},
    "colours out of range": {"names": ["a", "b", "c"], "colours": [[999, -1, 3]] * 3, "background": 0},
    "a background that is none": {"names": ["a", "b", "c"], "colours": [[0, 0, 0]] * 3, "background": 9},
    "repeated": {"names": ["a", "a", "c"], "colours": [[0, 0, 0]] * 3, "background": 0},
    "70,000": {"names": [f"c{i}" for i in range(70_000)], "colours": [[0, 0, 0]] * 70_000, "background": None},
    "fewer colours": {"names": ["a", "b", "c"], "colours": [[0, 0, 0]], "background": None},
    "another key": {"names": ["a", "b"], "colours": [[0, 0, 0]] * 2, "background": None, "x": 1},
    "fewer classes": {"names": ["a", "b"], "colours": [[0, 0, 0]] * 2, "background": None},
}
TEXTS = {"empty": b"", "deep": b"[" * 100_000, "no text": b"\xff\xfe", "long": b" " * (65 << 20)}


@pytest.mark.parametrize("kind", [*CLASSES, *TEXTS])
def test_class_lists_of_another_shape(run: Run, kind: str) -> None:
    replaced(run, "classes.json", TEXTS[kind] if kind in TEXTS else json.dumps(CLASSES[kind]).encode())
    with pytest.raises(UnderpaintError) as refused:
        run.network()
    text = str(refused.value)
    assert "weights.safetensors" in text if kind == "fewer classes" else "classes.json" in text
    assert len(text) < 2000
    assert "Error" not in text


@pytest.mark.parametrize("content", [b"[]", b"7", b"", *TEXTS.values()])
def test_records_of_another_shape(run: Run, content: bytes) -> None:
    replaced(run, "about.json", content)
    with pytest.raises(UnderpaintError, match=r"about\.json"):
        _ = run.about


SETTINGS: dict[str, bytes] = {
    "empty": b"",
    "list": b"[1]",
    "deep": b"[" * 20_000,
    "references": b"a: &a [1]\nb: *a\n",
    "an object": b"x: !!python/object/apply:os.mkdir [planted]\n",
    "another method": b"method: {name: ../../evil}\n",
    "no method": b"method: 1\n",
    "another encoder": b"method: {name: partial}\nmodel: {encoder: 'hf-hub:evil/model'}\n",
    "another size": b"method: {name: partial}\nmodel: {width: 64}\n",
    "huge": b"method: {name: partial}\nmodel: {width: 1000000000}\n",
    "text": b"\xff\xfe\x00",
}


@pytest.mark.parametrize("kind", SETTINGS)
def test_settings_of_another_shape(run: Run, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(run.root)
    replaced(run, "config.yaml", SETTINGS[kind])
    with pytest.raises(UnderpaintError) as refused:
        run.network()
    assert "Value error" not in str(refused.value)
    assert not (run.root / "planted").exists()


@pytest.mark.parametrize("name", ["weights.safetensors", "classes.json", "about.json", "config.yaml"])
def test_pipes_in_the_place_of_files(run: Run, name: str) -> None:
    (run.root / name).unlink()
    os.mkfifo(run.root / name)
    with pytest.raises(UnderpaintError, match=r"is missing|not finished"):
        _ = run.about if name == "about.json" else run.network()
    with pytest.raises(RunError, match="a named pipe"):
        read_tensors(run.root / name)


STRANGE = '{"event"\n[1]\n5\nnull\n"x"\n{"event": 3, "stage": [], "step": "x"}\n{"event": "steps", "stage": "a"}\n'


def test_lines_of_the_event_log_that_are_no_events(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    sound = '{"event": "steps", "stage": "a", "step": 3, "lr": 0.5}\n'
    text = STRANGE + '{"event": "steps", "stage": "a", "step": 3, "loss/x": "y"}\n' + "[" * 5000 + "\n"
    path.write_bytes(text.encode() + sound.encode() + b"\xff\xfe\n" + sound.encode()[:-9])
    assert [event["step"] for event, _ in read_events(path)] == [3]
    EventLog(path, "b", 0).close()
    assert path.read_text() == sound


def checkpoint(folder: Path, step: int, state: object) -> None:
    place = folder / f"step-{step:08d}"
    place.mkdir(parents=True)
    (place / "state.json").write_text(state if isinstance(state, str) else json.dumps(state))


@pytest.mark.parametrize(
    "state",
    [
        [],
        7,
        "",
        "[" * 50_000,
        {"step": 3},
        {"step": "x", "sha256": []},
        {"step": 10**30, "sha256": {"../../../secret": "0"}},
        {"step": 3, "sha256": {"weights": 5, "optimiser": None}},
    ],
)
def test_checkpoints_of_another_shape_are_passed_over(tmp_path: Path, state: object) -> None:
    checkpoint(tmp_path, 3, state)
    with pytest.raises(RunError, match="none of the 1 checkpoints is whole"):
        load_checkpoint(tmp_path, "x")


def test_states_of_another_optimiser_are_refused() -> None:
    network = torch.nn.Linear(2, 3)
    optimiser = torch.optim.AdamW(network.parameters())
    for tensors in ({"0.exp_avg": torch.zeros(9, 9)}, {"7.step": torch.tensor(1.0)}, {"x.step": torch.tensor(1.0)}):
        with pytest.raises(RunError, match="fits no parameter"):
            restore_optimiser(optimiser, tensors)
    with pytest.raises(RunError, match="'weight' is"):
        load_into(network, {"weight": torch.zeros(3, 9), "bias": torch.zeros(3)}, Path("step-3"))


def test_an_exported_file_of_another_network_is_not_used(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    pytest.importorskip("onnxruntime")
    onnx = pytest.importorskip("onnx")
    network, folder = run.network(), run.root / "export"
    assert choose_forward(network, folder, TABLE, engine="onnx") is not None
    (file,) = folder.glob("*.onnx")
    whole = file.read_bytes()
    value = onnx.helper.make_tensor_value_info
    rgb, logits = value("rgb", 1, ["N", 3, "H", "W"]), value("logits", 1, None)
    graph = onnx.helper.make_graph([onnx.helper.make_node("Identity", ["rgb"], ["logits"])], "g", [rgb], [logits])
    other = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)
    for damaged in (whole[: len(whole) // 2], other.SerializeToString()):
        file.write_bytes(damaged)
        caplog.clear()
        forward = choose_forward(network, folder, TABLE, engine="onnx")
        assert "exporting again" in caplog.text
        assert forward is not None
        assert forward(torch.zeros(1, 3, 40, 40)).shape == (1, 3, 40, 40)
        assert file.read_bytes() == whole
