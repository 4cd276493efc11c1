#!/usr/bin/env python
"""Do harm to real evaluations at random moments: each ends in the exact numbers or in one message, and can go on.

python tests/fault_loop.py --rounds 10 --seed 1
python tests/fault_loop.py --only image_replaced --first 7 --seed 1 --keep /tmp/faults  # repeats one of them

A run is judged by its stored JSON, which has to be an undisturbed run's in every field but date, seconds and commit,
or by its stderr, which has to be one message, with nothing half-written left. Then the harm is undone, and the same
command, with --resume where a state is left, has to end in the exact numbers.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path

import pyarrow.parquet
from faults import FAULTS, SECONDS, SWEEP, TEST, TORCH7, VICTIM, Fault

REPOSITORY = Path(__file__).resolve().parent.parent
IMAGES, BATCH = 200, 4
STATE = (62 + 16 / BATCH) * IMAGES  # bytes of all records
PHASES = {"start-up": 1, "hashing": 1, "scoring": 4, "storing": 2}  # {phase: how often it is hit}
CIRCUMSTANCES = ("date", "seconds", "commit", "machine")
CONFIG = """
model = dict(growth_rate=4, block_config=(1, 1), num_init_features=8, num_classes=3)
dataset = "imagefolder"
protocol = "torchvision"
"""
#: Lines of stderr beside the message.
ASIDE = re.compile(r"(backend|images|warning): .*|(hashing|evaluating) \d+/\d+ .*|\s*")
WHOLE = (".json", ".state", ".parquet", ".error.txt", "fill")  # endings of what may be left
#: Files of torch's loader, empty (it counts free descriptors while its worker's death interrupts it), and of Python's
#: tempfile, with "blat" (a worker that is killed while it tries out whether it may write there).
TORCHS = re.compile(r"(tmp)?\w{8}")
HINT = re.compile(r"[\d,]+ of [\d,]+ images are kept in .* with --resume goes on")

Values = Mapping[str, object]
Key = tuple[object, ...]


class Wrong(Exception):
    """A run that ended as none may."""


@dataclass
class Case:
    """One fault in one round.

    Args:
        fault: what is done.
        folder: its own: images (val, other, val.tar), weights, and what the runs make.
        chance: for its moment and choices.
        references: {what a result is of: its values}, by undisturbed runs.
    """

    fault: Fault
    folder: Path
    chance: random.Random
    references: dict[Key, Values]
    children: list[subprocess.Popen[bytes]] = field(default_factory=list)
    phase: str = ""

    def start(self, *options: object, out: str = "out", **environment: object) -> None:
        """Start the fault's command in the case's folder, stderr in a file; later options win over earlier ones."""
        own = {"DENSEZOO_HOME": self.folder / "home", "TMPDIR": self.folder / "tmp", "OMP_NUM_THREADS": 1}
        own |= {"PYTHONPATH": REPOSITORY, **environment}
        tool, *fixed = (*self.fault.command, "--device", "cpu", "--workers", 2, "--batch-size", BATCH, "--out", out)
        command = [*self.fault.prefix, sys.executable, REPOSITORY / "tools" / str(tool), *fixed, *options]
        with self.stderr(len(self.children)).open("wb") as stderr:
            process = subprocess.Popen(
                [str(word) for word in command],
                cwd=self.folder,
                env={**os.environ, **{name: str(value) for name, value in own.items()}},
                stdout=subprocess.DEVNULL,
                stderr=stderr,
                start_new_session=True,
            )
        self.children.append(process)

    def stderr(self, number: int) -> Path:
        """What the child of that number says."""
        return self.folder / f"{number}.stderr"

    def run(self, *options: object, out: str = "out") -> None:
        """Start it, in as many processes as the fault has."""
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            place = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": listener.getsockname()[1], "LOCAL_RANK": 0}
        for rank in range(self.fault.ranks):
            ranks = {**place, "RANK": rank, "WORLD_SIZE": self.fault.ranks} if self.fault.ranks > 1 else {}
            self.start(*options, out=out, **ranks)

    def workers(self) -> list[int]:
        """Process ids of the first child's children."""
        first = self.children[0].pid
        with suppress(OSError):
            return [int(word) for word in Path(f"/proc/{first}/task/{first}/children").read_text().split()]
        return []

    def scored(self) -> float | None:
        """The share of the images that the states hold; None: there is no state."""
        with suppress(OSError, ValueError):
            states = [path.read_bytes() for path in self.folder.glob("*/*/.*.state")]
            return sum(len(state) - state.index(b"\n") - 1 for state in states) / STATE if states else None
        return None

    def wait_for_the_moment(self) -> None:
        """Wait for a random moment of a random phase, or the run's end; note what phase that really is."""
        wanted = self.fault.phase or self.chance.choices(list(PHASES), list(PHASES.values()))[0]
        share, begun, (scored, reached) = self.chance.random(), time.monotonic(), (None, False)
        while not reached and self.children[0].poll() is None and time.monotonic() - begun < SECONDS:
            time.sleep(0.001)
            scored = self.scored()
            late = wanted == "start-up" and time.monotonic() - begun > 4 * share
            reached = late or (scored is not None and scored >= {"scoring": share, "storing": 1}.get(wanted, 0))
        if wanted in ("hashing", "storing"):
            time.sleep(0.05 * share)
            scored = self.scored()
        if self.children[0].poll() is not None or (scored is None and self.results()):
            self.phase = "the end"
        elif scored is None:
            self.phase = "start-up"
        else:
            self.phase = "hashing" if scored <= 0 else "scoring" if scored < 1 else "storing"

    def results(self) -> list[Path]:
        return list(self.folder.glob("out/*/*.json"))

    def judge(self, first: int, limit: float = SECONDS) -> set[str]:
        """What became of the children from the first given on; every stored result is held to its reference."""
        found = {self._ended(number, limit) for number in range(first, len(self.children))}
        if "killed" not in found:
            left = [path for name in ("out", "tmp", "predictions") for path in (self.folder / name).rglob("*")]
            torchs = {
                path
                for path in left
                if TORCHS.fullmatch(path.name) and path.is_file() and path.read_bytes() in (b"", b"blat")
            }
            odd = [str(path) for path in {*left} - torchs if path.is_file() and not path.name.endswith(WHOLE)]
            if odd:
                raise Wrong(f"left behind: {', '.join(odd)}")
        for result in self.results():
            self._check(json.loads(result.read_text()))
        for table in self.folder.glob("predictions/*.parquet"):
            if pyarrow.parquet.read_metadata(table).num_rows != IMAGES:
                raise Wrong(f"{table}: not {IMAGES} rows")
        if "exact" in found and len(self.results()) != 1:
            raise Wrong(f"exit status 0, and {len(self.results())} results are stored")
        if found == {"error"} and self.results():
            raise Wrong("an error, and a result is stored")
        return found

    def _ended(self, number: int, limit: float) -> str:
        """How one child ended: exact (to be checked), error, interrupted or killed."""
        try:
            status = self.children[number].wait(limit)
        except subprocess.TimeoutExpired:
            raise Wrong(f"no end after {limit:.0f} s") from None
        said = [line for line in self.stderr(number).read_text().splitlines() if not ASIDE.fullmatch(line)]
        if status in self.fault.silent and (status == -signal.SIGKILL or not (self.folder / "out").exists()):
            return "killed"
        kind = "exact" if status == 0 else "error" if status == 1 else "interrupted"
        message = not said if status == 0 else bool(said) and said[0].startswith(kind) and len(said) < 3
        if not message or any(not HINT.fullmatch(line) for line in said[1:]):
            raise Wrong(f"exit status {status}, expected {'no' if status == 0 else 'one'} message")
        return kind

    def _check(self, values: Values) -> None:
        """Hold a result to that of an undisturbed run over the same images and weights."""
        expected = self.references.get((self.fault.ranks, *key(values))) or self.undisturbed()
        differing = [name for name in values if name not in CIRCUMSTANCES and values[name] != expected[name]]
        if differing:
            text = "; ".join(f"{name}: {values[name]}, undisturbed {expected[name]}" for name in differing)
            raise Wrong(f"other numbers: {text}")

    def undisturbed(self) -> Values:
        """The result of a run over what there is now."""
        first, out = len(self.children), f"alone{len(self.children)}"
        self.run(out=out)
        for number in range(first, len(self.children)):
            self._ended(number, SECONDS)
        (stored,) = self.folder.glob(f"{out}/*/*.json")
        values: Values = json.loads(stored.read_text())
        return values


