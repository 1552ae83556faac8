"""Folders of results: what a command did not write itself is never replaced."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from underpaint.core.errors import DataError
from underpaint.core.outputs import RECORD, Output, write_new


def opened(root: Path, **arguments: object) -> Output:
    return Output.open(root, holds="masks", by="a test", **arguments)  # type: ignore[arg-type]  # only apart is given


def contents(root: Path) -> dict[str, bytes]:
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and path.name != RECORD
    }


def test_a_folder_is_made_and_goes_on_with_its_own_files(tmp_path: Path) -> None:
    for content in (b"first", b"second"):
        output = opened(tmp_path / "new" / "out")
        output.write(output.root / "a" / "b.png", content)
        assert contents(output.root) == {"a/b.png": content}


@pytest.mark.parametrize("name", ["a.png", "notes.txt", "deep/er/a.npz", "summary.csv"])
def test_a_file_that_nobody_recorded_is_a_persons(tmp_path: Path, name: str) -> None:
    opened(tmp_path).write(tmp_path / "own.png", b"own")
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_bytes(b"drawn by hand")
    with pytest.raises(DataError, match=rf"holds 1 file\(s\) that this command did not write.*: {name}"):
        opened(tmp_path)
    assert contents(tmp_path) == {"own.png": b"own", name: b"drawn by hand"}


def test_a_folder_without_a_record_is_left_as_it_is(tmp_path: Path) -> None:
    for number in range(7):
        (tmp_path / f"{number}.png").write_bytes(b"drawn")
    with pytest.raises(DataError, match=r"7 file\(s\).*: 0.png, 1.png, 2.png, 3.png, 4.png and 2 more"):
        opened(tmp_path)
    assert not (tmp_path / RECORD).exists()


def test_a_result_that_a_person_corrected_is_theirs(tmp_path: Path) -> None:
    output = opened(tmp_path)
    output.write(tmp_path / "a.png", b"predicted")
    (tmp_path / "a.png").write_bytes(b"corrected")
    with pytest.raises(DataError, match=r"changed since: a\.png"):
        opened(tmp_path)
    with pytest.raises(DataError, match=r"changed since: a\.png"):  # while the command runs, too
        output.write(tmp_path / "a.png", b"again")
    assert (tmp_path / "a.png").read_bytes() == b"corrected"


def test_a_kill_between_record_and_file_leaves_nothing_unclaimed(tmp_path: Path) -> None:
    opened(tmp_path).write(tmp_path / "a.png", b"old")
    with (tmp_path / RECORD).open("a") as record:
        record.write(json.dumps({"file": "a.png", "digest": "of what was never written", "by": "a test"}) + "\n")
        record.write('{"file": "b.png", "dig')  # cut short
    output = opened(tmp_path)
    output.write(tmp_path / "a.png", b"new")
    output.write(tmp_path / "b.png", b"new")
    opened(tmp_path)
    assert contents(tmp_path) == {"a.png": b"new", "b.png": b"new"}


def test_the_record_says_what_wrote_each_file(tmp_path: Path) -> None:
    opened(tmp_path).write(tmp_path / "a.png", b"x")
    head, line = map(json.loads, (tmp_path / RECORD).read_text().splitlines())
    assert head == {"underpaint": "output", "holds": "masks"}
    assert (line["file"], line["by"]) == ("a.png", "a test")


def test_results_of_another_kind_are_not_mixed_in(tmp_path: Path) -> None:
    opened(tmp_path).write(tmp_path / "a.png", b"x")
    with pytest.raises(DataError, match="holds masks, and would get pictures"):
        Output.open(tmp_path, holds="pictures", by="a test")


def test_folders_that_others_look_after_are_passed_over_where_there_is_a_record(tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "x").write_bytes(b"of a person")
    with pytest.raises(DataError, match=r"runs/x"):
        opened(tmp_path, apart=["runs"])
    (tmp_path / "runs" / "x").unlink()
    opened(tmp_path, apart=["runs"])
    (tmp_path / "runs" / "x").write_bytes(b"of a training")
    opened(tmp_path, apart=["runs"])


def test_links_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "a.png").write_bytes(b"drawn")
    out = tmp_path / "out"
    opened(out)
    (out / "way").symlink_to(tmp_path / "mine")
    with pytest.raises(DataError, match="way"):
        opened(out)
    (out / "way").unlink()
    output = opened(out)
    (out / "a.png").symlink_to(tmp_path / "mine" / "a.png")
    with pytest.raises(DataError, match=r"a\.png"):
        output.write(out / "a.png", b"x")
    (out / RECORD).unlink()
    (out / RECORD).symlink_to(tmp_path / "mine" / "a.png")
    (out / "a.png").unlink()
    with pytest.raises(DataError, match="link"):
        opened(out)
    assert contents(tmp_path / "mine") == {"a.png": b"drawn"}


def test_a_folder_that_is_removed_meanwhile_is_not_made_again(tmp_path: Path) -> None:
    output = opened(tmp_path / "out")
    (tmp_path / "out").rename(tmp_path / "elsewhere")
    with pytest.raises(DataError, match="removed or renamed while it was written"):
        output.write(tmp_path / "out" / "a.png", b"x")
    assert not (tmp_path / "out").exists()


def test_a_new_file_replaces_nothing(tmp_path: Path) -> None:
    write_new(tmp_path / "hints.jsonl", b"simulated")
    write_new(tmp_path / "hints.jsonl", b"simulated")  # the same command again
    with pytest.raises(DataError, match="another file or folder with this name"):
        write_new(tmp_path / "hints.jsonl", b"other")
    assert (tmp_path / "hints.jsonl").read_bytes() == b"simulated"
    (tmp_path / "gone").symlink_to(tmp_path / "nowhere")
    with pytest.raises(DataError, match="another file or folder"):
        write_new(tmp_path / "gone", b"x")


def test_two_processes_may_write_into_one_folder(tmp_path: Path) -> None:
    first, second = (Output.open(tmp_path, holds="masks", by="a test") for _ in range(2))
    first.write(tmp_path / "a.png", b"one")
    second.write(tmp_path / "a.png", b"two")
    first.write(tmp_path / "a.png", b"three")
    (tmp_path / "a.png").write_bytes(b"mine")
    with pytest.raises(DataError, match=r"a\.png"):
        first.write(tmp_path / "a.png", b"four")


def test_a_file_is_known_by_what_it_was_made_from(tmp_path: Path) -> None:
    output = Output.open(tmp_path, holds="masks", by="a test")
    output.write(tmp_path / "a.png", b"one", made_from="x")
    output.write(tmp_path / "b.png", b"one")
    again = Output.open(tmp_path, holds="masks", by="a test")
    for one in (output, again):
        assert one.made(tmp_path / "a.png", "x")
        assert not one.made(tmp_path / "a.png", "y")
        assert not one.made(tmp_path / "b.png", "")
    again.write(tmp_path / "a.png", b"two", made_from="y")
    assert not again.made(tmp_path / "a.png", "x")
    again.write(tmp_path / "a.png", b"two", made_from="z")
    assert again.made(tmp_path / "a.png", "y")
    assert again.made(tmp_path / "a.png", "z")
    (tmp_path / "a.png").unlink()
    assert not again.made(tmp_path / "a.png", "z")
