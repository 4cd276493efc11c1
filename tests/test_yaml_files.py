from __future__ import annotations

from pathlib import Path

import pytest

from densezoo.errors import MetafileError
from densezoo.types import Figure
from densezoo.yaml_files import parse_yaml


def test_published_digits_are_kept_and_other_floats_are_plain() -> None:
    value = parse_yaml(b"[75.00, 1.0e-4, .5, -1.50, 3]", Path("a.yml"))
    assert value == [75.0, 1e-4, 0.5, -1.5, 3]
    assert isinstance(value, list)
    assert [type(item) for item in value] == [Figure, float, float, float, int]
    assert str(value[0]) == "75.00"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a: [", "a.yml: not YAML: (?s:.*)line 2"),
        (b"a: 1\na: 2", "a.yml: not YAML: the key 'a' twice"),
        (b"a: \xff", "a.yml: not YAML: .*utf-8"),
        (b"!!python/name:os.system", "a.yml: not YAML: could not determine a constructor"),
    ],
)
def test_what_is_no_yaml(content: bytes, message: str) -> None:
    with pytest.raises(MetafileError, match=message):
        parse_yaml(content, Path("a.yml"))


@pytest.mark.parametrize("opening", ["[", "{a: ", "- "])
def test_thousands_of_values_in_each_other_are_refused(opening: str) -> None:
    with pytest.raises(MetafileError, match="expected at most 32 values in each other, found more"):
        parse_yaml((opening * 100_000).encode(), Path("m.yml"))


def test_an_alias_by_which_a_few_lines_become_gigabytes_is_refused() -> None:
    lines = ["a0: &a0 [1, 2]", *(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 20))]
    with pytest.raises(MetafileError, match=r"expected no alias inside of &a1, found \*a0"):
        parse_yaml("\n".join(lines).encode(), Path("m.yml"))
