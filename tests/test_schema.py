from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest

from densezoo import schema
from densezoo.errors import ConfigError


@dataclass(frozen=True)
class Inner:
    depth: int


@dataclass(frozen=True)
class Example:
    count: int
    rate: float = 0.5
    sizes: tuple[int, ...] = ()
    pair: tuple[float, float] = (0.0, 1.0)
    kind: Literal["a", "b"] = "a"
    width: int | None = 4
    inner: Inner | None = None
    facts: Mapping[str, int] = field(default_factory=dict)
    on: bool = False


def build(**values: Any) -> Example:
    return schema.build(Example, values, "file.py", ConfigError)


def test_values_of_every_kind() -> None:
    made = build(count=3, rate=1, sizes=[1, 2], pair=[1, 2], kind="b", width=None, inner={"depth": 2}, facts={"x": 1})
    assert made == Example(3, 1.0, (1, 2), (1.0, 2.0), "b", None, Inner(2), {"x": 1})
    assert isinstance(made.rate, float)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"count": 1, "kinds": "a"}, "file.py: unknown key 'kinds'; did you mean 'kind'?"),
        ({}, "file.py: the key 'count' is missing"),
        ({"count": "1"}, "file.py: count is '1'; expected a whole number"),
        ({"count": True}, "file.py: count is True; expected a whole number"),
        ({"count": 1.5}, "file.py: count is 1.5; expected a whole number"),
        ({"count": 1, "on": 1}, "file.py: on is 1; expected True or False"),
        ({"count": 1, "kind": "c"}, "file.py: kind is 'c'; expected one of 'a', 'b'"),
        ({"count": 1, "width": "w"}, "file.py: width is 'w'; expected a whole number or None"),
        ({"count": 1, "sizes": 3}, "file.py: sizes is 3; expected a list"),
        ({"count": 1, "pair": [1]}, "file.py: pair is [1]; expected a list of 2"),
        ({"count": 1, "facts": []}, "file.py: facts is []; expected a mapping"),
        ({"count": 1, "inner": {"dept": 1}}, "file.py: inner: unknown key 'dept'; did you mean 'depth'?"),
    ],
)
def test_what_is_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        build(**values)
    assert str(caught.value) == message


def test_a_mapping_is_expected() -> None:
    with pytest.raises(ConfigError, match="expected a mapping of Example fields, found 3"):
        schema.build(Example, 3, "file.py", ConfigError)
