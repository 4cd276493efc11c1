"""Imports of many modules at once, and beside other processes."""

from __future__ import annotations

import atexit
import gc
import importlib
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pickle import UnpicklingError
from types import ModuleType

#: Packages whose binding (nanobind) reports what isn't collected at the end as a leak, in many lines.
_COUNTING = {"onnx", "triton"}
#: Objects that 3.12 and later may freeze when they start, and nobody else: some hundred.
_FROZEN_AT_START = 1000 if sys.version_info >= (3, 12) else 0


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
        if gc.get_freeze_count() <= _FROZEN_AT_START:  # else somebody else has frozen objects
            gc.freeze()
            gc.unfreeze()
        gc.enable()


def import_mmengine(module: str = "mmengine") -> ModuleType:
    """Import a module of mmengine's, also beside a process that does so for the first time on a machine.

    mmengine imports yapf, which keeps its grammar in the user's cache and gives the file its name before it is written
    (yapf 0.43, pgen2/grammar.py): processes that torchrun starts read nothing there, or half of it, for a moment.

    Args:
        module: its whole name.
    """
    for _ in range(20):
        try:
            return importlib.import_module(module)
        except (EOFError, UnpicklingError):
            time.sleep(0.1)
    return importlib.import_module(module)


def end_without_collection() -> None:
    """Let this process end without a search for garbage in its modules, which takes 0.5 s where torch was imported.

    For commands alone, whose process ends with them.
    """
    atexit.register(_leave_modules)


def _leave_modules() -> None:
    if not _COUNTING & sys.modules.keys():
        gc.freeze()
