from __future__ import annotations

import gc
import subprocess
import sys

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
assert gc.get_freeze_count()
"""


def test_nothing_is_collected_in_the_block_and_all_is_old_after_it() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


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