def key(values: Values) -> Key:
    """What a result is of."""
    return tuple(values[name] for name in ("dataset", "dataset_fingerprint", "weights_sha256", "protocol"))


def make_images(folder: Path) -> None:
    """Noise of three classes, uncompressed: every file has the same size; in ``other`` one image and all weights."""
    import numpy as np
    import torch
    from PIL import Image

    from densezoo import api, config
    from densezoo.formats.safetensors import write_safetensors

    folder.mkdir(parents=True)
    (folder.parent / "small.py").write_text(CONFIG)
    for name, seed in (("kept", 0), ("other", 1)):
        torch.manual_seed(seed)
        for number in range(IMAGES):
            path = folder / name / f"val/{'abc'[3 * number // IMAGES]}/{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            noise = np.random.default_rng((number, seed if str(path).endswith(VICTIM) else 0))
            Image.fromarray(noise.integers(0, 256, (40, 50, 3), np.uint8)).save(path, compress_level=0)
        network = api.create_model(config.load_config(folder.parent / "small.py").model)
        write_safetensors(folder / name / "small.safetensors", network.state_dict(), {})
    with tarfile.open(folder / "kept/val.tar", "w") as tar:
        tar.add(folder / "kept/val", ".")
    shutil.copytree(folder / "kept", folder, dirs_exist_ok=True)
    (folder / "tmp").mkdir()


