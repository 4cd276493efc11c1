"""``densezoo COMMAND``: every command of tools/, listed, run, completed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import pytest

import densezoo
from densezoo.commands.__main__ import command_names, main, one_line
from densezoo.paths import ROOT

DEVELOPERS = {"fuzz_formats", "kill_and_resume"}  # tools/ for work on densezoo itself, in a clone


def test_every_tool_is_a_command_and_every_command_a_tool() -> None:
    tools = {path.stem for path in ROOT.glob("tools/*.py")} - DEVELOPERS
    assert set(command_names()) - {"completion"} == tools
    for name in tools:
        lines = (ROOT / "tools" / f"{name}.py").read_text().splitlines()
        assert f"from densezoo.commands.{name} import main" in lines
        assert len(lines) <= 10


def test_alone_it_lists_the_commands_with_a_line_each(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    shown = capsys.readouterr().out
    for name in command_names():
        assert one_line(name)
        assert f"\n  {name} " in shown
    assert main(["--help"]) == 0
    assert capsys.readouterr().out == shown
    assert all(len(line) <= 80 for line in shown.splitlines())


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"densezoo {densezoo.__version__}\n"


def test_an_unknown_command_names_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tets", "a.pth"]) == 1
    assert capsys.readouterr().err == "error: there is no command 'tets'; did you mean 'test'?\n"


@pytest.mark.parametrize("name", ["list_models", "list-models"])
def test_a_command_is_its_tool(name: str, tool: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
    assert tool("list_models", "densenet121.tv*", "--csv") == 0
    expected = capsys.readouterr().out
    assert main([name, "densenet121.tv*", "--csv"]) == 0
    assert capsys.readouterr().out == expected


def test_help_says_how_it_was_called(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["test", "--help"])
    assert caught.value.code == 0
    assert capsys.readouterr().out.startswith("usage: densezoo test [-h]")


def test_listing_and_completing_import_no_torch() -> None:
    program = (
        "import sys; from densezoo.commands.__main__ import main;"
        "assert main([]) == main(['completion', 'bash']) == 0; assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
