"""A JSON object read member by member, against the parser of the standard library."""

from __future__ import annotations

import gc
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from underpaint.core.errors import FormatError
from underpaint.core.json_text import collector_paused, members, parse_json

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(["a", "items", 'b"]']), values), st.sampled_from([None, 0, 2]))
def test_as_the_whole(record: dict[str, Any], indent: int | None) -> None:
    seen: dict[str, Any] = {"items": []} if isinstance(record.get("items"), list) else {}
    for key, value in members(f" {json.dumps(record, indent=indent)}\n", "items", "here"):
        if key == "items" and isinstance(record["items"], list):
            seen["items"].append(value)
        else:
            seen[key] = value
    assert seen == record


@given(st.text(alphabet='{}[]",: 1a\n', max_size=12))
def test_refused_as_the_whole(text: str) -> None:
    try:
        whole = parse_json(text, "here")
    except FormatError:
        whole = None
    if isinstance(whole, dict):
        list(members(text, "a", "here"))
        return
    with pytest.raises(FormatError):
        list(members(text, "a", "here"))


@pytest.mark.parametrize(
    "text", ['{"a": 1, "a": 2}', '{"a": [1, 2,]}', '{"a": [1 2]}', '{"a": 1,}', '{"a": NaN}', '{"a": [{}']
)
def test_bad_objects(text: str) -> None:
    with pytest.raises(FormatError, match="not valid JSON"):
        list(members(text, "a", "here"))


def test_a_number_of_thousands_of_digits_is_refused_in_our_words() -> None:
    text = '{"a": [' + 5000 * "1" + "]}"
    for read in (lambda: parse_json(text, "here"), lambda: list(members(text, "a", "here"))):
        with pytest.raises(FormatError, match="a number has more than 4300 digits") as raised:
            read()
        assert "set_int_max" not in str(raised.value)


def test_the_collector_goes_on_afterwards() -> None:
    def fails() -> None:
        with collector_paused():
            assert not gc.isenabled()
            raise KeyError

    with pytest.raises(KeyError):
        fails()
    assert gc.isenabled()
