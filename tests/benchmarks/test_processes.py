"""Whole processes: when their last line came, what they held, and how they fail."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from densezoo.benchmarks import processes
from densezoo.benchmarks.processes import process_tree, run_process
from densezoo.errors import BenchmarkError


def python(program: str) -> list[str]:
    return [sys.executable, "-u", "-c", program]


def test_the_time_ends_with_the_last_line(tmp_path: Path) -> None:
    start = time.perf_counter()
    finished = run_process(python("import time; print(1); print('top-1'); time.sleep(1)"), os.environ, tmp_path, 60)
    assert finished.lines == ("1", "top-1")
    assert 0 < finished.seconds <= time.perf_counter() - start - 1


def test_the_memory_is_that_of_all_its_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "_INTERVAL", 0.02)
    program = """
import subprocess, sys
held = bytearray(b'x') * (50 << 20)
if len(sys.argv) == 1:
    subprocess.run([sys.executable, '-c', open(sys.argv[0]).read(), 'child'], check=True)
    print('done')
else:
    import time; time.sleep(0.5)
"""
    (tmp_path / "program.py").write_text(program)
    finished = run_process([sys.executable, str(tmp_path / "program.py")], os.environ, tmp_path, 60)
    assert 100 << 20 < finished.peak_memory < 200 << 20


@pytest.mark.parametrize(
    ("program", "message"),
    [
        ("raise SystemExit('error: no such file')", "status 1: error: no such file"),
        ("pass", "status 0: no message"),  # it printed no result
        ("print(1, flush=True); import time; time.sleep(60)", "status -9 after 0 s: no message"),
    ],
)
def test_a_process_without_a_result_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str, message: str
) -> None:
    monkeypatch.setattr(processes, "_INTERVAL", 0.02)
    with pytest.raises(BenchmarkError, match=message):
        run_process(python(program), os.environ, tmp_path, 0.4 if "sleep" in program else 60)


def test_a_tree_has_children() -> None:
    assert next(process_tree(os.getpid())) == os.getpid()
    assert list(process_tree(2**22 + 1)) == [2**22 + 1]
