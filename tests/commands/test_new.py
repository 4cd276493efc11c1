from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.mark.parametrize(
    ("kind", "name", "following"),
    [
        ("protocol", "a.yml", "densezoo predict MODEL IMAGE --protocol {0}/a.yml"),
        ("config", "a.py", "densezoo train {0}/a.py"),
        ("metafile", "metafiles/a.yml", "densezoo check_index {0}/model-index.yml"),
    ],
)
def test_it_says_what_it_wrote_and_what_comes_next(
    kind: str, name: str, following: str, tool: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert tool("new", kind, tmp_path / name) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"written: {tmp_path / name}"
    assert lines[-1] == f"next: edit it, then {following.format(tmp_path)}"
    assert tool("new", kind, tmp_path / name) == 1
    assert "is there already" in capsys.readouterr().err
