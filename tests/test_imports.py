from __future__ import annotations

import gc
import os
import subprocess
import sys
from pathlib import Path

import pytest

from densezoo.imports import without_collection
from densezoo.paths import ROOT

#: In a process of its own: that of the tests has frozen objects.
PROGRAM = """
import gc
from densezoo.imports import without_collection
with without_collection():
    assert not gc.isenabled()
    made = [[number] for number in range(10 * gc.get_threshold()[0])]
assert gc.isenabled()
assert gc.get_freeze_count() == 0
places = [any(found is made[0] for found in gc.get_objects(generation=number)) for number in range(3)]
assert places == [False, False, True], places
gc.freeze()
with without_collection():
    pass
assert gc.get_freeze_count() > 1000
gc.unfreeze()
"""
#: What a command's process ends with: what is registered first runs last.
ENDING = """
import atexit, gc, sys
from densezoo.imports import end_without_collection
before = gc.get_freeze_count()
atexit.register(lambda: print(gc.get_freeze_count() > before))
end_without_collection()
"""


def test_nothing_is_collected_in_the_block_and_all_is_old_after_it() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(("imported", "frozen"), [("", "True"), ("sys.modules['triton'] = sys", "False")])
def test_modules_are_left_at_the_end_unless_their_binding_counts(imported: str, frozen: str) -> None:
    program = [sys.executable, "-c", ENDING + imported]
    assert subprocess.run(program, cwd=ROOT, capture_output=True, text=True).stdout == f"{frozen}\n"


def test_the_collector_is_left_as_it_was() -> None:
    was = gc.isenabled()
    with pytest.raises(ValueError, match="no module"), without_collection():
        raise ValueError("no module")
    assert gc.isenabled() == was
    gc.disable()
    try:
        with without_collection():
            pass
        assert not gc.isenabled()
    finally:
        (gc.enable if was else gc.disable)()


#: yapf's grammar is half a file until another process has written the rest, here while this one waits.
BESIDE = """
import sys
from pathlib import Path
from types import SimpleNamespace
from densezoo import imports
def waiting(_):
    print("waited")
    for path in Path(sys.argv[1]).rglob("*.pickle"):
        path.unlink()
imports.time = SimpleNamespace(sleep=waiting)
print(imports.import_mmengine("mmengine.config").Config({"a": 1}).a)
"""


@pytest.mark.parametrize("length", [0, 100])
def test_mmengine_is_imported_beside_a_process_that_writes_yapf_s_grammar(tmp_path: Path, length: int) -> None:
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path)}
    subprocess.run([sys.executable, "-c", "import yapf"], env=environment, check=True)
    grammars = list(tmp_path.rglob("*.pickle"))
    assert grammars, "yapf keeps its grammar elsewhere"
    for path in grammars:
        path.write_bytes(path.read_bytes()[:length])
    program = [sys.executable, "-c", BESIDE, str(tmp_path)]
    done = subprocess.run(program, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "waited\n1\n"), done.stderr
