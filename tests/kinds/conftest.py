"""Settings of trainings that take seconds, on images of every kind."""

from __future__ import annotations

import pytest


@pytest.fixture
def quickly() -> list[str]:
    """A tiny training: what it learns is not asked here, but that everything fits together."""
    return [
        "views.crop=[64,64]",
        "train.batch=2",
        "train.epochs=2",
        "train.workers=0",
        "model.width=32",
        "model.architecture=fpn",
    ]
