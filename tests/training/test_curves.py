"""The picture of a run: what it draws of the log, and that it is harmless where matplotlib is missing."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from PIL import Image

from densezoo.errors import MissingDependencyError, TrainingError
from densezoo.results.figures import THEMES
from densezoo.training.curves import BEST, RATE, SHOWN_STEPS, TEST, TRAINING, draw_curves, make_figure
from densezoo.training.events import Epoch, Step
from densezoo.training.logs import open_logs, read_records


def a_run(folder: Path, an_epoch: int, measures: list[dict[str, float]], top1: float | None = 80.0) -> Path:
    """The folder of a run of so many epochs."""
    epochs = len(measures)
    (log,) = open_logs([], folder)
    for number, measured in enumerate(measures, 1):
        for step in range((number - 1) * an_epoch + 1, number * an_epoch + 1):
            log.on_step(Step(number, step, epochs * an_epoch, 0.1 / number, 2.0 / step, top1, 8, 1.0))
        log.on_epoch(Epoch(number, epochs, number * an_epoch, 0.1 / number, 1.0 / number, top1, 1.0, measured))
    return folder


def test_what_it_draws(tmp_path: Path) -> None:
    folder = a_run(tmp_path, 5, [{}, {"top1": 91.0, "top5": 99.0}, {"top1": 92.5, "top5": 99.5}, {"top1": 92.5}])
    figure = make_figure(read_records(folder / "log.jsonl"), "digits")
    assert figure is not None
    loss, accuracy, rate = figure.axes
    places = {colour: place for place, colour in enumerate(THEMES["light"].series)}
    drawn = [
        (places[line.get_color()], *map(list, line.get_data()))
        for axes in (loss, accuracy, rate)
        for line in axes.lines
    ]
    steps = [step / 5 for step in range(1, 21)]
    assert drawn == [
        (TRAINING, steps, [2.0 / step for step in range(1, 21)]),
        (TRAINING, [1, 2, 3, 4], [1.0, 1 / 2, 1 / 3, 1 / 4]),
        (TRAINING, [1, 2, 3, 4], [80.0] * 4),
        (TEST, [2, 3, 4], [91.0, 92.5, 92.5]),
        (BEST, [3], [92.5]),
        (RATE, steps, [0.1 / epoch for epoch in (1, 2, 3, 4) for _ in range(5)]),
    ]
    assert [text.get_text() for text in accuracy.get_legend().get_texts()] == [
        "training",
        "test",
        "best: 92.50 %, epoch 3",
    ]
    with Image.open(draw_curves(folder, "digits")) as picture:
        assert (picture.format, picture.width) == ("PNG", 1660)
        assert len(picture.convert("RGB").getcolors(1 << 20) or []) > 50


def test_another_measure_and_mixed_labels(tmp_path: Path) -> None:
    """The first measure is drawn, without an accuracy on training images where they have no one class."""
    folder = a_run(tmp_path, 2, [{"auc": 0.91}, {"auc": 0.93}], top1=None)
    figure = make_figure(read_records(folder / "log.jsonl"), "mine")
    assert figure is not None
    accuracy = figure.axes[1]
    assert accuracy.get_ylabel() == "auc"
    assert [text.get_text() for text in accuracy.get_legend().get_texts()] == ["test", "best: 0.93, epoch 2"]


def test_of_many_steps_some_are_drawn(tmp_path: Path) -> None:
    figure = make_figure(read_records(a_run(tmp_path, 2 * SHOWN_STEPS + 1, [{}]) / "log.jsonl"), "long")
    assert figure is not None
    assert SHOWN_STEPS / 2 < len(figure.axes[0].lines[0].get_data()[0]) <= SHOWN_STEPS


def test_nothing_to_draw_and_nothing_to_draw_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(TrainingError, match="log.jsonl: expected at least one epoch to draw, found none"):
        draw_curves(tmp_path, "empty")
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MissingDependencyError, match=r"drawing diagrams needs matplotlib, .*\[plots\]"):
        draw_curves(a_run(tmp_path, 1, [{}]), "undrawn")
    assert not (tmp_path / "curves.png").exists()
