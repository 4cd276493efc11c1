"""Listing the index: filters, columns, JSON and CSV, nothing found, a reader that has seen enough."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable

import pytest

from densezoo.paths import ROOT

Tool = Callable[..., int]


def test_listing(tool: Tool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    filters = ("--where", "top1 > 75 and params < 20e6", "--sort", "top1", "--reverse")
    assert tool("list_models", "densenet1*.tv_in1k", *filters, "--columns", "name,top1,params") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split() for line in lines] == [
        ["name", "top1", "params"],
        ["densenet169.tv_in1k", "75.600", "14.15", "M"],
    ]
    assert tool("list_models", "densenet1*.tv_in1k", "--json", "--columns", "name,top5") == 0
    assert json.loads(capsys.readouterr().out)[0] == {"name": "densenet121.tv_in1k", "top5": 91.972}
    assert tool("list_models", "tv_densenet121", "--csv", "--columns", "name,params") == 0
    assert capsys.readouterr().out == "name,params\ndensenet121.tv_in1k,7978856\n"


@pytest.mark.parametrize(("form", "shown"), [((), ""), (("--json",), "[]\n"), (("--csv",), "name,params\n")])
def test_listing_nothing(tool: Tool, capsys: pytest.CaptureFixture[str], form: tuple[str, ...], shown: str) -> None:
    assert tool("list_models", "resnet50", "--where", "top1 > 1", "--columns", "name,params", *form) == 1
    found = capsys.readouterr()
    assert found.out == shown
    assert found.err.startswith("error: no model matches 'resnet50' and top1 > 1; densezoo has the DenseNet family")


def test_listing_by_a_field_that_is_none(tool: Tool, capsys: pytest.CaptureFixture[str]) -> None:
    assert tool("list_models", "--where", "parms > 3") == 1
    assert capsys.readouterr().err == "error: there is no field 'parms'; did you mean 'params'?\n"


def test_a_reader_that_has_seen_enough() -> None:
    command = f"{sys.executable} {ROOT / 'tools/list_models.py'} | head -1"
    done = subprocess.run(["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True, timeout=300)
    assert "Traceback" not in done.stderr
    assert done.stdout.split()[0] == "name"
