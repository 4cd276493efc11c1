from __future__ import annotations

from pathlib import Path

import pytest

from densezoo.errors import MetafileError
from densezoo.index.yaml_files import parse_yaml
from densezoo.types import Figure


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
