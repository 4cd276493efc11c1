from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from densezoo.protocols import get_protocol

Tool = Callable[..., int]


def test_it_begins_one_s_own(tool: Tool, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert tool("show_protocol", "timm") == 0
    (tmp_path / "mine.yml").write_text(capsys.readouterr().out)
    own = get_protocol(str(tmp_path / "mine.yml"))
    assert own.name.startswith("my_timm~")
    assert own.resize == 256
    assert tool("show_protocol", tmp_path / "mine.yml") == 0
    assert "\nname: my_timm\n" in capsys.readouterr().out


def test_a_misspelt_name(tool: Tool, capsys: pytest.CaptureFixture[str]) -> None:
    assert tool("show_protocol", "tim") == 1
    assert capsys.readouterr().err == "error: there is no protocol 'tim'; did you mean 'timm'?\n"
