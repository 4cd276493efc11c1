"""Imports of many modules at once."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without_collection() -> Iterator[None]:
    """Let the garbage collector rest while modules are imported.

    What a module makes stays. The collector looks through all of it again and again while it grows: a tenth of the time
    of importing torch. At the end all objects count as old, which the collector comes to last.
    """
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        if not gc.get_freeze_count():  # of somebody else
            gc.freeze()
            gc.unfreeze()
        gc.enable()
