"""Times a network alone: images a second, single calls and memory of several programs, in interleaved rounds."""

from __future__ import annotations

import contextlib
import typing
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from densezoo.backends.base import BACKENDS, EAGER, EXACT
from densezoo.benchmarks.children import Child
from densezoo.benchmarks.measuring import FMA
from densezoo.benchmarks.programs import AUTOCAST, OWN, PROGRAMS
from densezoo.benchmarks.subject import Subject
from densezoo.errors import BenchmarkError
from densezoo.results.machine import INSTRUCTION_SETS
from densezoo.results.statistics import percentile
from densezoo.types.benchmark import ITS_OWN, Contestant, Latency

COMPARED = 2  # images whose logits are compared before the time is taken
INEXACT = 0.1  # largest relative difference of another package's logits in less than float32
Say = Callable[[str], None]


@dataclass(frozen=True)
class Settings:
    """How programs are timed.

    Args:
        backends: of densezoo.
        against: names in `densezoo.benchmarks.programs.PROGRAMS`, or their first words.
        precisions: each program is timed in those that it has.
        batch_sizes: images a call.
        device, threads: that everything computes on and with.
        instruction_set: that every program is held to; None: it takes the best that the CPU has.
        seconds: of one measurement of one program with one batch size.
        rounds: how often each is measured.
        patience: seconds that a program may take to load and convert the network.
    """

    backends: Sequence[str]
    against: Sequence[str] = ()
    precisions: Sequence[str] = ("float32",)
    batch_sizes: Sequence[int] = (1, 4, 16)
    device: str = "cpu"
    threads: int = 1
    instruction_set: str | None = None
    seconds: float = 1.0
    rounds: int = 5
    patience: float = 120.0

    @property
    def environment(self) -> Mapping[str, str]:
        """{variable: value} of every contestant."""
        held = INSTRUCTION_SETS[self.instruction_set].environment if self.instruction_set else {}
        return {"OMP_NUM_THREADS": str(self.threads), **held}


@dataclass
class Running:
    """A contestant while it is measured.

    Args:
        program, precision: that run.
        child: its process.
        held: whether it is held to the instruction set that was asked for.
        allowed: the largest difference from eager's logits.
        note: how it is run.
    """

    program: str
    precision: str
    child: Child
    held: bool
    allowed: float
    note: str | None
    error: float | None = None
    failed: str | None = None
    memory: int | None = None
    rates: dict[int, list[float]] = field(default_factory=dict)
    calls: list[float] = field(default_factory=list)

    def result(self, instruction_set: str) -> Contestant:
        """What was measured.

        Args:
            instruction_set: that the contestants were held to.
        """
        times = self.calls
        p50, p90, p99 = (percentile(times, percent) if times else 0.0 for percent in (50, 90, 99))
        latency = Latency(p50, p90, p99, len(times)) if times else None
        good = self.failed is None
        return Contestant(
            name=self.program,
            precision=self.precision,
            instruction_set=instruction_set if self.held else ITS_OWN,
            rates={str(batch): tuple(rates) for batch, rates in self.rates.items()} if good else {},
            latency=latency if good else None,
            peak_memory=self.memory if good else None,
            error=self.error,
            not_measured=self.failed,
            note=self.note,
        )


def contestants(settings: Settings) -> list[tuple[str, str, bool, float, str | None]]:
    """(program, precision, held, allowed difference, note) of everything that is to be timed.

    Args:
        settings: which programs in which precisions.

    Raises:
        BenchmarkError: a name in ``against`` is none.
    """
    rows: list[tuple[str, str, bool, float, str | None]] = []
    for name in settings.backends:
        own = BACKENDS[name].precisions
        rows += [(OWN + name, p, is_held(name), max(own[p], EXACT), None) for p in settings.precisions if p in own]
    for asked in settings.against:
        programs = [name for name in PROGRAMS if asked in (name, name.partition(" ")[0])]
        if not programs:
            known = ", ".join(dict.fromkeys(name.partition(" ")[0] for name in PROGRAMS))
            raise BenchmarkError(f"--against {asked}: there is no such program; expected some of {known}")
        for name in programs:
            program = PROGRAMS[name]
            for p in settings.precisions:
                if p in program.precisions and settings.device.partition(":")[0] in program.devices:
                    allowed = EXACT if p == "float32" else INEXACT
                    rows.append((name, p, program.held, allowed, program.note))
    return rows


def is_held(backend: str) -> bool:
    """Whether a backend of densezoo can be held to an instruction set.

    Args:
        backend: its name.
    """
    return PROGRAMS[backend].held if backend in PROGRAMS else True


