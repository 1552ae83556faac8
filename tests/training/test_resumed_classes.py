"""A run goes on with the class table that its network has learned the numbers of, or not at all."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from underpaint import plan
from underpaint.core.errors import RunError
from underpaint.training.run_folder import RunFolder

SAME = "the same names in another order"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda lines: [lines[0], *lines[:0:-1]], SAME),
        (lambda lines: [*lines[1:], lines[0]], SAME),
        (lambda lines: [*lines, "owl"], "ring, owl"),
    ],
)
def test_another_class_table_is_refused(
    scenes: Path, scribbles: Path, small: list[str], tmp_path: Path, change: object, said: str
) -> None:
    assert callable(change)
    data = tmp_path / "data"
    shutil.copytree(scenes, data)
    planned = plan(data, hints=[scribbles], method="partial", settings=small)
    RunFolder.create(tmp_path / "run", planned.config, planned.data.classes, planned.source)
    lines = (data / "classes.txt").read_text().splitlines()
    (data / "classes.txt").write_text("\n".join(change(lines)))
    with pytest.raises(RunError, match=r"classes, whose numbers the network has learned") as caught:
        plan(data, hints=[scribbles], method="partial", settings=small).train(tmp_path / "run", resume=True)
    assert said in str(caught.value)
    assert "background, pebble, starfish, weed, shell, ring (background: background) -> " in str(caught.value)
