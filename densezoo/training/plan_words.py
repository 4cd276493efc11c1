"""The plan of a training as a person reads it in a terminal, lines of at most 80 columns; and as a program does."""

from __future__ import annotations

import dataclasses
import math
import textwrap
from collections.abc import Callable, Iterator, Mapping

from densezoo.results import provenance
from densezoo.training.plan import Memory, TrainingPlan
from densezoo.training.progress import WIDTH, duration
from densezoo.training.schedules import learning_rate

BLOCKS = " ▁▂▃▄▅▆▇█"
ROWS, COLUMNS = 6, 60  # of the schedule's plot
SHAPE = 1000  # steps an epoch where nobody knows how many there are: any number shows the schedule's shape
_NAMES = 15  # columns of a line's name


def describe(plan: TrainingPlan, title: str) -> str:
    """All that a plan says.

    Args:
        plan: to describe.
        title: its first line: what is trained on what.
    """
    lines = [line for name, text in _facts(plan) for line in _folded(name, text)]
    return "\n".join([title, "", *lines, "", "learning rate", *_schedule(plan)])


def values(plan: TrainingPlan) -> Mapping[str, object]:
    """All that a plan says, as JSON values and dataclasses of such; bytes and seconds, None where nobody knows.

    ``learning_rate`` has that of each epoch's first step.

    Args:
        plan: to describe.
    """
    recipe, an_epoch = plan.recipe, plan.steps_per_epoch
    first_steps = [epoch * (an_epoch or SHAPE) for epoch in range(recipe.epochs)]
    return {
        "parameters": plan.parameters,
        "trained_parameters": plan.trained,
        "multiply_adds": plan.flops,
        "image_size": plan.image_size,
        "images": plan.images,
        "batch_size": recipe.batch_size,
        "accumulate": recipe.accumulate,
        "processes": plan.processes,
        "epochs": recipe.epochs,
        "steps_per_epoch": an_epoch,
        "steps": None if an_epoch is None else recipe.epochs * an_epoch,
        "evaluations": plan.evaluations,
        "memory": {
            "total": plan.memory.total,
            "activations": plan.memory.activations,
            **dataclasses.asdict(plan.memory),
        },
        "speed": plan.speed,
        "device": plan.run.device,
        "machine": provenance.machine(plan.run.device),
        "seconds": plan.seconds,
        "notes": plan.run.said,
        "learning_rate": [learning_rate(recipe, step, an_epoch or SHAPE) for step in first_steps],
    }


def _facts(plan: TrainingPlan) -> Iterator[tuple[str, str]]:
    """(name, text) of each fact; a name that is indented belongs to the one before it."""
    height, width = plan.image_size
    trained = "all trained" if plan.trained == plan.parameters else f"{plan.trained:,} trained"
    yield "parameters", f"{plan.parameters:,}, {trained}"
    yield "multiply-adds", f"{plan.flops / 1e9:.3g} G an image of {height} x {width} pixels, one way"
    yield "images", _images(plan)
    yield "steps", _steps(plan)
    yield from _memory(plan.memory, plan.processes)
    yield "time", _time(plan)
    yield from (("note", line) for line in plan.run.said)


def _images(plan: TrainingPlan) -> str:
    if plan.images.training is None:
        return "not known: give --data-root, then steps and time follow"
    where = "" if plan.images.found else ", as published; they were not looked for, as there is no --data-root"
    return f"{plan.images.training:,} to train on, {plan.images.test or 0:,} to measure on{where}"


def _steps(plan: TrainingPlan) -> str:
    recipe = plan.recipe
    parts = f" in {recipe.accumulate} parts" if recipe.accumulate > 1 else ""
    processes = f" in {plan.processes} processes" if plan.processes > 1 else ""
    if plan.steps_per_epoch is None:
        return f"of {recipe.batch_size} images{parts}{processes}, {recipe.epochs} epochs"
    in_all = plan.steps_per_epoch * recipe.epochs
    return (
        f"{in_all:,}: {recipe.epochs} epochs of {plan.steps_per_epoch:,} steps of {recipe.batch_size} images"
        f"{parts}{processes}; {_times(plan.evaluations, 'evaluation')}"
    )


