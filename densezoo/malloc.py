"""What the C library's malloc does with memory that is freed."""

from __future__ import annotations

import ctypes
from functools import cache

_TRIM_THRESHOLD, _MMAP_MAX = -1, -4  # glibc's M_TRIM_THRESHOLD and M_MMAP_MAX (malloc.h)


@cache
def keep_freed_memory() -> bool:
    """Let glibc's malloc keep what is freed in this process, where it would hand large blocks back to the system.

    A network's tensors are of the same sizes at every call: to map them anew each time, and to have the system fill
    them with zeros, takes a third of the time of a small network.

    Returns:
        Whether malloc has taken it; False on systems whose C library has no such setting.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # no such function: macOS, musl; no such library: Windows
        return False
    return bool(mallopt(_MMAP_MAX, 0) and mallopt(_TRIM_THRESHOLD, -1))


def give_freed_memory_back() -> None:
    """Hand what is freed back to the system after all, once, for the processes beside this one."""
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except (AttributeError, OSError, TypeError):  # as above
        return
