"""What the index lists, and by what."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from examples import example_result

import densezoo
from densezoo import paths
from densezoo.results.store import write_result


def test_a_filter_imports_no_torch() -> None:
    program = (
        "import sys, densezoo; assert densezoo.list_models(where='top1 > 76', sort='-top1');"
        "print([name for name in ('torch', 'timm', 'pandas', 'mmengine', 'rich') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_what_was_measured_here_and_what_ships(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """As in an installed package, whose own results go to the current folder."""
    shipped = densezoo.list_models(where="measured_top1 > 0")
    assert "densenet_bc_22_8.densezoo_digits" in shipped
    monkeypatch.setattr(paths, "RESULTS", tmp_path)
    assert densezoo.list_models(where="measured_top1 > 0") == shipped
    stored = write_result(tmp_path, example_result())
    assert set(densezoo.list_models(where="measured_top1 > 0")) == {*shipped, "densenet121.tv_in1k"}
    assert "  measured on a machine that they don't name (1)\n" in densezoo.describe_model("densenet121.tv_in1k")
    stored.write_text("a folder called results that has nothing to do with densezoo")
    assert densezoo.list_models(where="measured_top1 > 0") == shipped
    assert f"results: those of this folder are left out: {stored}" in caplog.text
