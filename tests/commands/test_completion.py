"""Scripts that complete commands and options, run by the shell itself where it is there."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from densezoo.commands import completion
from densezoo.commands.__main__ import command_names


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["densezoo", "li"], ["list_models"]),
        (["densezoo", "test", "--data"], ["--data-root", "--dataset"]),
        (["densezoo", "make_tables", "--c"], ["--check"]),
        (["densezoo", "no_command", "--"], []),
    ],
)
def test_bash_completes_commands_and_options(
    words: list[str], expected: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert completion.main(["bash"]) == 0
    (tmp_path / "script").write_text(capsys.readouterr().out)
    program = f"source {tmp_path}/script; COMP_WORDS=({' '.join(words)}); COMP_CWORD={len(words) - 1}; _densezoo;"
    program += 'printf "%s\\n" "${COMPREPLY[@]}"'
    done = subprocess.run(["bash", "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == expected


@pytest.mark.parametrize("shell", ["fish", "zsh"])
def test_the_other_shells_have_every_command(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert completion.main([shell]) == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in command_names())
    assert "--launcher" in shown or "-l launcher" in shown