def measure_inference(
    subject: Subject, settings: Settings, say: Say
) -> tuple[list[Contestant], dict[str, tuple[float, ...]]]:
    """(what each contestant did, {precision: multiply-adds a second of each round, in matrix products}).

    Args:
        subject: the network.
        settings: who is timed, and how.
        say: is told what was measured, a line each.

    Raises:
        BenchmarkError: densezoo's eager backend, which the others are held to, can't run the network.
    """
    with ExitStack() as stack:

        def start(program: str, precision: str) -> Child:
            child = stack.enter_context(Child(settings.environment))
            child.begin("start", task=subject.task(program, settings.device, precision, settings.threads).to_json())
            return child

        reference = start(OWN + EAGER, "float32")
        reference.end(settings.patience)
        expected = reference.ask("logits", number=COMPARED)
        reference.close()
        running = [Running(row[0], row[1], start(row[0], row[1]), *row[2:]) for row in contestants(settings)]
        for each in running:
            attempt(each, partial(_compare, each, expected, settings.patience), say)
        machine = stack.enter_context(Child(settings.environment))
        ceilings: dict[str, list[float]] = {precision: [] for precision in _ceilings(machine, settings)}
        for number in range(settings.rounds):
            for precision, rates in ceilings.items():
                rates.append(_ceiling(machine, precision, settings))
            for each in running:
                attempt(each, partial(_round, each, settings), say)
            say(f"round {number + 1} of {settings.rounds} done")
        for each in running:
            attempt(each, partial(_memory, each, settings.device), say)
    shown = settings.instruction_set or "the best"
    return [each.result(shown) for each in running], {p: tuple(rates) for p, rates in ceilings.items()}


def measure_ceilings(settings: Settings) -> dict[str, tuple[float, ...]]:
    """{precision: multiply-adds a second of each round, in matrix products}, all rounds one after the other.

    Args:
        settings: device, threads, precisions, rounds and seconds.
    """
    with Child(settings.environment) as machine:
        rounds = range(settings.rounds)
        return {p: tuple(_ceiling(machine, p, settings) for _ in rounds) for p in _ceilings(machine, settings)}


def _ceilings(machine: Child, settings: Settings) -> list[str]:
    """The precisions of the matrix products, and FMA where the native engine is there to measure it."""
    products = [p for p in dict.fromkeys(["float32", *settings.precisions]) if p in ("float32", *AUTOCAST)]
    if settings.device == "cpu":
        with contextlib.suppress(BenchmarkError):
            machine.ask("ceiling", device="cpu", precision=FMA, seconds=0.0, threads=1)
            return [*products, FMA]
    return products


def _ceiling(machine: Child, precision: str, settings: Settings) -> float:
    rate: float = machine.ask(
        "ceiling", device=settings.device, precision=precision, seconds=settings.seconds, threads=settings.threads
    )
    return rate


class Contesting(typing.Protocol):
    """A contestant in a process of its own, while it is measured.

    Args:
        program, precision: that run.
        child: its process.
        failed: why it is measured no further; None: it is.
    """

    program: str
    precision: str
    child: Child
    failed: str | None


def attempt(each: Contesting, act: Callable[[], None], say: Say) -> None:
    """Act for a contestant; one that fails is measured no further.

    Args:
        each: the contestant.
        act: what measures it.
        say: is told why it failed.
    """
    if each.failed is None:
        try:
            act()
        except BenchmarkError as error:
            each.failed = str(error)
            each.child.close()
            say(f"{each.program} {each.precision}: not measured: {error}")


def _compare(each: Running, expected: Sequence[Sequence[float]], patience: float) -> None:
    """Wait until the network is loaded, and hold its logits to eager's."""
    each.child.end(patience)
    logits = each.child.ask("logits", patience, number=COMPARED)
    each.error = largest_error(logits, expected)
    if not each.error <= each.allowed:  # nan is not
        raise BenchmarkError(
            f"computes something else: its logits differ from eager's by {each.error:.1e} of the largest; expected at "
            f"most {each.allowed:.0e}"
        )


def largest_error(logits: Sequence[Sequence[float]], expected: Sequence[Sequence[float]]) -> float:
    """The largest difference of two sets of logits, relative to the largest logit.

    Args:
        logits, expected: a list an image.
    """
    largest = np.abs(np.asarray(expected)).max()
    return float(np.abs(np.asarray(logits) - np.asarray(expected)).max() / largest)


def _round(each: Running, settings: Settings) -> None:
    for batch in settings.batch_sizes:
        rate = each.child.ask("throughput", batch=batch, seconds=settings.seconds)
        each.rates.setdefault(batch, []).append(rate)
    each.calls += each.child.ask("latency", seconds=settings.seconds / 2, calls=5)


def _memory(each: Running, device: str) -> None:
    each.memory = each.child.ask("memory", device=device)
