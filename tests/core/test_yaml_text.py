"""YAML from outside: what it may hold, and that hostile texts end at once with a message of our own."""

from __future__ import annotations

import datetime
import time
from pathlib import Path

import pytest

from underpaint.core.config import load_yaml, parse_overrides
from underpaint.core.errors import ConfigError
from underpaint.core.yaml_text import YamlTextError, parse_yaml

BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{chr(98 + i)}: &{chr(98 + i)} [{','.join([f'*{chr(97 + i)}'] * 9)}]\n" for i in range(8)
)

HOSTILE = {
    "references that unfold": (BOMB, "reference"),
    "a reference to itself": ("a: &a {b: *a}", "reference"),
    "merged references": ("a: &a {x: 1}\nb: {<<: [*a, *a]}", "reference"),
    "brackets": ("[" * 20_000 + "]" * 20_000, "more than 32"),
    "braces": ("a: " + "{a: " * 5_000 + "1" + "}" * 5_000, "more than 32"),
    "a day that is none": ("a: 2001-99-99", "line 1, column 4: '2001-99-99'"),
    "digits that Python refuses": ("a: " + "9" * 5_000, "between quotes"),
    "digits that Python reads": ("a: " + "9" * 4_000, "more than 19 digits"),
    "sexagesimal": ("a: " + ":".join(["1"] * 5_000), "more than 19 digits"),
    "an object": ("a: !!python/object/apply:os.system ['true']", "line 1, column 4"),
    "a name of Python": ("a: !!python/name:os.system", "line 1, column 4"),
    "an empty number": ('a: !!int ""', "line 1, column 4"),
    "a truth that is none": ("a: !!bool perhaps", "line 1, column 4"),
    "a time that is none": ("a: !!timestamp noon", "line 1, column 4"),
    "a list as a key": ("{[1, 2]: 3}", "line 1"),
    "cut": ("a: [1", "line 1"),
    "a zero byte": ("a: \0", "a character that YAML does not allow"),
}


@pytest.mark.parametrize(("text", "said"), HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("way", ["text", "recipe", "override"])
def test_hostile_yaml_ends_at_once_with_its_place(tmp_path: Path, text: str, said: str, way: str) -> None:
    began = time.process_time()
    if way == "text":
        with pytest.raises(YamlTextError) as refused:
            parse_yaml(text)
        assert said in str(refused.value)
    else:
        recipe = tmp_path / "recipe.yaml"
        recipe.write_text(text)
        with pytest.raises(ConfigError) as caught:
            load_yaml(recipe) if way == "recipe" else parse_overrides([f"a={text}"])
        assert said in str(caught.value)
        assert (str(recipe) if way == "recipe" else "--set a") in str(caught.value)
    assert time.process_time() - began < 2


def test_plain_values_are_read_as_they_were() -> None:
    text = "a: 1\nb: [1.5, yes, null, x]\nc: {d: 2001-02-03}\ne: 9223372036854775807\n"
    day = datetime.date(2001, 2, 3)
    assert parse_yaml(text) == {"a": 1, "b": [1.5, True, None, "x"], "c": {"d": day}, "e": 2**63 - 1}
    assert parse_yaml("[" * 32 + "]" * 32) is not None


@pytest.mark.parametrize("word", ["a." * 40 + "b=1", f"a=[{'1,' * 40_000}1]"])
def test_overrides_are_bounded(word: str) -> None:
    with pytest.raises(ConfigError, match="accepted: 32 names, 65536 characters"):
        parse_overrides([word])
