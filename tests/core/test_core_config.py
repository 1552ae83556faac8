"""Settings: strict about names, frozen, merged without side effects."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, ValidationError

from underpaint.core.config import Config, load_yaml, merge, parse_overrides
from underpaint.core.errors import ConfigError


class Inner(Config):
    rate: float = Field(default=0.1, gt=0)
    crop: tuple[int, int] = (8, 8)


class Outer(Config):
    inner: Inner = Inner()
    seed: int = 0


def refusal(settings: dict[str, Any]) -> str:
    with pytest.raises(ConfigError) as raised:
        Outer.parse(settings, "recipe.yaml")
    return str(raised.value)


def test_defaults_and_nested_settings() -> None:
    assert Outer.parse({}) == Outer()
    parsed = Outer.parse({"inner": {"rate": 2, "crop": [3, 4]}})
    assert (parsed.inner.rate, parsed.inner.crop, parsed.seed) == (2.0, (3, 4), 0)


@pytest.mark.parametrize("settings", [{"seed": True}, {"inner": {"rate": False}}, {"inner": {"crop": [True, 8]}}])
def test_yes_and_no_are_no_numbers(settings: dict[str, Any]) -> None:
    """YAML reads ``yes`` as true, and pydantic would take this as 1."""
    assert "must not be true or false" in refusal(settings)


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("seed=", "(got nothing)"),
        ("seed=2024-01-01", "(got 2024-01-01)"),
        ("inner.crop=[1, no]", "must not be true or false"),
    ],
)
def test_values_are_shown_in_the_words_of_the_recipe(setting: str, said: str) -> None:
    assert said in refusal(parse_overrides([setting]))


def test_unknown_names_are_refused_with_the_nearest() -> None:
    text = refusal({"seeed": 1, "inner": {"rat": 1}})
    assert "2 setting(s) not accepted" in text
    assert "recipe.yaml" in text
    assert "seeed: there is no such setting; did you mean 'seed'?" in text
    assert "inner.rat: there is no such setting; did you mean 'rate'?" in text


def test_a_name_near_nothing_lists_the_known_ones_of_its_group() -> None:
    assert "inner.zzz: there is no such setting; known: crop, rate" in refusal({"inner": {"zzz": 1}})
    assert "zzz: there is no such setting; known: inner, seed" in refusal({"zzz": 1})


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"inner": {"rate": -3}}, "inner.rate: must be more than 0 (got -3)"),
        ({"seed": 10**400}, "seed is 1000"),
        ({"inner": {"rate": 1e300}}, "rate is 1e+300, accepted are numbers up to 1e+09"),
        ({"seed": "seven"}, "seed: must be a whole number (got 'seven')"),
        ({"inner": {"rate": float("nan")}}, "inner.rate"),
        ({"inner": {"rate": float("inf")}}, "inner.rate"),
        ({"inner": {"crop": [1, "x"]}}, "inner.crop.1"),
        ({"inner": 3}, "inner"),
    ],
)
def test_a_refused_value_is_shown(settings: dict[str, Any], said: str) -> None:
    assert said in refusal(settings)


def test_settings_are_frozen() -> None:
    with pytest.raises(ValidationError):
        Outer().seed = 3


def test_recipes(tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text("seed: 3\ninner: {rate: 0.5}\n")
    assert load_yaml(path) == {"seed": 3, "inner": {"rate": 0.5}}
    path.write_text("# nothing but a remark\n")
    assert load_yaml(path) == {}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"- a\n- b\n", "not a mapping"),
        (b"a: [1\n", "not valid YAML"),
        (b"a: \xff", "not UTF-8"),
        (b"7", "not a mapping"),
    ],
)
def test_refused_recipes(tmp_path: Path, text: bytes, said: str) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_bytes(text)
    with pytest.raises(ConfigError, match=said):
        load_yaml(path)


def test_a_recipe_builds_no_python_objects(tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text("a: !!python/object/apply:os.getcwd []\n")
    with pytest.raises(ConfigError, match="not valid YAML"):
        load_yaml(path)


def test_missing_recipe(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"missing\n.*none\.yaml"):
        load_yaml(tmp_path / "none.yaml")


@pytest.mark.parametrize(
    ("assignments", "settings"),
    [
        ([], {}),
        (["seed=1"], {"seed": 1}),
        (["inner.rate=0.5", "inner.crop=[1, 2]", "seed=2"], {"inner": {"rate": 0.5, "crop": [1, 2]}, "seed": 2}),
        (["name=a=b"], {"name": "a=b"}),
        (["flip=false", "weights="], {"flip": False, "weights": None}),
        (["seed=1", "seed=2"], {"seed": 2}),
    ],
)
def test_overrides(assignments: list[str], settings: dict[str, Any]) -> None:
    assert parse_overrides(assignments) == settings


def test_an_override_in_scientific_notation_is_a_number() -> None:
    """YAML 1.1 reads '1e-3' as text; the setting's type makes it a number."""
    assert Outer.parse(parse_overrides(["inner.rate=1e-3"])).inner.rate == 0.001


