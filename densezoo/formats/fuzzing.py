"""Mutated checkpoint files for the readers. Each must load or end in a DensezooError, in limited time and memory.

Used by tests/formats/test_fuzzing.py (short) and tools/fuzz_formats.py (long). Linux only.
"""

from __future__ import annotations

import random
import struct
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from densezoo.errors import DensezooError, FormatError
from densezoo.malloc import give_freed_memory_back

INTERESTING = (
    b"\0",
    b"\xff",
    b"\x7f",
    b"\x80",
    b"\xff\xff\xff\xff",
    b"\xff\xff\xff\x7f",
    b"\0\0\0\0\1\0\0\0",
    b"\0" * 8,
)
#: Bytes that open a nested value in JSON, Python, prototxt, pickles and protocol buffers.
OPENINGS = (
    b"[", b"{", b"(", b'{"a":', b"[1,", b"a{", b"layer{a:1", b"-(", b"]", b"}(", b"\x85", b"\x0a\x7f", b"\x2a\0",
)  # fmt: skip
#: Of CPU, on a machine whose pace is PACE; Python 3.10 takes up to twice as long for the same loops.
SECONDS = 1.0 if sys.version_info >= (3, 11) else 2.0
TIMES, SLACK = 4, 64 << 20  # of memory: so many times the file, and so many bytes more
TRIES = 3
PACE = 0.016  # seconds of CPU that `_pace` takes on the machine that SECONDS were measured on, when it is idle
HOLE = 8 << 30  # bytes of a file that take no room on the disk
MOST = 6 << 20  # bytes of what is repeated
SIZED = 0.25  # share of the mutations that make a file larger


def mutate(data: bytes, seed: int) -> bytes:
    """The bytes with one to eight places overwritten or cut, most of them near the ends, where formats keep lengths.

    Args:
        data: the file's bytes.
        seed: of the random choices.
    """
    rng, out = random.Random(seed), bytearray(data)  # noqa: S311  repeatable, not secret
    in_place = rng.random() < 0.8
    for _ in range(rng.randint(1, 8)):
        span = rng.choice((64, 4096, len(out)))
        at = (
            rng.randrange(min(span, len(out)))
            if rng.random() < 0.6
            else len(out) - 1 - rng.randrange(min(span, len(out)))
        )
        patch = rng.choice(INTERESTING) if rng.random() < 0.5 else rng.randbytes(rng.choice((1, 1, 2, 4, 8)))
        end = at + (len(patch) if in_place else rng.randrange(64))
        out[at:end] = patch
    return bytes(out[: rng.randrange(1, len(out))] if rng.random() < 0.1 else out)


def blow_up(data: bytes, seed: int, path: Path) -> None:
    """Write the file with a hole of gigabytes in it or after it, or with a part or an opening bracket repeated.

    Args:
        data: the file's bytes.
        seed: of the random choices.
        path: of the larger file.
    """
    rng = random.Random(seed)  # noqa: S311  repeatable, not secret
    at = rng.choice((0, 4, len(data))) if rng.random() < 0.3 else rng.randrange(len(data) + 1)
    kind = rng.choice(("tail", "hole", "many", "deep"))
    with open(path, "wb") as file:
        file.write(data if kind == "tail" else data[:at])
        if kind in ("tail", "hole"):
            file.truncate(len(data) + HOLE)
            file.seek(at + HOLE)
        elif kind == "many":
            start = rng.randrange(len(data))
            part = data[start : start + rng.choice((1, 4, 16, 64, 256, 1024))]
            file.write(part * (MOST // len(part)))
        else:
            opening = rng.choice(OPENINGS)
            file.write(opening * (rng.choice((10_000, 100_000, MOST)) // len(opening)))
        if kind != "tail":
            file.write(data[at:])


def hold_to_limits(path: Path, load: Callable[[Path], object]) -> bool:
    """Read a file within limits of time and memory; return whether it loaded.

    Args:
        path: the file.
        load: reads it.

    Raises:
        FormatError: it took too much memory, or, by this machine's pace, too long each of TRIES times.
        RuntimeError: it ended in anything but a DensezooError.
    """
    for _ in range(TRIES):
        give_freed_memory_back()  # else what malloc keeps would hide what the reader takes
        Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
        before, start = memory("VmRSS"), time.process_time()
        try:
            load(path)
            loaded = True
        except DensezooError:
            loaded = False
        except BaseException as error:
            raise RuntimeError(f"{path}: {error!r}") from error
        seconds, grown = time.process_time() - start, memory("VmHWM") - before
        too_much = grown > TIMES * path.stat().st_size + SLACK
        slower = _pace() / PACE if seconds > SECONDS else 1.0  # not asked each time: most reads take less than it does
        allowed = SECONDS * max(1.0, slower)
        if seconds <= allowed and not too_much:
            return loaded
        if too_much:
            break
    raise FormatError(
        f"{path}: took {seconds:.1f} s and {grown / 2**20:.0f} MiB to read; expected at most {allowed:.1f} s"
    )


def _pace() -> float:
    """Seconds of CPU that this machine takes at this moment for a fixed piece of what readers do.

    Machines differ, and a core that is shared with others takes up to twice as long for the same work.
    """
    start = time.process_time()
    names = {f"layer{i}": struct.pack("<Q", i) for i in range(60_000)}
    sorted(names)
    return time.process_time() - start


def try_one(path: Path, seed: int, load: Callable[[Path], object]) -> bool:
    """Mutate a file in its bytes or its size and read it; return whether it loaded.

    Args:
        path: the file; it stays as it is.
        seed: of the mutation.
        load: reads a file.

    Raises:
        FormatError: it took too much memory or time; names the seed that repeats it.
        RuntimeError: it ended in anything but a DensezooError; names the seed, too.
    """
    with tempfile.TemporaryDirectory() as folder:
        mutated = Path(folder, path.name)
        if random.Random(~seed).random() < SIZED:  # noqa: S311
            blow_up(path.read_bytes(), seed, mutated)
        else:
            mutated.write_bytes(mutate(path.read_bytes(), seed))
        try:
            return hold_to_limits(mutated, load)
        except (FormatError, RuntimeError) as error:
            raise type(error)(f"{path}, seed {seed}: {error}") from error


def memory(field: str) -> int:
    """Bytes of this process, from Linux's /proc/self/status.

    Args:
        field: such as "VmRSS", what is resident, or "VmHWM", its peak.
    """
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(field))
    return int(line.split()[1]) * 1024
