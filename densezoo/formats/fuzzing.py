"""Mutated checkpoint files for the readers: each has to load or end in a DensezooError, within bounds.

Used by tests/formats/test_fuzz.py (short) and tools/fuzz_formats.py (long).
"""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from densezoo.errors import DensezooError, FormatError

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
SECONDS, TIMES, SLACK = 10.0, 4, 64 << 20


def mutate(data: bytes, seed: int) -> bytes:
    """One to eight places overwritten or cut, most of them near the ends, where formats keep lengths."""
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


def try_one(path: Path, seed: int, load: Callable[[Path], object]) -> bool:
    """Read a mutation of a file; whether it loaded. Linux only.

    Raises:
        FormatError: it took too long or too much memory. Anything that is no DensezooError passes through.
    """
    with tempfile.TemporaryDirectory() as folder:
        mutated = Path(folder, path.name)
        mutated.write_bytes(mutate(path.read_bytes(), seed))
        Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
        before, start = _memory("VmRSS"), time.perf_counter()
        try:
            load(mutated)
            loaded = True
        except DensezooError:
            loaded = False
        except BaseException as error:
            raise RuntimeError(f"{path}, seed {seed}: {error!r}") from error
        seconds, grown = time.perf_counter() - start, _memory("VmHWM") - before
        if seconds > SECONDS or grown > TIMES * mutated.stat().st_size + SLACK:
            raise FormatError(f"{path}, seed {seed}: took {seconds:.1f} s and {grown / 2**20:.0f} MiB")
    return loaded


def _memory(field: str) -> int:
    """Bytes, from Linux's /proc/self/status."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(field))
    return int(line.split()[1]) * 1024
