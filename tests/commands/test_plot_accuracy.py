from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest


def test_a_diagram_of_one_dataset(tool: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "a.pdf"
    given = ("densenet_bc*", "--dataset", "cifar10", "--against", "params", "--theme", "dark", "-o", out)
    assert tool("plot_accuracy", *given) == 0
    assert capsys.readouterr().out == f"written: {out}\n"
    assert out.read_bytes().startswith(b"%PDF-")
    assert tool("plot_accuracy", "--dataset", "cifar11", "-o", out) == 1
    assert "no model's dataset is 'cifar11'; did you mean 'cifar10'" in capsys.readouterr().err
