"""A vision transformer from training to masks and to an exported file, with random weights and in seconds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import underpaint
from underpaint.core.errors import RunError

TRAIN = {"views.crop": (32, 32), "train": {"batch": 2, "epochs": 1, "workers": 0}}
MODEL = {"model.encoder": "test_vit", "model.weights": "none", "model.width": 32}


@pytest.mark.parametrize(("method", "architecture"), [("partial", "dpt"), ("quick", None)])
def test_train_predict_and_export(
    scenes: Path, scribbles: Path, tmp_path: Path, method: str, architecture: str | None
) -> None:
    chosen = {} if architecture is None else {"model.architecture": architecture}
    run = underpaint.train(
        scenes, tmp_path / "run", hints=scribbles, method=method, settings={**TRAIN, **MODEL, **chosen}
    )
    summary = underpaint.predict(run.root, scenes, tmp_path / "masks", flip=True)
    assert (summary.written, dict(summary.skipped)) == (12, {})
    found = run.predict(np.full((50, 70, 3), 90, np.uint8), engine="torch")
    assert found.mask.shape == (50, 70)
    np.testing.assert_allclose(found.probabilities.sum(axis=0), 1, atol=1e-5)
    # Position embeddings that are resampled to the image have no ONNX form; auto predicts with torch instead.
    with pytest.raises(RunError, match="predict with engine=torch"):
        run.predict(np.zeros((50, 70, 3), np.uint8), engine="onnx")
