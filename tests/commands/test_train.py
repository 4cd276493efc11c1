"""Training as a command: what it prints is what to do next."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from densezoo import api

SMALL = ("train.epochs=1", "model.growth_rate=4", "model.block_config=(1,1,1)")


CONFIG = "configs/digits/densenet_bc_22_8_digits.py"


def test_it_ends_with_weights_result_curves_and_card(
    tool: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ("--work-dir", tmp_path, "--workers", 0, "--device", "cpu", "--log", "jsonl", "--cfg-options", *SMALL)
    assert tool("train", CONFIG, *options) == 0
    checkpoint = tmp_path / "densenet_bc_22_8_digits.safetensors"
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert lines[1].startswith("  top-1  ")
    (result,) = (tmp_path / "results").glob("digits/*.json")
    left = {"trained": checkpoint, "result": result, "curves": tmp_path / "curves.png", "card": tmp_path / "README.md"}
    assert lines[-4:] == [f"{name}: {path}" for name, path in left.items()]
    assert all(path.is_file() for path in left.values())
    assert (tmp_path / "log.jsonl").is_file()
    assert not (tmp_path / "log.csv").exists()
    assert re.search(r"^epoch 1/1  loss .* images/s$", err, re.MULTILINE)
    assert api.load_checkpoint(checkpoint)[1].architecture.growth_rate == 4  # type: ignore[attr-defined]
    assert tool("train", CONFIG, *options) == 1
    assert capsys.readouterr().err.startswith(f"error: {tmp_path}: there is a run in it already, finished, ")


def test_a_dry_run_leaves_nothing(
    tool: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert tool("train", CONFIG, "--dry-run", "--workers", 0, "--device", "cpu", "--cfg-options", *SMALL) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "densenet_bc_22_8_digits"
    assert "images         898 to train on, 899 to measure on" in lines
    assert any(line.startswith("time           about ") for line in lines)
    assert max(map(len, lines)) <= 80
    assert not list(tmp_path.iterdir())


def test_a_dry_run_for_programs(tool: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
    overrides = (*SMALL, "train.epochs=20", "train.lr=0.1", "train.schedule=cosine")
    options = ("--dry-run", "--json", "--workers", 0, "--device", "cpu", "--cfg-options", *overrides)
    assert tool("train", CONFIG, *options) == 0
    plan = json.loads(capsys.readouterr().out)
    assert (plan["steps_per_epoch"], plan["steps"], plan["images"]["training"]) == (28, 20 * 28, 898)
    assert plan["memory"]["total"] > plan["memory"]["activations"] > 0
    assert plan["seconds"] > 0
    assert len(plan["learning_rate"]) == 20
    assert min(plan["learning_rate"]) == plan["learning_rate"][-1] > 0


def test_an_unknown_log(tool: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
    assert tool("train", CONFIG, "--log", "csv,tensorbord") == 1
    assert capsys.readouterr().err == "error: there is no log 'tensorbord'; did you mean 'tensorboard'?\n"


def test_going_on_and_beginning_anew_exclude_each_other(
    tool: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        tool("train", api.DEMO[0], "--work-dir", tmp_path, "--resume", "--overwrite")
    assert caught.value.code == 2
    assert "argument --overwrite: not allowed with argument --resume" in capsys.readouterr().err
