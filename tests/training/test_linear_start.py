"""A network starts from a linear model on the encoder's features: the same scores, then better ones."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from underpaint import load_run, open_dataset, simulate, train
from underpaint.core.errors import InterruptionError
from underpaint.data.hinted import HintedImages
from underpaint.data.samples import collate
from underpaint.data.views import ViewConfig
from underpaint.features.bank import FeatureBank
from underpaint.hints.types import Click, Hints
from underpaint.models.config import Architecture, ModelConfig
from underpaint.models.linear import averaged
from underpaint.models.network import Network
from underpaint.models.tensors import read_tensors
from underpaint.training.reporter import Silent

SMALL = ["views.crop=[64,64]", "train.batch=2", "train.workers=0", "model.width=32", "model.linear_start=true"]


class Notes(Silent):
    """Keeps the notes of a training."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


def randomised(network: Network) -> Network:
    generator = torch.Generator().manual_seed(1)
    assert network.linear is not None
    with torch.no_grad():
        for parameter in network.linear.parameters():
            parameter.copy_(0.01 * torch.randn(parameter.shape, generator=generator))
    return network.eval()


@pytest.mark.parametrize("architecture", ["fpn", "unet"])
def test_before_the_first_step_the_scores_are_those_of_the_linear_model(architecture: Architecture) -> None:
    whole = randomised(Network(ModelConfig(architecture=architecture, width=32), 3, linear=True))
    alone = Network(ModelConfig(architecture="linear"), 3).eval()
    assert whole.linear is not None
    alone.head.load_state_dict(whole.linear.head.state_dict())
    image = torch.randn(2, 3, 64, 96, generator=torch.Generator().manual_seed(2))
    with torch.inference_mode():
        got, expected = whole(image).logits, alone(image).logits
    grid = (got.shape[2], got.shape[3])
    torch.testing.assert_close(got, F.interpolate(expected, grid, mode="bilinear"), atol=1e-5, rtol=1e-4)


def test_at_a_finer_grid_the_context_has_the_same_size_in_pixels() -> None:
    whole = Network(ModelConfig(), 3, linear=True).eval()
    assert whole.linear is not None
    image = torch.randn(1, 3, 320, 320, generator=torch.Generator().manual_seed(2))
    with torch.inference_mode():
        features = whole.encode(image)
        levels = whole.linear.levels(features)
    assert features[-1].shape[2] == 320 // 16
    torch.testing.assert_close(levels[-2], averaged(features[-1], 17))  # 272 pixels; 9 cells of stride 32 are 288


