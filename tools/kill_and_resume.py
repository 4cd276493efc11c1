#!/usr/bin/env python
"""Kill -9 an evaluation at random moments, resume it each time, and hold its result against an undisturbed one's.

python tools/kill_and_resume.py CONFIG CHECKPOINT --reference RESULT.json --data-root DIR --out EMPTY_FOLDER
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

from densezoo.commands import options
from densezoo.errors import EvaluationError
from densezoo.paths import ROOT

COMPARED = ("weights_sha256", "dataset_fingerprint", "protocol", "num_samples", "correct1", "correct5")


def main(argv: Sequence[str] | None = None) -> int:
    """The command; returns its exit status."""
    parser = options.make_parser(__doc__)
    parser.add_argument("--reference", type=Path, required=True, help="stored result of an undisturbed run")
    parser.add_argument("--out", type=Path, required=True, help="folder for result and state")
    parser.add_argument("--kills", type=int, default=20, help="default: %(default)s")
    parser.add_argument("--seed", type=int, default=0, help="of the moments (default: %(default)s)")
    parser.add_argument("arguments", nargs="+", help="of tools/test.py; after -- if there are options")
    return options.run(kill_and_resume, parser, argv)


def kill_and_resume(args: Namespace) -> None:
    """Kill as soon as the state has grown to a random size, and go on; the last run is left to end."""
    command = [sys.executable, str(ROOT / "tools/test.py"), *args.arguments, "--resume", "--out", str(args.out)]
    expected = json.loads(args.reference.read_text())
    largest = 60 * expected["num_samples"]  # bytes of state, a little less than there will be
    chance = random.Random(args.seed)  # noqa: S311
    moments = sorted(chance.uniform(0, largest) for _ in range(args.kills))
    for number, moment in enumerate(moments, 1):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while process.poll() is None and sum(p.stat().st_size for p in args.out.glob("*/.*.state")) < moment:
            time.sleep(0.002)
        process.kill()
        if (status := process.wait()) != -9:
            raise EvaluationError(f"run {number} ended with status {status} before it was killed")
        print(f"kill {number} at {moment:,.0f} bytes of state", flush=True)
    subprocess.run(command, check=True)
    result = json.loads(next(args.out.glob("*/*.json")).read_text())
    for key in COMPARED:
        if result[key] != expected[key]:
            raise EvaluationError(f"{key} is {result[key]!r}, without kills {expected[key]!r}")
    print(f"{args.kills} kills: {result['correct1']} and {result['correct5']}, coverage {result['coverage']}")


if __name__ == "__main__":
    sys.exit(main())
