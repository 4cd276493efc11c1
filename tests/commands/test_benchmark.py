"""A benchmark as a command: a line a file, and what is stored."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from densezoo.paths import ROOT


def test_a_line_a_file(tool: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = [
        ROOT / "tests/fixtures/formats/torchvision/small_legacy.pth",
        ROOT / "tests/fixtures/torch7/00_tiny_bc_d10_k4.t7",
    ]
    assert tool("benchmark", *files, "--rounds", 1, "--out", tmp_path) == 0
    *lines, last = capsys.readouterr().out.splitlines()
    assert last == f"stored: {tmp_path}/formats.json"
    assert len(lines) == 2
    rows = json.loads((tmp_path / "formats.json").read_text())["files"]
    for path, row, line in zip(files, rows, lines):
        mib = path.stat().st_size / 2**20
        assert (row["file"], row["mib"]) == (path.name, mib)
        assert re.match(rf"{path.name}: {mib:.1f} MiB, median {row['seconds']:.3f} s", line)
    assert tool("benchmark", tmp_path / "none.pth", "--out", tmp_path / "more") == 1
    assert capsys.readouterr().err == f"error: {tmp_path}/none.pth: there is no such checkpoint file\n"
    assert not (tmp_path / "more").exists()
