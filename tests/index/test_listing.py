"""How a terminal's table writes a field; that JSON and CSV have every field whole: test_select.py."""

from __future__ import annotations

import pytest

from densezoo.index.listing import _text


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("params", 7_978_856, "7.98 M"),
        ("params", 32_318, "0.03 M"),
        ("params", 10_000, "0.01 M"),
        ("params", 9_999, "0.01 M"),
        ("params", 949, "0.0009 M"),  # never 0.00
        ("flops", 2_834_161_664, "2.83 G"),
        ("flops", 858_956, "0.0009 G"),
        ("top1", 75.6, "75.60"),
        ("top1", 100.0, "100.00"),
        ("epochs", 90, "90"),
        ("name", "densenet121", "densenet121"),
        ("params", None, ""),
        ("top1", None, ""),
    ],
)
def test_a_cell(field: str, value: str | float | None, expected: str) -> None:
    assert _text(field, value) == expected
