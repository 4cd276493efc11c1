"""Diagrams as files: of the index, of weights, of a training's log."""

from __future__ import annotations

from pathlib import Path

import pytest
from digit_pictures import MODEL

import densezoo
from densezoo import api
from densezoo.errors import ConfigError, QueryError, TrainingError, UnknownNameError
from densezoo.training.events import Epoch
from densezoo.training.logs import open_logs


def test_accuracy_of_the_models_of_a_dataset(tmp_path: Path) -> None:
    path = densezoo.plot_accuracy(tmp_path / "a.svg", dataset="cifar10", against=["params"], where="params < 1e6")
    text = path.read_text()
    assert "Top-1 on CIFAR-10" in text
    assert "densenet_bc_100_12" in text
    assert "densenet_bc_190_40" not in text
    with pytest.raises(QueryError, match="no model matches 'resnet50'"):
        densezoo.plot_accuracy(tmp_path / "b.svg", "resnet50")
    with pytest.raises(UnknownNameError, match="there is no cost 'param'; did you mean 'params'"):
        densezoo.plot_accuracy(tmp_path / "b.svg", against=["param"])
    assert [each.name for each in tmp_path.iterdir()] == ["a.svg"]


def test_who_reads_whom_in_the_digits_network(tmp_path: Path) -> None:
    for given in ((MODEL,), api.DEMO):
        text = densezoo.plot_feature_reuse(tmp_path / "f.svg", *given).read_text()
        assert f"<!-- What each layer reads: {MODEL} -->" in text
        assert "<!-- reading layer; C: classifier -->" in text


def test_the_curves_of_a_run(tmp_path: Path) -> None:
    (log,) = open_logs([], tmp_path)
    log.on_epoch(Epoch(1, 1, 4, 0.1, 1.5, 50.0, 1.0, {"top1": 61.5}))
    text = densezoo.plot_curves(tmp_path / "c.svg", tmp_path, theme="dark").read_text()
    assert f"<!-- {tmp_path.name} -->" in text
    assert "<!-- best: 61.50 %, epoch 1 -->" in text
    (tmp_path / "empty").mkdir()
    with pytest.raises(TrainingError, match="log.jsonl: expected the log of at least one epoch, found none"):
        densezoo.plot_curves(tmp_path / "d.svg", tmp_path / "empty")


def test_a_file_that_can_t_be_is_refused_before_any_work(tmp_path: Path) -> None:
    for draw in (densezoo.plot_accuracy, densezoo.plot_feature_reuse, densezoo.plot_curves):
        arguments = () if draw is densezoo.plot_accuracy else ("none",)
        with pytest.raises(ConfigError, match="x.gif: the extension says what is written"):
            draw(tmp_path / "x.gif", *arguments)
        with pytest.raises(UnknownNameError, match="there is no theme 'drak'"):
            draw(tmp_path / "x.svg", *arguments, theme="drak")
