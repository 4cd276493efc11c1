"""Takes the first steps of a training by the loop's own parts, and measures each."""

from __future__ import annotations

import itertools
import math
import time
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from densezoo.errors import BenchmarkError, TrainingError
from densezoo.results.machine import peak_memory
from densezoo.training.data import load_batches
from densezoo.training.run import Run, deterministic, make_learner
from densezoo.training.sampling import Batches, process_seed


@dataclass(frozen=True)
class FirstSteps:
    """What the first optimiser steps of a training took.

    Args:
        images: of each step.
        side: of the images in pixels.
        precision: of the recipe.
        seconds: of each step: reading, augmenting, gradients, optimiser.
        losses: mean loss of each step's images.
        peak_memory: largest memory of the process, libraries included, or of the GPU; bytes.
    """

    images: int
    side: int
    precision: str
    seconds: tuple[float, ...]
    losses: tuple[float, ...]
    peak_memory: int


def take_first_steps(run: Run, steps: int, steps_per_epoch: int) -> FirstSteps:
    """Take the first steps of a run, as the training does; its network is trained by them.

    Args:
        run: that is begun, in one process.
        steps: how many, at most as many as the training has.
        steps_per_epoch: of the whole dataset, by which the learning rate goes.

    Raises:
        BenchmarkError: no steps, or more than the training has.
        TrainingError: a step's loss is not finite.
        DensezooError: an image can't be read; network, images and recipe don't fit.
    """
    if not 1 <= steps <= steps_per_epoch * run.recipe.epochs:
        raise BenchmarkError(
            f"--steps {steps}: expected a number from 1 to {steps_per_epoch * run.recipe.epochs}, as the training has"
        )
    seconds, losses = [], []
    enough = max(run.recipe.epochs, steps)  # of noise there is one batch, so that each step is an epoch
    batches = Batches(run.images.images, replace(run.recipe, epochs=enough))
    with deterministic(run.device):
        learner = make_learner(run, steps_per_epoch)
        torch.manual_seed(process_seed(run.recipe, 0))
        with closing(load_batches(run.images, batches, run.workers, pin=learner.device.type == "cuda")) as loaded:
            for done in range(steps):
                start = time.perf_counter()
                parts = list(itertools.islice(loaded, run.recipe.accumulate))
                loss, _ = learner.step(iter(parts), done).tolist()
                seconds.append(time.perf_counter() - start)
                losses.append(loss)
                if not math.isfinite(loss):
                    raise TrainingError(f"the loss is {loss} at iteration {done + 1}")
    if learner.device.type == "cuda":
        memory = torch.cuda.max_memory_allocated(learner.device)
    else:
        memory = peak_memory(Path("/proc/self/status").read_text(encoding="utf-8"))
    side = parts[0][0].shape[-1]
    return FirstSteps(run.recipe.batch_size, side, run.recipe.precision, tuple(seconds), tuple(losses), memory)
