"""The engine's shared library: its data structures (csrc/program.h) and its functions, by ctypes."""

from __future__ import annotations

import ctypes
import os
from ctypes import POINTER, Structure, c_char_p, c_double, c_int32, c_int64, c_void_p
from enum import IntEnum
from functools import cache
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from densezoo.backends.native import build
from densezoo.errors import BackendError

Floats: TypeAlias = NDArray[np.float32]

#: Set to 256 or 512 to choose the width of the vectors, bits; otherwise it is the widest that the processor has.
WIDTH_VARIABLE = "DENSEZOO_NATIVE_BITS"
#: Floats behind every buffer that whole vectors may read or write.
SLACK = 64


class Kind(IntEnum):
    """The kinds of steps, as csrc/program.h numbers them."""

    LOAD = 0
    PRODUCT = 1
    PATCHES = 2
    POOLED = 3
    WINOGRAD = 4
    POOL = 5


class Map(Structure):
    """A slice of the channels of a feature map in the arena; lengths in floats."""

    _fields_ = (
        ("offset", c_int64),
        ("image_stride", c_int64),
        ("row_stride", c_int64),
        ("height", c_int32),
        ("width", c_int32),
        ("stride", c_int32),
        ("channels", c_int32),
    )


class Windows(Structure):
    """What each row or column of a pooled map is made of."""

    _fields_ = (("index", c_void_p), ("weight", c_void_p), ("taps", c_int32))


class Step(Structure):
    """One step of a program."""

    _fields_ = (
        ("kind", c_int32),
        ("relu", c_int32),
        ("input", Map),
        ("output", Map),
        ("scale", c_void_p),
        ("shift", c_void_p),
        ("weights", c_void_p),
        ("producer", c_void_p),
        ("bias", c_void_p),
        ("kernel", c_int32 * 2),
        ("strides", c_int32 * 2),
        ("pads", c_int32 * 2),
        ("rows", Windows),
        ("columns", Windows),
        ("table", c_void_p),
        ("mean", c_void_p),
        ("deviation", c_void_p),
    )


class Program(Structure):
    """Steps over one arena, for images of one size."""

    _fields_ = (
        ("steps", POINTER(Step)),
        ("count", c_int32),
        ("input_is_float", c_int32),
        ("scratch", c_int64),
        ("logits", Map),
    )


class Engine(Structure):
    """The kernels under one instruction set."""

    _fields_ = (
        ("vector", c_int32),
        ("run", ctypes.CFUNCTYPE(None, POINTER(Program), c_void_p, c_int32, c_void_p, c_void_p, c_void_p)),
        ("scratch_of", ctypes.CFUNCTYPE(c_int64, POINTER(Step))),
        ("peak", ctypes.CFUNCTYPE(c_double, c_int64)),
    )


@cache
def load(path: Path | None = None) -> ctypes.CDLL:
    """The library.

    Args:
        path: its file; None: where the build puts it.

    Raises:
        BackendError: there is none, it can't be loaded, or it was built from other sources.
    """
    path = path or build.LIBRARY
    command = f"python {Path(build.__file__)}"
    if not path.exists():
        raise BackendError(
            f"backend native: there is no {path}; densezoo was installed where there was no C++ compiler, or on "
            f"another machine than Linux on x86-64: {command} builds it"
        )
    try:
        library = ctypes.CDLL(str(path))
        library.densezoo_engine.restype, library.densezoo_engine.argtypes = POINTER(Engine), (c_int32,)
        library.densezoo_step_size.restype = c_int64
        library.densezoo_sources.restype = c_char_p
    except (OSError, AttributeError) as error:  # another processor's, cut short, or without one of the functions
        raise BackendError(f"backend native: {path} can't be used ({error}): {command}") from None
    stale = build.SOURCES.is_dir() and library.densezoo_sources().decode() != build.source_hash()
    if stale or library.densezoo_step_size() != ctypes.sizeof(Step):
        raise BackendError(f"backend native: {path} was built from other sources than {build.SOURCES}: {command}")
    return library


def engine(bits: int | None = None) -> Engine:
    """The kernels for this processor.

    Args:
        bits: width of the vectors, 256 (AVX2 and FMA) or 512 (AVX-512); None: what WIDTH_VARIABLE says, or else the
            widest that the processor has.

    Raises:
        BackendError: there is no library, the processor has no such instructions, or WIDTH_VARIABLE is neither width.
    """
    given = os.environ.get(WIDTH_VARIABLE, "")
    if given not in ("", "256", "512"):
        raise BackendError(f"{WIDTH_VARIABLE} is {given!r}; expected 256 (AVX2) or 512 (AVX-512), or leave it unset")
    bits = bits or (int(given) if given else None)
    for width in (bits,) if bits else (512, 256):
        pointer = load().densezoo_engine(width)
        if pointer:
            kernels: Engine = pointer.contents
            return kernels
    raise BackendError(f"backend native: needs a processor with {'AVX-512' if bits == 512 else 'AVX2 and FMA'}")


def aligned(floats: int) -> Floats:
    """An uninitialised array that begins on a cache line.

    Args:
        floats: its length.
    """
    memory = np.empty(floats + 16, np.float32)
    start = -memory.ctypes.data % 64 // 4
    return memory[start : start + floats]
