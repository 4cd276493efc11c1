"""What the options of an evaluation refuse."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from densezoo.errors import ConfigError
from densezoo.evaluation.options import LoadOptions, RunOptions


@pytest.mark.parametrize(
    ("name", "number", "least"), [("batch_size", 0, 1), ("batch_size", -4, 1), ("workers", -1, 0), ("limit", 0, 1)]
)
def test_a_number_that_is_too_small_is_refused(name: str, number: int, least: int) -> None:
    """With -1 threads a run waited for ever; with a batch of 0 images it ended with a ZeroDivisionError."""
    options: dict[str, Any] = {name: number}
    with pytest.raises(ConfigError, match=f"{name} is {number}; expected a number of at least {least}"):
        RunOptions(**options)
    RunOptions(batch_size=1, workers=0, limit=1)


def test_a_list_of_no_protocol_is_refused() -> None:
    with pytest.raises(ConfigError, match="no protocol is named"):
        LoadOptions(None, Path("weights.pth"), protocols=[])


def test_they_import_no_torch() -> None:
    program = "import sys, densezoo.evaluation.options; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
