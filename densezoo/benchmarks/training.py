"""Times training steps of several packages in interleaved rounds, each in a process of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial

from densezoo.backends.base import EXACT
from densezoo.benchmarks.children import Child
from densezoo.benchmarks.inference import INEXACT, Say, Settings, attempt
from densezoo.benchmarks.programs import AUTOCAST
from densezoo.benchmarks.subject import Subject
from densezoo.benchmarks.training_step import CHANNELS_LAST
from densezoo.errors import BenchmarkError
from densezoo.types import Contestant

TRAINED = ("timm", "torchvision")  # packages beside densezoo whose networks can be built with its weights
NAMES = {"densezoo": "densezoo eager"}


@dataclass
class Trained:
    """A contestant while it is measured.

    Args:
        program: "densezoo", "timm" or "torchvision", perhaps with CHANNELS_LAST.
        precision: float32, or that of autocast.
        child: its process.
    """

    program: str
    precision: str
    child: Child
    loss: float | None = None
    error: float | None = None
    failed: str | None = None
    memory: int | None = None
    kept: int | None = None
    rates: dict[int, list[float]] = field(default_factory=dict)

    def check(self, loss: float, first: Trained, allowed: float) -> None:
        """Compare the loss of the first step with the first contestant's, once.

        Args:
            loss: of this contestant.
            first: the first contestant.
            allowed: the largest relative difference.

        Raises:
            BenchmarkError: it is larger.
        """
        if self.error is not None:
            return
        self.loss = loss
        self.error = abs(loss - first.loss) / abs(first.loss) if first.loss is not None else 0.0
        if not self.error <= allowed:
            raise BenchmarkError(f"its first loss is {loss:.6f}, and densezoo's {first.loss:.6f}")

    def result(self, instruction_set: str) -> Contestant:
        """What was measured.

        Args:
            instruction_set: that the contestants were held to.
        """
        builder = self.program.removesuffix(CHANNELS_LAST)
        good = self.failed is None
        return Contestant(
            name=NAMES.get(builder, builder) + self.program.removeprefix(builder),
            precision=self.precision,
            instruction_set=instruction_set,
            rates={str(batch): tuple(rates) for batch, rates in self.rates.items()} if good else {},
            peak_memory=self.memory if good else None,
            kept=self.kept if good else None,
            error=self.error,
            not_measured=self.failed,
        )


def measure_training(subject: Subject, settings: Settings, say: Say) -> list[Contestant]:
    """What each contestant did; the error is that of the first step's loss, relative to densezoo's.

    Args:
        subject: the network.
        settings: who is timed, and how; densezoo's backends play no part.
        say: is told what was measured, a line each.

    Raises:
        BenchmarkError: a name in ``against`` is none of TRAINED.
    """
    for asked in settings.against:
        if asked not in TRAINED:
            raise BenchmarkError(f"--against {asked}: training steps are known of {', '.join(TRAINED)}")
    programs = [name + end for name in ("densezoo", *settings.against) for end in ("", CHANNELS_LAST)]
    return interleaved(programs, settings, partial(_round, subject=subject, settings=settings), say)


def interleaved(
    programs: Sequence[str], settings: Settings, measure: Callable[[Trained, Trained], None], say: Say
) -> list[Contestant]:
    """What each program did in each precision, measured in turns, each in a process of its own.

    Args:
        programs: their names; what the first one does is what the others are compared with.
        settings: precisions, rounds, and what the processes are held to.
        measure: (contestant, first contestant): one measurement of the contestant.
        say: is told what was done, a line each.
    """
    precisions = [p for p in settings.precisions if p in ("float32", *AUTOCAST)]
    with ExitStack() as stack:
        running = [
            Trained(program, precision, stack.enter_context(Child(settings.environment)))
            for program in programs
            for precision in precisions
        ]
        for number in range(settings.rounds):
            for each in running:
                attempt(each, partial(measure, each, running[0]), say)
            say(f"round {number + 1} of {settings.rounds} done")
    return [each.result(settings.instruction_set or "the best") for each in running]


def _round(each: Trained, first: Trained, subject: Subject, settings: Settings) -> None:
    """One measurement with every batch size.

    Raises:
        BenchmarkError: the contestant can't train the network; its loss is not the first contestant's.
    """
    task = subject.task(each.program, settings.device, each.precision, settings.threads).to_json()
    for batch in settings.batch_sizes:
        rate, loss = each.child.ask("training", task=task, batch=batch, seconds=settings.seconds)
        each.check(loss, first, 10 * EXACT if each.precision == first.precision == "float32" else INEXACT)
        each.rates.setdefault(batch, []).append(rate)
    each.memory = each.child.ask("memory", device=settings.device)