def test_the_mean_over_the_whole_image_can_be_given_with_a_crop() -> None:
    network = randomised(Network(ModelConfig(architecture="fpn", width=32), 3, linear=True))
    assert network.linear is not None
    image = torch.randn(2, 3, 64, 96, generator=torch.Generator().manual_seed(3))
    with torch.inference_mode():
        own = network.encode(image)[-1].mean(dim=(2, 3))
        other = own + 1
        other[1] = torch.nan  # not known
        usual, given = network(image).logits, network(image, scene=other).logits
        torch.testing.assert_close(network(image, scene=own).logits, usual)
    weight = network.state_dict()[f"linear.head.parts.{len(network.linear.head.parts) - 1}.weight"]
    torch.testing.assert_close(given[0], usual[0] + weight.sum(dim=1).view(-1, 1, 1), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(given[1], usual[1])


def test_crops_are_given_the_mean_over_their_whole_image(scenes: Path) -> None:
    data = open_dataset(scenes)
    hints = simulate(scenes, kind="scribbles")
    images = HintedImages(data, hints, ViewConfig(crop=(32, 32)), seed=0)
    bank = FeatureBank.frozen(ModelConfig(), None)
    images.scenes = {name: bank.features(images.training_image(name).rgb).whole for name in images.names[:1]}
    batch = collate([images[0, 0], images[0, 1]], torch.zeros(3), torch.ones(3))
    assert batch.scene is not None
    with torch.inference_mode():
        network = Network(ModelConfig(architecture="linear"), 2).eval()
        rgb = torch.from_numpy(images.training_image(images.names[0]).rgb).permute(2, 0, 1)[None].float() / 255
        rows, columns = (-side % 32 for side in rgb.shape[2:])
        whole = F.pad(network.normalised(rgb), (0, columns, 0, rows), mode="replicate")
        expected = network.encode(whole)[-1].mean(dim=(2, 3))[0]
    torch.testing.assert_close(batch.scene[0], expected, atol=0.02, rtol=0.02)
    assert batch.scene[1].isnan().all()


def test_a_training_starts_from_the_marks_and_its_run_predicts(scenes: Path, tmp_path: Path) -> None:
    hints = simulate(scenes, kind="scribbles")
    run = train(
        scenes, tmp_path / "run", hints=hints, method="partial", settings=[*SMALL, "train.epochs=0.25", "train.lr=1e-9"]
    )
    quick = train(
        scenes, tmp_path / "quick", hints=hints, method="quick", settings={"model.encoder": run.config.model.encoder}
    )
    weights = read_tensors(tmp_path / "run" / "weights.safetensors")
    assert {name for name in weights if name.startswith("linear.")}
    assert not weights["head.weight"].abs().max() > 1e-6
    image = next(iter((scenes / "images").iterdir()))
    first, second = run.predict(image).mask, quick.predict(image).mask
    assert len(np.unique(first)) > 1
    assert (first == second).mean() > 0.95
    again = load_run(tmp_path / "run")
    assert np.array_equal(again.predict(image).mask, first)


@pytest.mark.parametrize("kind", ["off", "tags", "one class"])
def test_without_marks_or_by_the_settings_it_starts_from_the_encoder(scenes: Path, tmp_path: Path, kind: str) -> None:
    hints = simulate(scenes, kind="tags" if kind == "tags" else "scribbles")
    if kind == "one class":
        hints = {
            name: Hints(image=name, size=hint.size, shapes=(Click("background", 3.0, 3.0),))
            for name, hint in hints.items()
        }
    settings = [*SMALL, "train.epochs=0.25", f"model.linear_start={'false' if kind == 'off' else 'true'}"]
    notes = Notes()
    train(scenes, tmp_path / "run", hints=hints, method="partial", settings=settings, reporter=notes)
    assert not {name for name in read_tensors(tmp_path / "run" / "weights.safetensors") if name.startswith("linear.")}
    assert any("starts without a linear model: the marks have only one class" in note for note in notes.notes) == (
        kind == "one class"
    )


@pytest.mark.parametrize(("method", "fitted"), [("cam", "fit"), ("sc-cam", "pixels")])
def test_with_tags_alone_it_starts_from_a_model_of_the_labels(
    scenes: Path, tmp_path: Path, method: str, fitted: str
) -> None:
    """sc-cam has fitted such a model itself; cam fits one as `quick` does."""
    own = {"sc-cam": ["method.settings.rounds=0"], "cam": []}[method]
    settings = [*SMALL, *own, "train.epochs=0.25", "train.lr=1e-9"]
    train(scenes, tmp_path / "run", hints=simulate(scenes, kind="tags"), method=method, settings=settings)
    (model,) = (tmp_path / "run" / "artifacts").glob(f"trained-{fitted}-*/weights.safetensors")
    weights, expected = read_tensors(tmp_path / "run" / "weights.safetensors"), read_tensors(model)
    heads = {name.removeprefix("linear."): value for name, value in weights.items() if name.startswith("linear.")}
    assert heads
    for name, value in heads.items():
        torch.testing.assert_close(value, expected[name], atol=1e-4, rtol=1e-4)
    for other in (tmp_path / "run" / "artifacts").glob("trained-affinity-*/weights.safetensors"):
        assert not any(name.startswith("linear.") for name in read_tensors(other))


def test_an_interrupted_fit_says_how_to_continue(scenes: Path, tmp_path: Path) -> None:
    class Impatient(Silent):
        def start(self, task: str, total: int, done: int) -> None:
            if "features" in task:
                os.kill(os.getpid(), signal.SIGINT)

    hints = simulate(scenes, kind="scribbles")
    settings = [*SMALL, "train.epochs=0.25"]
    with pytest.raises(InterruptionError, match="--resume") as stopped:
        train(scenes, tmp_path / "cut", hints=hints, method="partial", settings=settings, reporter=Impatient())
    assert stopped.value.exit_code == 130
    train(scenes, tmp_path / "cut", hints=hints, method="partial", settings=settings, resume=True)
    train(scenes, tmp_path / "whole", hints=hints, method="partial", settings=settings)
    cut, whole = (tmp_path / name / "weights.safetensors" for name in ("cut", "whole"))
    assert cut.read_bytes() == whole.read_bytes()
