#!/usr/bin/env python
"""Mutate checkpoint files and read them: each has to load or end in a DensezooError, within bounds of memory and time.

python tools/fuzz_formats.py tests/fixtures/formats --rounds 10000 --seed 1
"""

from __future__ import annotations

import random
import sys
import tempfile
import time
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

from densezoo import api, command_line
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
SECONDS, SLACK = 10.0, 64 << 20


def main(argv: Sequence[str] | None = None) -> int:
    """The command; returns its exit status."""
    parser = command_line.make_parser(__doc__)
    parser.add_argument("files", type=Path, nargs="+", help="checkpoint files, or folders of them")
    parser.add_argument("--rounds", type=int, default=1000, help="mutations of each file (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0)
    return command_line.run(fuzz, parser, argv)


def fuzz(args: Namespace) -> None:
    """Print a line a file; raise what breaks a rule, with the file and the seed that repeats it."""
    files = [file for path in args.files for file in (sorted(path.rglob("*")) if path.is_dir() else [path])]
    for path in (file for file in files if file.is_file()):
        print(path, end=" ", flush=True)
        api.load_checkpoint(path)  # loads it, and torch, before anything is measured
        print({what: sum(try_one(path, args.seed + i) == what for i in range(args.rounds)) for what in ("loaded",)})


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


def try_one(path: Path, seed: int) -> str:
    """Read a mutation of a file.

    Raises:
        FormatError: it took too long or too much memory. Anything that is no DensezooError passes through.
    """
    with tempfile.TemporaryDirectory() as folder:
        mutated = Path(folder, path.name)
        mutated.write_bytes(mutate(path.read_bytes(), seed))
        Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
        before, start = _memory("VmRSS"), time.perf_counter()
        try:
            api.load_checkpoint(mutated)
            what = "loaded"
        except DensezooError:
            what = "refused"
        except BaseException as error:
            raise RuntimeError(f"{path}, seed {seed}: {error!r}") from error
        seconds, grown = time.perf_counter() - start, _memory("VmHWM") - before
        if seconds > SECONDS or grown > 4 * mutated.stat().st_size + SLACK:
            raise FormatError(f"{path}, seed {seed}: took {seconds:.1f} s and {grown / 2**20:.0f} MiB")
    return what


def _memory(field: str) -> int:
    """Bytes, from Linux's /proc/self/status."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(field))
    return int(line.split()[1]) * 1024


if __name__ == "__main__":
    sys.exit(main())
