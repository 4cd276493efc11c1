"""A sweep as a command: what it prints, what it refuses, its exit status."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from small_imagenet import class_folders, write


def test_a_sweep_refuses_a_misspelt_name_before_its_first_image(
    tool: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = ("--data-root", f"imagenet1k={tmp_path / 'nowhere'}", "--out", tmp_path)
    assert tool("sweep", "densenet121.tv*", *root, "--tta", "flop") == 1
    assert capsys.readouterr().err == "error: there is no test-time augmentation 'flop'; did you mean 'flip'?\n"
    assert tool("sweep", "densenet121.tv*", *root, "--device", "cupid") == 1
    assert "--device cupid: expected such as" in capsys.readouterr().err


def test_the_command(tool: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of two datasets, with a file that holds no weights, and with those that ship."""
    broken, out = "densenet161.lua_in1k", tmp_path / "out"
    write(tmp_path / "weights" / f"{broken}.safetensors", b"nothing")
    options = [
        "--datasets", "imagenet1k,digits", "--protocols", "own", "--workers", 0, "--device", "cpu", "--out", out,
        "--data-root", f"imagenet1k={class_folders(tmp_path / 'val')}", "--weights-dir", tmp_path / "weights",
        "--cache", tmp_path / "pixels",
    ]  # fmt: skip
    assert tool("sweep", broken, *options) == 1
    shown = capsys.readouterr()
    assert shown.out.startswith(f"[1/1] {broken} on imagenet1k, protocol torch7: FAILED: ")
    assert shown.err.startswith(f"error: 1 of 1 failed; run the same again to retry: {broken} on imagenet1k")
    assert tool("sweep", "densenet_bc_22_8*", *options) == 0
    assert capsys.readouterr().out.endswith("on digits, protocol digits: top-1 98.443 %\n")
    assert json.loads(next(out.glob("digits/*.json")).read_text())["correct1"] == 885
    assert tool("sweep", "densenet_bc_22_8*", *options) == 0
    assert (
        capsys.readouterr().out
        == "[1/1] densenet_bc_22_8.densezoo_digits on digits, protocol digits: already measured\n"
    )
    with pytest.raises(SystemExit):
        tool("sweep", "*", "--data-root", "imagenet1k")
    assert "'imagenet1k' is not NAME=PATH" in capsys.readouterr().err
