from __future__ import annotations

import ctypes
import platform
import subprocess
import sys

import pytest

from densezoo.malloc import keep_freed_memory


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="glibc's setting")
def test_freed_memory_is_kept() -> None:
    """In a process of its own: large blocks come from the heap, and are not handed back."""
    program = """
import ctypes
from densezoo.malloc import keep_freed_memory
assert keep_freed_memory()
class Counts(ctypes.Structure):
    _fields_ = [(name, ctypes.c_int) for name in "arena ordblks smblks hblks hblkhd".split()]
    _fields_ += [(name, ctypes.c_int) for name in "usmblks fsmblks uordblks fordblks keepcost".split()]
libc = ctypes.CDLL(None)
libc.mallinfo.restype, libc.malloc.restype, libc.free.argtypes = Counts, ctypes.c_void_p, [ctypes.c_void_p]
mapped, block = libc.mallinfo().hblks, libc.malloc(ctypes.c_size_t(200 << 20))
assert libc.mallinfo().hblks == mapped
libc.free(block)
assert libc.mallinfo().arena >= 200 << 20
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def test_another_c_library_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda _: object())
    assert not keep_freed_memory.__wrapped__()
