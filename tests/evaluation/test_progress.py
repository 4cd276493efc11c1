"""How far a run is: a bar in a terminal, a line every tenth in a file, nothing where nobody asked."""

from __future__ import annotations

import pytest

from densezoo.evaluation.progress import progress


def shown(capsys: pytest.CaptureFixture[str], number: int, *, show: bool, done: int = 0, patience: float = 0.0) -> str:
    """What stderr gets while images are done one by one."""
    with progress("evaluating", number, done, show=show, patience=patience) as advance:
        for _ in range(number - done):
            advance(1)
    out, err = capsys.readouterr()
    assert out == ""
    return err


def test_where_no_terminal_is_the_progress_is_a_line_every_tenth(capsys: pytest.CaptureFixture[str]) -> None:
    lines = shown(capsys, 40, show=True).splitlines()
    assert [line.split()[:2] for line in lines] == [["evaluating", f"{4 * tenth}/40"] for tenth in range(1, 11)]
    assert all(line.endswith("images/s") for line in lines)


def test_what_was_done_before_counts(capsys: pytest.CaptureFixture[str]) -> None:
    lines = shown(capsys, 40, show=True, done=30).splitlines()
    assert [line.split()[1] for line in lines] == ["32/40", "36/40", "40/40"]


def test_a_terminal_gets_a_bar(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")  # to rich, a terminal
    monkeypatch.setenv("COLUMNS", "120")
    bar = shown(capsys, 7, show=True)
    assert "evaluating" in bar
    assert "7/7" in bar
    assert "images/s" in bar


@pytest.mark.parametrize("terminal", [False, True])
def test_nothing_unless_it_is_asked_for_or_takes_long(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, terminal: bool
) -> None:
    if terminal:
        monkeypatch.setenv("FORCE_COLOR", "1")
    assert shown(capsys, 20, show=False) == ""
    assert shown(capsys, 20, show=True, patience=3600.0) == ""
