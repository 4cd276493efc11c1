"""How a terminal's table writes a field; that JSON and CSV have every field whole: test_select.py."""

from __future__ import annotations

import re

import pytest

from densezoo.index.listing import DEFAULT_COLUMNS, DROPPABLE, _text, print_table
from densezoo.index.load import load_index
from densezoo.types import Accuracy


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


ACCURACIES = [Accuracy(spec, spec.headline) for spec in load_index().values() if spec.name.endswith(".tv_in1k")]


@pytest.mark.parametrize(
    ("width", "dropped"),
    [(200, []), (66, ["top5"]), (58, ["top5", "params"])],
)
def test_what_a_terminal_is_too_narrow_for_is_left_out_before_a_line_is_folded(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, width: int, dropped: list[str]
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", str(width))
    print_table(ACCURACIES, DEFAULT_COLUMNS, DROPPABLE)
    lines = re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out).splitlines()
    assert lines[0].split() == [name for name in DEFAULT_COLUMNS if name not in dropped]
    note = f"without {', '.join(dropped)}, for a terminal of {width} columns: --columns" if dropped else ""
    assert " ".join(line.strip() for line in lines[1 + len(ACCURACIES) :]) == note
    assert max(map(len, lines)) <= width


def test_a_pipe_gets_every_column(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    print_table(ACCURACIES, DEFAULT_COLUMNS, DROPPABLE)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == list(DEFAULT_COLUMNS)
    assert len(lines) == 1 + len(ACCURACIES)
