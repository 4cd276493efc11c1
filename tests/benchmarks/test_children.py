"""Processes of contestants: they answer, fail by a message, and are ended in time."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from densezoo.benchmarks import children
from densezoo.benchmarks.children import Child, child_environment
from densezoo.errors import BenchmarkError


def test_a_child_answers_and_its_memory_is_its_own() -> None:
    held = bytearray(300 * 2**20)
    with Child({"OMP_NUM_THREADS": "1"}) as child:
        assert child.ask("memory", device="cpu") < len(held)
        with pytest.raises(BenchmarkError, match="AttributeError: 'int' object has no attribute 'startswith'"):
            child.ask("memory", device=1)
        assert child.ask("memory", device="cpu") > 10**6  # it goes on


@pytest.mark.parametrize(
    ("program", "message"),
    [
        ("import sys; print('lost its way', file=sys.stderr); sys.exit(3)", "ended with status 3: lost its way"),
        ("import time; time.sleep(60)", "no answer within 0 s"),
    ],
)
def test_a_child_that_ends_or_hangs_is_an_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, program: str, message: str
) -> None:
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} -c "{program}"\n')
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    with Child({}) as child:
        child.begin("memory", device="cpu")
        with pytest.raises(BenchmarkError, match=message):
            child.end(30.0 if "status" in message else 0.1)
        assert child._process.returncode is not None


def test_a_child_imports_the_same_densezoo() -> None:
    path = child_environment()["PYTHONPATH"].split(os.pathsep)
    assert path[0] == str(Path(children.__file__).parents[2])
