from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from densezoo.errors import EvaluationError
from densezoo.evaluation.run_lock import run_lock

HOLD = """
import os, sys, time
from pathlib import Path
from densezoo.evaluation.run_lock import run_lock
with run_lock(Path(sys.argv[1])):
    child = os.fork()
    if child:
        print(child, flush=True)
    time.sleep(600)
"""


def test_it_is_held_by_one_and_freed(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with run_lock(path):
        with pytest.raises(EvaluationError, match=f"held by process {os.getpid()} on {platform.node()} since 20"):
            run_lock(path).__enter__()
        refused = subprocess.run([sys.executable, "-c", HOLD, str(path)], capture_output=True, text=True, timeout=60)
        assert f"held by process {os.getpid()} on" in refused.stderr
    assert not path.exists()
    with run_lock(path):
        pass


def test_a_killed_holder_s_children_hold_nothing(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with subprocess.Popen([sys.executable, "-c", HOLD, str(path)], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        child = int(holder.stdout.readline())
        try:
            with pytest.raises(EvaluationError, match=f"held by process {holder.pid} on .*choose another folder"):
                run_lock(path).__enter__()
            holder.kill()
            holder.wait()
            os.kill(child, 0)  # is still there
            with run_lock(path):
                assert str(os.getpid()) in path.read_text()
        finally:
            os.kill(child, 9)


def test_a_lock_whose_folder_was_deleted_and_made_anew_is_another_s(tmp_path: Path) -> None:
    path = tmp_path / "out" / "lock"
    path.parent.mkdir()
    with run_lock(path):
        path.unlink()
        path.write_text("another run's")
    assert path.read_text() == "another run's"


def test_no_place_for_it(tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match="can't be written .No such file or directory.; choose another folder"):
        run_lock(tmp_path / "nowhere" / "lock").__enter__()
