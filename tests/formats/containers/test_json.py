"""JSON within bounds of time and memory."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from densezoo.errors import FormatError
from densezoo.formats.containers.json import BYTES_PER_VALUE, MAX_VALUES, parse_json
from densezoo.formats.limits import MAX_JSON

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(values, st.booleans())
def test_texts_and_bytes_say_the_same(value: object, encoded: bool) -> None:
    text = json.dumps(value, ensure_ascii=False)
    assert parse_json(text.encode() if encoded else text, "a file") == value


def test_values_are_counted_before_they_are_made() -> None:
    most = "[" + ",".join(["0"] * (MAX_VALUES - 1)) + "]"  # the commas and the bracket
    assert len(parse_json(most, "m")) == MAX_VALUES - 1
    message = rf"m\.json, its graph: {len(most) + 4:,} bytes of JSON with {MAX_VALUES + 1:,} values; expected at most"
    with pytest.raises(FormatError, match=message):
        parse_json(most.replace("]", ",0,0]"), "m.json, its graph")


def test_a_large_file_may_have_a_longer_description() -> None:
    text = "[" + ",".join(["0"] * (MAX_VALUES + 10)) + "]"
    assert parse_json(text, "m", size=10 * BYTES_PER_VALUE)
    with pytest.raises(FormatError, match=f"and {MAX_VALUES + 9:,} values in a checkpoint"):
        parse_json(text, "m", size=10 * BYTES_PER_VALUE - 1)


def test_bytes_are_counted_in_utf_8() -> None:
    with pytest.raises(FormatError, match=f"{MAX_JSON + 2:,} bytes of JSON"):
        parse_json('"' + "é" * (MAX_JSON // 2) + '"', "m")