def references(folder: Path) -> dict[Key, Values]:
    """Of undisturbed runs over all images, weights and protocols that the faults bring together."""
    case = Case(Fault(), folder, random.Random(0), {})
    weights, roots = ("small.safetensors", "other/small.safetensors"), ("val", "other/val")
    of_both = [(*TEST[:2], which, "--data-root", root) for which, root in product(weights, roots)]
    for ranks, commands in ((1, [*of_both, TORCH7, SWEEP]), (2, of_both)):
        for command in commands:
            case.fault = Fault(command=command, ranks=ranks)
            values = case.undisturbed()
            reference = (ranks, *key(values))
            case.references[reference] = values
    return case.references


def one(name: str, number: int, seed: int, folder: Path, known: dict[Key, Values]) -> tuple[str, str]:
    """Do one fault; returns (its phase, what came of it): the outcomes before and after the harm was undone."""
    fault, own = FAULTS[name], folder / f"{name}.{number}"
    shutil.copytree(folder / "base", own, ignore=shutil.ignore_patterns("*.stderr", "alone*", "home", "pixels"))
    case = Case(fault, own, random.Random(f"{name} {number} {seed}"), known)
    try:
        fault.prepare(case)
        case.run()
        case.wait_for_the_moment()
        fault.harm(case)
        outcome = "+".join(sorted(case.judge(0, fault.limit)))
        if outcome != "exact":
            fault.mend(case)
            begun, resume = len(case.children), list(own.glob("out/*/.*.state"))
            case.run(*(["--resume"] if resume else []))
            outcome += ", then exact"
            if (after := case.judge(begun)) != {"exact"}:
                raise Wrong(f"after {outcome}: {after}")
        return case.phase, outcome
    except Wrong as wrong:
        said = [f"--- {path.name}\n{path.read_text()}" for path in sorted(own.glob("*.stderr"))]
        return case.phase, "\n".join([f"WRONG: {wrong}", *said])
    finally:
        for child in case.children:
            if child.poll() is None:
                os.killpg(child.pid, signal.SIGKILL)
                child.wait()
        for path in (own / name for name in ("out", "predictions", "pixels")):
            if path.is_mount():
                subprocess.run(["umount", "-l", path], check=True)


def main() -> int:
    """The command; returns its exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=1, help="of all faults (default: %(default)s)")
    parser.add_argument("--first", type=int, default=0, help="number of the first round (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of moments and choices (default: %(default)s)")
    parser.add_argument("--only", choices=FAULTS, action="append", help="this fault; may be given several times")
    parser.add_argument("--jobs", type=int, default=2, help="faults at a time (default: %(default)s)")
    parser.add_argument("--keep", type=Path, help="new folder that keeps what the runs leave")
    arguments = parser.parse_args()
    own = "FAULT_LOOP_CAN_MOUNT"
    unshare = ["unshare", "-rm", "--propagation", "private"]
    if own not in os.environ and subprocess.run([*unshare, "true"], capture_output=True).returncode == 0:
        os.execvpe("unshare", [*unshare, sys.executable, *sys.argv], {**os.environ, own: "1"})
    with tempfile.TemporaryDirectory() as temporary:
        folder = (arguments.keep or Path(temporary)).absolute()
        make_images(folder / "base")
        known = references(folder / "base")
        return loop(arguments, folder, known, own in os.environ)


def loop(arguments: argparse.Namespace, folder: Path, known: dict[Key, Values], can_mount: bool) -> int:
    """All faults and rounds; a line each, then a table; returns the exit status."""
    names = [name for name in arguments.only or FAULTS if can_mount or not FAULTS[name].mounts]
    table: dict[str, Counter[str]] = {name: Counter() for name in names}
    for name in set(arguments.only or FAULTS) - set(names):
        print(f"{name}: left out, this system lets nobody mount in a namespace of their own")

    def work(task: tuple[int, str]) -> None:
        number, name = task
        begun = time.monotonic()
        phase, outcome = one(name, number, arguments.seed, folder, known)
        table[name][outcome.partition(":")[0]] += 1
        print(f"{number} {name} in {phase}: {outcome} ({time.monotonic() - begun:.0f} s)", flush=True)
        if outcome.startswith("WRONG"):
            print(f"  again: --only {name} --first {number} --seed {arguments.seed} --keep FOLDER", flush=True)
        elif not arguments.keep:
            shutil.rmtree(folder / f"{name}.{number}")

    rounds = range(arguments.first, arguments.first + arguments.rounds)
    with ThreadPoolExecutor(arguments.jobs) as pool:
        list(pool.map(work, [(number, name) for number in rounds for name in names]))
    for name, outcomes in table.items():
        print(f"{name:32} " + ", ".join(f"{number} {outcome}" for outcome, number in sorted(outcomes.items())))
    total = sum(table.values(), Counter())
    print(f"{total.total()} runs: " + ", ".join(f"{number} {outcome}" for outcome, number in total.most_common()))
    return 1 if total["WRONG"] else 0


if __name__ == "__main__":
    sys.exit(main())
