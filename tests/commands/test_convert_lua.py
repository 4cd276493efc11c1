"""The command that is as old as densezoo: a Torch7 file, converted as ``convert`` does it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from densezoo.paths import ROOT


def test_a_torch7_file_becomes_what_convert_makes_of_it(
    tool: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = ROOT / "tests/fixtures/torch7/00_tiny_bc_d10_k4.t7"
    shown = []
    for command in ("convert_lua", "convert"):
        assert tool(command, source, tmp_path / f"{command}.safetensors") == 0
        shown.append(capsys.readouterr().out.replace(f"{command}.safetensors", "m.safetensors"))
    assert shown[0] == shown[1]
    assert "torch7 names in a torch7 file" in shown[0]
    assert (tmp_path / "convert_lua.safetensors").read_bytes() == (tmp_path / "convert.safetensors").read_bytes()
