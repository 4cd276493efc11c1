from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from densezoo.training.events import Epoch
from densezoo.training.logs import open_logs


def test_a_run_s_curves(tool: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "c.svg"
    assert tool("plot_curves", tmp_path, "-o", out) == 1
    assert "log.jsonl: expected the log of at least one epoch, found none" in capsys.readouterr().err
    (log,) = open_logs([], tmp_path)
    log.on_epoch(Epoch(1, 1, 4, 0.1, 1.5, 50.0, 1.0, {"top1": 61.5}))
    assert tool("plot_curves", tmp_path, "-o", out) == 0
    assert capsys.readouterr().out == f"written: {out}\n"
    assert "<!-- learning rate -->" in out.read_text()
