"""What a training tells its observers: logs, the progress line, curves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True)
class Step:
    """One optimiser step is done.

    Args:
        epoch: the one that it belongs to, from 1.
        step: how many steps the run has done, this one included.
        steps: of the whole run.
        lr: learning rate of the step, before any group's own factor.
        loss: mean over the step's images, in all processes.
        top1: percent of the step's images whose class was named; None: not taken, because labels were mixed.
        images: how many the step took, in all processes.
        seconds: since the step before, or since the epoch's first batch was asked for.
    """

    epoch: int
    step: int
    steps: int
    lr: float
    loss: float
    top1: float | None
    images: int
    seconds: float


@dataclass(frozen=True)
class Epoch:
    """One epoch is done, and evaluated if it was its turn.

    Args:
        epoch: from 1.
        epochs: of the whole run.
        step: how many optimiser steps the run has done.
        lr: learning rate of the last step.
        train_loss: mean over the epoch's images.
        train_top1: percent; None: not taken.
        seconds: of the epoch's steps, without the evaluation, as far as this process did them.
        measures: {name: value} of the evaluation, such as {"top1": percent}; empty: not evaluated. The first one is
            what the best weights are chosen by; more is better.
    """

    epoch: int
    epochs: int
    step: int
    lr: float
    train_loss: float
    train_top1: float | None
    seconds: float
    measures: Mapping[str, float] = field(default_factory=dict)


class Observer(Protocol):
    """Is told of every step and epoch, in the main process alone."""

    def on_step(self, step: Step) -> None:
        """One optimiser step is done."""

    def on_epoch(self, epoch: Epoch) -> None:
        """One epoch is done."""

    def close(self) -> None:
        """The run ends: finished, interrupted or failed."""