def _memory(memory: Memory, processes: int) -> Iterator[tuple[str, str]]:
    each = " in each process" if processes > 1 else ""
    yield "memory", f"{size(memory.total)}{each}, beside the framework's own"
    yield "  weights", size(memory.weights)
    yield "  gradients", size(memory.gradients)
    yield "  optimiser", size(memory.optimiser)
    if memory.average:
        yield "  average", size(memory.average)
    if memory.teacher:
        yield "  teacher", size(memory.teacher)
    yield (
        "  activations",
        f"{size(memory.activations)}: {memory.images} images x {size(memory.an_image)} that are kept for backward",
    )


def _time(plan: TrainingPlan) -> str:
    speed = plan.speed
    if speed is None:
        return "not measured"
    reading = "" if speed.reading is None else f", {_short(speed.reading)} to read and augment it on one core"
    measured = (
        f"{_short(speed.training)} an image to train, {_short(speed.evaluating)} to evaluate{reading}; "
        f"measured in {_times(speed.steps, 'step')} of {speed.images} images on {provenance.machine(plan.run.device)}"
    )
    if plan.seconds is None:
        return measured
    machines = f" in {plan.processes} processes" if plan.processes > 1 else " on this machine"
    unread = "" if speed.reading is not None else ", without reading the images"
    return f"about {duration(plan.seconds)}{machines}{unread}: {measured}"


def _schedule(plan: TrainingPlan) -> list[str]:
    an_epoch, recipe = plan.steps_per_epoch or SHAPE, plan.recipe
    return plot(lambda step: learning_rate(recipe, step, an_epoch), an_epoch * recipe.epochs, f"{recipe.epochs} epochs")


def plot(rate: Callable[[int], float], steps: int, end: str) -> list[str]:
    """A function of the steps as lines of unicode blocks, with its axes.

    A column shows the step in its middle; the height is linear from 0 on, and what is not 0 has a block.

    Args:
        rate: steps that are done -> value, 0 or more.
        steps: of the whole run.
        end: what stands under the right end of the axis.
    """
    values = [rate(min(steps - 1, int((column + 0.5) / COLUMNS * steps))) for column in range(COLUMNS)]
    top = max(values) or 1.0
    levels = [math.ceil(8 * ROWS * value / top - 1e-9) for value in values]
    label = f"{top:.3g}"
    lines = []
    for row in reversed(range(ROWS)):
        bar = "".join(BLOCKS[max(0, min(8, level - 8 * row))] for level in levels)
        name = label if row == ROWS - 1 else ""
        lines.append(f"{name:>{_NAMES - 6}} ┤{bar}".rstrip() if name else f"{'':{_NAMES - 6}} │{bar}".rstrip())
    lines.append(f"{'0':>{_NAMES - 6}} └{'─' * COLUMNS}")
    return [*lines, f"{'':{_NAMES - 4}}0{end:>{COLUMNS - 1}}"]


def size(number: float) -> str:
    """Bytes in the largest binary unit of which there is one.

    Args:
        number: of bytes.
    """
    for unit, power in (("GiB", 30), ("MiB", 20), ("KiB", 10)):
        if number >= 2**power:
            return f"{number / 2**power:.3g} {unit}" if number < 1000 * 2**power else f"{number / 2**power:,.0f} {unit}"
    return f"{number:.0f} bytes"


def _short(seconds: float) -> str:
    return f"{seconds:.3g} s" if seconds >= 1 else f"{1e3 * seconds:.3g} ms"


def _times(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'s' * (number != 1)}"


def _folded(name: str, text: str) -> list[str]:
    """A fact as lines, its text beside the name."""
    lines = textwrap.wrap(text, WIDTH - _NAMES, break_on_hyphens=False)
    return [f"{name if i == 0 else '':{_NAMES}}{line}" for i, line in enumerate(lines)]
