"""``python -m densezoo``."""

from __future__ import annotations

import runpy
import sys

import pytest

import densezoo


def test_it_is_the_command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["densezoo", "--version"])
    with pytest.raises(SystemExit) as caught:
        runpy.run_module("densezoo", run_name="__main__")
    assert caught.value.code == 0
    assert capsys.readouterr().out == f"densezoo {densezoo.__version__}\n"
