"""Training as a command: what it prints is what to do next."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from densezoo import api

SMALL = ("train.epochs=1", "model.growth_rate=4", "model.block_config=(1,1,1)")


def test_it_names_the_checkpoint_and_how_to_evaluate_it(
    tool: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = "configs/digits/densenet_bc_22_8_digits.py"
    options = ("--work-dir", tmp_path, "--workers", 0, "--device", "cpu", "--cfg-options", *SMALL)
    assert tool("train", config, *options) == 0
    checkpoint = tmp_path / "densenet_bc_22_8_digits.safetensors"
    lines = capsys.readouterr().out.splitlines()[-2:]
    assert lines == [f"trained: {checkpoint}", f"evaluate it: python tools/test.py {config} {checkpoint}"]
    assert api.load_checkpoint(checkpoint)[1].architecture.growth_rate == 4  # type: ignore[attr-defined]
    assert tool("train", config, *options) == 1
    assert capsys.readouterr().err.startswith(f"error: {tmp_path}: there is a run in it already, finished, ")


def test_going_on_and_beginning_anew_exclude_each_other(
    tool: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        tool("train", api.DEMO[0], "--work-dir", tmp_path, "--resume", "--overwrite")
    assert caught.value.code == 2
    assert "argument --overwrite: not allowed with argument --resume" in capsys.readouterr().err
