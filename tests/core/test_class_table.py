"""The class table and its file."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from underpaint.core.classes import MAX_CLASSES, ClassTable, palette, read_classes
from underpaint.core.errors import DataError, HintError, UnderpaintError, nearest


def written(tmp_path: Path, text: str | bytes) -> Path:
    path = tmp_path / "classes.txt"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def test_names_and_numbers() -> None:
    table = ClassTable.of(["sky", "background", "tree"])
    assert len(table) == 3
    assert [table.index(name) for name in table.names] == [0, 1, 2]
    assert table.indices(["tree", "sky", "tree"]) == [2, 0, 2]


@pytest.mark.parametrize(
    ("names", "index", "foreground"), [("abc", None, (0, 1, 2)), ("ab_", 2, (0, 1)), ("_a", 0, (1,))]
)
def test_background_may_be_anywhere_or_nowhere(names: str, index: int | None, foreground: tuple[int, ...]) -> None:
    table = ClassTable.of(names, background="_")
    assert (table.background, table.foreground) == (index, foreground)
    black = [i for i, colour in enumerate(table.colours) if colour == (0, 0, 0)]
    assert black == ([] if index is None else [index])


@pytest.mark.parametrize(
    ("names", "background", "said"),
    [
        ((), None, "no class"),
        (tuple(f"c{i}" for i in range(256)), None, "256 classes"),
        (("cat", "dog", "cat"), None, "repeated: cat"),
        (("cat", "", "dog"), None, "class 1 has no name"),
        (("cat", "dog"), 2, r"background index 2 .*\n.*0\.\.1"),
        (("cat", "dog"), -1, "background index -1"),
    ],
)
def test_refused_tables(names: tuple[str, ...], background: int | None, said: str) -> None:
    with pytest.raises(DataError, match=said):
        ClassTable(names, palette(len(names)), background)


def test_a_network_needs_two_classes() -> None:
    table = ClassTable.of(["cat", "dog"])
    assert table.for_training() is table
    with pytest.raises(DataError, match=r"1 class: cat\n.*here\n.*2 to 255(.|\n)*below it"):
        ClassTable.of(["cat"]).for_training("here")


def test_a_colour_for_every_class() -> None:
    with pytest.raises(DataError, match=r"2 classes and 1 colour"):
        ClassTable(("cat", "dog"), ((1, 2, 3),))


def test_unknown_class_names_the_nearest_and_the_place() -> None:
    table = ClassTable.of(["background", "motorbike", "sofa"])
    with pytest.raises(HintError) as raised:
        table.index("motorbik", where="x.jsonl:7")
    text = str(raised.value)
    for part in ("unknown class 'motorbik'", "x.jsonl:7", "background, motorbike, sofa", "did you mean 'motorbike'?"):
        assert part in text


def test_nearest_is_silent_when_nothing_is_near() -> None:
    assert nearest("zzz", ["cat", "dog"]) == ""
    assert nearest("dgo", iter(["cat", "dog"])) == "did you mean 'dog'?"


@pytest.mark.parametrize("count", [2, 21, 59, MAX_CLASSES])
def test_palette_tells_classes_apart(count: int) -> None:
    """Read by colour, a mask needs every class's own; void's colour is nobody's."""
    colours = palette(count, background=1)
    assert len(colours) == count
    assert len(set(colours)) == count
    assert (224, 224, 192) not in colours
    assert all(0 <= channel <= 255 for colour in colours for channel in colour)


def test_flat_palette_is_pillows() -> None:
    flat = ClassTable(("cat", "dog"), ((1, 2, 3), (4, 5, 6))).flat_palette()
    assert len(flat) == 768
    assert flat[:9] == [1, 2, 3, 4, 5, 6, 0, 0, 0]
    assert flat[765:] == [224, 224, 192]
    assert flat[6:765] == [0] * 759


def test_read_names_with_and_without_colours(tmp_path: Path) -> None:
    table = read_classes(
        written(tmp_path, "\ufeffsky 10 20 30\r\ntraffic light, 1, 2, 3\r\nbackground\r\nrgb 7\r\n\r\n")
    )
    assert table.names == ("sky", "traffic light", "background", "rgb 7")
    assert table.background == 2
    assert table.colours[:3] == ((10, 20, 30), (1, 2, 3), (0, 0, 0))
    assert table.colours[3] == palette(4, 2)[3]


names = st.lists(
    st.from_regex(re.compile(r"[a-z]([a-z ]{0,6}[a-z])?", re.ASCII), fullmatch=True),
    min_size=2,
    max_size=9,
    unique=True,
)


@settings(max_examples=30)
@given(names, st.data())
def test_written_lists_are_read_back(
    tmp_path_factory: pytest.TempPathFactory, names: list[str], data: st.DataObject
) -> None:
    channel = st.integers(0, 255)
    colours = data.draw(st.lists(st.tuples(channel, channel, channel), min_size=len(names), max_size=len(names)))
    lines = [f"{name} {r} {g} {b}" for name, (r, g, b) in zip(names, colours, strict=True)]
    table = read_classes(written(tmp_path_factory.mktemp("classes"), "\n".join(lines)))
    assert (table.names, table.colours) == (tuple(names), tuple(colours))
    assert table.background == (names.index("background") if "background" in names else None)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no class"),
        ("cat\n\ndog\n", "class 1 has no name"),
        ("cat\ndog 1 2 256\n", r"colour \(1, 2, 256\)"),
        (b"cat\n\xff\xfe\n", "not UTF-8"),
        ("cat\ncat\n", "repeated"),
    ],
)
def test_refused_lists(tmp_path: Path, text: str | bytes, said: str) -> None:
    with pytest.raises(DataError, match=said):
        read_classes(written(tmp_path, text))


def test_missing_list_says_what_to_write(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"missing\n.*classes\.txt\n.*one class name per line"):
        read_classes(tmp_path / "classes.txt")
    (tmp_path / "classes.txt").mkdir()
    with pytest.raises(DataError, match="cannot be read"):
        read_classes(tmp_path / "classes.txt")


def test_an_error_says_only_what_is_known() -> None:
    assert str(UnderpaintError("broken")) == "broken"
    full = UnderpaintError("broken", where="here", accepted="whole", fix="mend it")
    assert str(full) == "broken\n  where: here\n  accepted: whole\n  fix: mend it"
    assert full.what == "broken"
