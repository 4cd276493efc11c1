"""Publishing as a command: what a person reads of it, and what a program does."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from densezoo import api

WEIGHTS = "densenet_bc_22_8_digits.own-94af5713.safetensors"


def test_it_says_what_it_wrote_and_what_comes_next(
    tool: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert tool("publish", api.DEMO[1], "-o", out) == 0
    lines = capsys.readouterr().out.splitlines()
    assert f"written: {out}/{WEIGHTS}" in lines
    assert [line for line in lines if not line.startswith(("written: ", "weights: "))] == [
        "model: densenet_bc_22_8_digits.own, protocol digits",
        "license: none was given; --license says what others may do",
        "results: digits/digits: 98.44",
        f"next: densezoo show densenet_bc_22_8_digits.own --index {out}/model-index.yml",
    ]
    assert tool("publish", api.DEMO[1], "-o", out) == 1
    assert "out: is there already" in capsys.readouterr().err
    options = ("--overwrite", "--results", tmp_path, "--config", "configs/digits/densenet_bc_22_8_digits.py")
    assert tool("publish", api.DEMO[1], "-o", out, *options, "--json") == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["name"], shown["kept"], shown["results"]) == ("densenet_bc_22_8_digits.own", True, [])
    assert shown["weights"] == f"{out}/{WEIGHTS}"
    assert not (out / "results").exists()