@pytest.mark.parametrize("assignment", ["seed", "=3", " =3", "seed=[1"])
def test_refused_overrides(assignment: str) -> None:
    with pytest.raises(ConfigError, match="--set"):
        parse_overrides([assignment])


values = st.recursive(
    st.integers(), lambda inner: st.dictionaries(st.sampled_from("abc"), inner, max_size=3), max_leaves=6
)
trees = st.dictionaries(st.sampled_from("abc"), values, max_size=3)


def leaves(tree: dict[str, Any], path: tuple[str, ...] = ()) -> dict[tuple[str, ...], Any]:
    found: dict[tuple[str, ...], Any] = {}
    for key, value in tree.items():
        found |= leaves(value, (*path, key)) if isinstance(value, dict) and value else {(*path, key): value}
    return found


def collide(one: object, other: object) -> bool:
    """Whether a name stands for a value in one and for a group in the other."""
    if isinstance(one, dict) and isinstance(other, dict):
        return any(collide(one[name], other[name]) for name in one.keys() & other.keys())
    return isinstance(one, dict) != isinstance(other, dict) and None not in (one, other)


def test_a_value_in_the_place_of_a_group_is_not_lost() -> None:
    with pytest.raises(ConfigError, match="method is a group of settings, but is given the value 1"):
        merge({"method": 1}, {"method": {"name": "partial"}})
    with pytest.raises(ConfigError, match="train is a group"):
        parse_overrides(["train.epochs=3", "train=2"])
    assert merge({"train": None}, {"train": {"epochs": 3}}) == {"train": {"epochs": 3}}


@given(trees, trees)
def test_merge_keeps_what_is_above_and_what_it_does_not_touch(base: dict[str, Any], over: dict[str, Any]) -> None:
    before = deepcopy((base, over))
    if collide(base, over):
        with pytest.raises(ConfigError, match="is a group of settings, but"):
            merge(base, over)
        return
    merged = leaves(merge(base, over))
    assert (base, over) == before
    above = {path: value for path, value in leaves(over).items() if value != {}}
    assert above.items() <= merged.items()
    prefixes = {path[:i] for path in leaves(over) for i in range(1, len(path) + 1)}
    untouched = {
        path: value
        for path, value in leaves(base).items()
        if not any(path[:i] in prefixes and path[:i] in above for i in range(1, len(path) + 1)) and path not in prefixes
    }
    assert untouched.items() <= merged.items()


ODD: tuple[Any, ...] = (None, "x", -7, 1e308, [], [[1]], {}, {"a": 1}, True, b"x", [1, 2, 3], "", 10**18)


def test_no_setting_is_refused_in_the_words_of_a_library() -> None:
    """Every field of every group of settings and every method, with values of every type."""
    from underpaint.methods.registry import OURS, method_class
    from underpaint.predict.config import PredictConfig
    from underpaint.training.config import MethodConfig, RunConfig, TrainConfig

    groups: list[type[Config]] = [RunConfig, TrainConfig, MethodConfig, PredictConfig]
    groups += [method_class(name).Settings for name in OURS]
    groups += [
        type(RunConfig.parse({"method": {"name": "partial"}}).model),
        type(RunConfig.model_fields["views"].default),
    ]
    refused = set()
    for group in groups:
        for name in group.model_fields:
            for value in ODD:
                try:
                    group.parse({"method": {"name": "partial"}, name: value} if group is RunConfig else {name: value})
                except ConfigError as error:
                    refused.add(str(error))
    assert len(refused) > 300
    words = ("Input", "Value error", "pydantic", "validation", "valid ", "should be", "unable to")
    assert [text for text in refused if any(word in text for word in words)] == []
