"""``underpaint predict`` with a manifest: what it says, and its exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

import underpaint
from underpaint.cli import app
from underpaint.core.errors import ConfigError


def predict(*words: object) -> Result:
    return CliRunner().invoke(app, ["predict", *map(str, words)])


def test_a_sound_manifest_exits_with_0_also_a_second_time(run: Path, album: Path, tmp_path: Path) -> None:
    for _ in range(2):
        done = predict(run, f"{album}/**/*.png", "-o", tmp_path / "out", "--shard-size", 4)
        assert done.exit_code == 0, done.output
        assert f"10 mask(s) of 10 image(s) in 3 shard(s) in {tmp_path / 'out'}" in done.stdout
    assert len(list(underpaint.read_shards(tmp_path / "out"))) == 10


def test_what_is_left_out_is_said_and_exits_with_1(run: Path, album: Path, tmp_path: Path) -> None:
    rows = [json.dumps({"image": f"album/{i:04d}.png"}) for i in range(3)] + ['{"image": "gone.png"}', "{"] + ["no"] * 6
    (tmp_path / "l.jsonl").write_text("\n".join(rows))
    done = predict(run, tmp_path / "l.jsonl", "-o", tmp_path / "out")
    assert done.exit_code == 1
    assert "3 mask(s) of 4 image(s)" in done.output
    assert "left out line 5: it is not valid JSON" in done.output
    assert "line 11" not in done.output
    assert "7 left out in all" in done.output
    assert "1 image(s) could not be read" in done.output


@pytest.mark.parametrize("word", ["--overlay", "--probabilities", "--cam"])
def test_words_that_shards_do_not_have_are_refused(run: Path, album: Path, tmp_path: Path, word: str) -> None:
    done = predict(run, album, "-o", tmp_path / "out", "--shard-size", 4, word)
    assert isinstance(done.exception, ConfigError)
    assert word in str(done.exception)
    assert not (tmp_path / "out").exists()
