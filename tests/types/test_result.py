"""A result and its conditions: what they are called, and that they are the same when they are read back."""

from __future__ import annotations

import dataclasses
import json

import pytest
from examples import example_facts, example_result
from hypothesis import given
from hypothesis import strategies as st

from densezoo import schema
from densezoo.errors import ResultError
from densezoo.types import Conditions, Coverage, EvalResult

TEXTS = st.text(max_size=8)
WHOLE = st.integers(0, 10**9)


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, "timm"),
        ({"subset": "fog/3"}, "timm+fog/3"),
        ({"tta": "flip", "precision": "int8"}, "timm+flip+int8"),
        (
            {"subset": "fog/3", "tta": "flip", "backend": "openvino", "precision": "int8"},
            "timm+fog/3+flip+openvino+int8",
        ),
        ({"backend": "eager", "precision": "float32"}, "timm"),  # the usual ones
        ({"backend": "native"}, "timm"),  # exact, so it measures the same
        ({"backend": "native", "precision": "bf16"}, "timm+native+bf16"),
    ],
)
def test_conditions_are_called_by_what_is_unusual(changed: dict[str, str], expected: str) -> None:
    assert str(Conditions("imagenet1k", "timm", **changed)) == expected
    assert example_facts(protocol="timm", **changed).protocol_label == expected


def test_a_result_s_conditions_are_its_own_fields() -> None:
    changed = {field.name: f"my {field.name}" for field in dataclasses.fields(Conditions)}
    assert example_result(**changed).conditions == Conditions(**changed)


def read_back(result: EvalResult) -> EvalResult:
    return schema.build(EvalResult, json.loads(json.dumps(dataclasses.asdict(result))), "r.json", ResultError)


@given(
    top1=st.floats(0, 100),
    interval95=st.tuples(st.floats(0, 100), st.floats(0, 100)),
    coverage=st.none() | st.builds(Coverage, WHOLE, WHOLE, st.lists(TEXTS, max_size=3).map(tuple), WHOLE),
    versions=st.dictionaries(TEXTS, TEXTS, max_size=3),
    weights_known_by=st.sampled_from([None, "published-hash", "first-use-hash", "user"]),
    loss=st.none() | st.floats(0, 1e6),
    commit=st.none() | TEXTS,
)
def test_written_as_json_and_read_back_it_is_the_same(**values: object) -> None:
    result = example_result(**values)
    assert read_back(result) == result


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"top_1": 74.4}, r"r.json: unknown key 'top_1'; did you mean 'top1'\?"),
        ({"coverage": {"expected": 1, "scored": 1}}, "r.json: coverage: the key 'unreadable' is missing"),
        (
            {"weights_known_by": "me"},
            "weights_known_by is 'me'; expected one of 'published-hash', 'first-use-hash', 'user'",
        ),
        ({"correct1": 1.5}, "correct1 is 1.5; expected a whole number"),
        ({"interval95": [1.0]}, "interval95 is .*; expected a list of 2"),
    ],
)
def test_what_is_no_result_is_refused(change: dict[str, object], message: str) -> None:
    values = {**json.loads(json.dumps(dataclasses.asdict(example_result()))), **change}
    with pytest.raises(ResultError, match=message):
        schema.build(EvalResult, values, "r.json", ResultError)
