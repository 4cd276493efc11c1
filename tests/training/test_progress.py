"""The progress of a training: what it says, and that it fits in 80 columns, in a terminal and in a pipe."""

from __future__ import annotations

import re
from collections.abc import Mapping

import pytest

from densezoo.training.events import Epoch, Step
from densezoo.training.progress import ProgressLine, duration, fitted, measured


class Run:
    """A run of steps of 32 images, on a clock of its own.

    Args:
        epochs, steps: of the run, and of an epoch.
        seconds: a step.
        done: steps that were done before this process.
    """

    def __init__(self, epochs: int, steps: int, seconds: float, done: int = 0) -> None:
        self.now, self.epochs, self.an_epoch, self.seconds, self.step = 0.0, epochs, steps, seconds, done
        self.line = ProgressLine(epochs, lambda: self.now)

    def go(self, steps: int, measures: Mapping[str, float] | None = None, loss: float = 0.5) -> None:
        """So many steps; the epochs that they end are evaluated, which takes as long as four steps."""
        for _ in range(steps):
            self.now += self.seconds
            self.step += 1
            epoch = (self.step - 1) // self.an_epoch + 1
            total = self.epochs * self.an_epoch
            self.line.on_step(Step(epoch, self.step, total, 0.1, loss, 87.5, 32, self.seconds))
            if self.step % self.an_epoch == 0:
                self.now += 4 * self.seconds
                end = Epoch(
                    epoch, self.epochs, self.step, 0.1, loss, 87.5, 1.0, measures or {"top1": 91.234, "top5": 99}
                )
                self.line.on_epoch(end)


def test_a_line_an_epoch_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    run = Run(epochs=3, steps=10, seconds=0.25)
    run.go(30)
    run.line.close()
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        "epoch 1/3  loss 0.500  top-1 87.5  test 91.23 %  128 images/s  7s left",
        "epoch 2/3  loss 0.500  top-1 87.5  test 91.23 %  128 images/s  4s left",
        "epoch 3/3  loss 0.500  top-1 87.5  test 91.23 %  128 images/s",
    ]


def test_a_long_epoch_has_a_line_a_minute(capsys: pytest.CaptureFixture[str]) -> None:
    run = Run(epochs=90, steps=5004, seconds=2.0)
    run.go(70)
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        "epoch 0.0/90  loss 0.500  top-1 87.5  16.0 images/s  10d 10h left",
        "epoch 0.0/90  loss 0.500  top-1 87.5  16.0 images/s  10d 10h left",
    ]


def test_the_time_left_of_a_resumed_run_goes_by_its_own_steps(capsys: pytest.CaptureFixture[str]) -> None:
    run = Run(epochs=3, steps=10, seconds=1.0, done=15)
    run.go(5)
    assert capsys.readouterr().err == (
        "epoch 2/3  loss 0.500  top-1 87.5  test 91.23 %  32.0 images/s  18s left\n"  # 9 s for 5 steps and evaluation
    )


def test_the_longest_line_fits_80_columns(capsys: pytest.CaptureFixture[str]) -> None:
    run = Run(epochs=300, steps=1000, seconds=32 / 12345, done=298_999)
    run.now = -40.0 * 1000 * 3600
    run.go(1, {"top1": 100.0}, loss=12345.6)
    (line,) = capsys.readouterr().err.splitlines()
    assert len(line) <= 80
    assert line.startswith("epoch 299/300")
    assert "test 100.00 %" in line
    assert (
        len(fitted(["epoch 300/300", "loss 12.345", "top-1 100.0", "test 100.00 %", "12345 images/s", "99d 23h left"]))
        <= 80
    )


def test_a_terminal_gets_a_bar_in_one_line_of_its_width(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")  # to rich, a terminal
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "80")
    run = Run(epochs=300, steps=10, seconds=0.25)
    run.go(15)
    run.line.close()
    plain = re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", capsys.readouterr().err)
    lines = re.split(r"[\r\n]+", plain)
    assert max(map(len, lines)) <= 80
    assert any(
        re.match(r"epoch 1/300  loss 0.500  top-1 87.5  test 91.23 %  128 images/s  \d+m \d+s left", line)
        for line in lines
    )
    assert any(re.match(r"epoch 1.\d/300  loss .*images/s  .* left ━+", line) for line in lines)


def test_words_for_times_and_measures() -> None:
    times = (0.4, 59.4, 59.6, 3599, 3661, 86399.6, 100 * 3600)
    assert [duration(each) for each in times] == ["0s", "59s", "1m 00s", "59m 59s", "1h 01m", "1d 00h", "4d 04h"]
    assert [measured(each) for each in ({}, {"top1": 91.0}, {"auc": 0.91234, "top1": 3.0})] == [
        "",
        "test 91.00 %",
        "test auc 0.9123",
    ]
