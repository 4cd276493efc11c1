"""Starts tests/interpreted_kernels.py."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

TESTS = Path(__file__).resolve().parent
#: {precision: the largest relative error}; the interpreter cuts off bf16 where a GPU rounds to the nearest.
LARGEST_ERROR = {"float32": 1e-6, "bf16": 0.02, "fp16": 0.001}


def errors_of(cases: Iterable[tuple[str, dict[str, Any]]]) -> list[float]:
    """The error of every case.

    Args:
        cases: (function, its arguments).
    """
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(TESTS), str(TESTS.parent)))}
    program = [sys.executable, str(TESTS / "interpreted_kernels.py")]
    done = subprocess.run(
        program, input=json.dumps(list(cases)), env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    errors: list[float] = json.loads(done.stdout)
    return errors
