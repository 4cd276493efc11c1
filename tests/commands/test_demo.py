"""The demo: measured, stored in the current folder, compared with what ships."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from densezoo.paths import ROOT

Tool = Callable[..., int]


def test_the_demo_writes_into_work_dirs_and_compares(
    tool: Tool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    name = "digits/densenet_bc_22_8.densezoo_digits@digits.json"
    monkeypatch.chdir(tmp_path)
    before = {
        path: path.read_bytes() for path in [*ROOT.glob("*.md"), *ROOT.glob("results/*/*"), *ROOT.glob("docs/*/*")]
    }
    assert tool("demo") == 0
    shown = capsys.readouterr().out
    assert "top-1" in shown
    assert "95 % interval" in shown
    assert f"  stored: work_dirs/demo/{name}\n  the same counts as in results/{name}\n" in shown
    assert f" {ROOT}/tools/list_models.py " in shown
    assert (tmp_path / "work_dirs/demo" / name).is_file()
    assert {path: path.read_bytes() for path in before} == before
    stored = json.loads((tmp_path / "work_dirs/demo" / name).read_text())
    (tmp_path / "work_dirs/demo" / name).write_text(json.dumps({**stored, "date": "2001-01-01T00:00:00+00:00"}))

    altered = json.loads((ROOT / "results" / name).read_text())
    (tmp_path / "results/digits").mkdir(parents=True)
    (tmp_path / "results" / name).write_text(json.dumps({**altered, "correct1": 884, "top1": 100 * 884 / 899}))
    monkeypatch.setattr("densezoo.commands.demo.SHIPPED", tmp_path / "results")
    assert tool("demo") == 0
    shown = capsys.readouterr().out
    assert "  already stored, the same, on 2001" in shown
    assert f"{name} (here, there):\n    correct1: 885, 884\n    top1: 98.4" in shown
