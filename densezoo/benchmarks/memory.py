"""Measures what training keeps for backward, its time and its peak, of several programs in interleaved rounds."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from densezoo.backends.base import EXACT
from densezoo.benchmarks.inference import INEXACT, Say, Settings
from densezoo.benchmarks.memory_step import OTHERS
from densezoo.benchmarks.programs import OWN
from densezoo.benchmarks.subject import Subject
from densezoo.benchmarks.training import Trained, interleaved
from densezoo.benchmarks.training_step import CHANNELS_LAST
from densezoo.errors import BenchmarkError, UnknownNameError
from densezoo.families import family_of
from densezoo.types import Contestant

LAYOUTS = {"contiguous": "", "channels-last": CHANNELS_LAST}


def programs(subject: Subject, against: Sequence[str], modes: Sequence[str], layouts: Sequence[str]) -> list[str]:
    """The contestants' names, plain densezoo's first.

    Args:
        subject: the network.
        against: first words of names in `densezoo.benchmarks.memory_step.OTHERS`.
        modes: memory modes of densezoo; none: all that the family has.
        layouts: of LAYOUTS.

    Raises:
        UnknownNameError: there is no such mode or layout.
        BenchmarkError: there is no such other program.
    """
    known = family_of(subject.experiment.model).memory_modes
    for kind, names, table in (("memory mode", modes, known), ("layout", layouts, LAYOUTS)):
        for name in names:
            if name not in table:
                raise UnknownNameError(kind, name, table)
    for name in against:
        if name not in {other.split()[0] for other in OTHERS}:
            raise BenchmarkError(f"--against {name}: what is kept for backward is known of torchvision, gpleiss")
    own = [OWN + mode for mode in modes or known]
    others = [other for other in OTHERS if other.split()[0] in against]
    return [program + LAYOUTS[layout] for program in [*own, *others] for layout in layouts]


def measure_memory(
    subject: Subject, settings: Settings, modes: Sequence[str], layouts: Sequence[str], say: Say
) -> list[Contestant]:
    """What each contestant did; the error is that of the first step's loss, relative to the first contestant's.

    Args:
        subject: the network.
        settings: who is timed, and how; densezoo's backends play no part, and the largest batch size is the one.
        modes: memory modes of densezoo; none: all that the family has.
        layouts: of maps and weights: "contiguous", "channels-last".
        say: is told what was measured, a line each.

    Raises:
        UnknownNameError: there is no such mode or layout.
        BenchmarkError: there is no such other program.
    """
    names = programs(subject, settings.against, modes, layouts)
    return interleaved(names, settings, partial(_round, subject=subject, settings=settings), say)


def _round(each: Trained, first: Trained, subject: Subject, settings: Settings) -> None:
    """One measurement.

    Raises:
        BenchmarkError: the contestant can't train the network; its loss is not the first contestant's.
    """
    task = subject.task(each.program, settings.device, each.precision, settings.threads).to_json()
    batch = max(settings.batch_sizes)
    rate, loss, each.kept = each.child.ask("training_memory", task=task, batch=batch, seconds=settings.seconds)
    each.check(loss, first, 10 * EXACT if each.precision == first.precision == "float32" else INEXACT)
    each.rates.setdefault(batch, []).append(rate)
    each.memory = each.child.ask("memory", device=settings.device)
