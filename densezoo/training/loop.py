"""The training loop: what one optimiser step does, and what happens between steps."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from densezoo.errors import EvaluationError, TrainingError
from densezoo.evaluation import distributed
from densezoo.training.averaging import Average
from densezoo.training.distillation import Teacher
from densezoo.training.events import Epoch, Observer, Step
from densezoo.training.interruption import Interruption
from densezoo.training.sampling import batch_seed
from densezoo.types import Recipe

PRECISIONS = {"bf16": torch.bfloat16, "fp16": torch.float16}  # what autocast computes products in

Batch = tuple[Tensor, Tensor]  # float32 images (N, C, H, W), labels (N,)


@dataclass(frozen=True)
class Ingredients:
    """What a recipe's names stand for.

    Args:
        mix: (images, labels, generator) -> (images, targets).
        loss: (logits, targets) -> the batch's mean loss.
        rate: optimiser steps done -> learning rate of the next one.
        teacher: whose answers are imitated; None: none.
    """

    mix: Callable[[Tensor, Tensor, torch.Generator], Batch]
    loss: Callable[[Tensor, Tensor], Tensor]
    rate: Callable[[int], float]
    teacher: Teacher | None = None


class Learner:
    """A network with all that an optimiser step changes.

    Args:
        network: densezoo's module on its device; trained in place.
        forward: the network as it is called in training: wrapped for several processes, compiled.
        optimiser: of the network's parameters; groups may have an "lr_scale".
        ingredients: of the recipe.
        recipe: gives seed, precision, accumulate, clip_grad, channels_last, mixup and cutmix.
        average: of the weights; None: none.
    """

    def __init__(
        self,
        network: nn.Module,
        forward: Callable[[Tensor], Tensor],
        optimiser: torch.optim.Optimizer,
        ingredients: Ingredients,
        recipe: Recipe,
        average: Average | None = None,
    ) -> None:
        self.network, self.forward, self.optimiser = network, forward, optimiser
        self.ingredients, self.recipe, self.average = ingredients, recipe, average
        self.device = next(network.parameters()).device
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=recipe.precision == "fp16")

    @property
    def measured(self) -> nn.Module:
        """The network that is evaluated and kept: the average, if there is one."""
        return self.network if self.average is None else self.average.network

    def step(self, batches: Iterator[Batch], done: int) -> Tensor:
        """Take the optimiser step after ``done`` others; return this process's (mean loss, share of right classes).

        Args:
            batches: of this process; ``accumulate`` are taken from it.
            done: optimiser steps done.
        """
        rate, parts = self.ingredients.rate(done), self.recipe.accumulate
        for group in self.optimiser.param_groups:
            group["lr"] = rate * group.get("lr_scale", 1.0)
        self.optimiser.zero_grad()
        sums = torch.zeros(2, device=self.device)
        for part in range(parts):
            images, labels = next(batches)
            with self._summed(last=part == parts - 1):
                loss, right = self._loss(images, labels, done, part)
                self.scaler.scale(loss / parts).backward()  # type: ignore[no-untyped-call]
            sums += torch.stack([loss.detach(), right])
        if self.recipe.clip_grad is not None:
            self.scaler.unscale_(self.optimiser)
            nn.utils.clip_grad_norm_(self.network.parameters(), self.recipe.clip_grad)
        self.scaler.step(self.optimiser)
        self.scaler.update()
        if self.average is not None:
            self.average.update(self.network)
        return sums / parts

    def _loss(self, images: Tensor, labels: Tensor, done: int, part: int) -> tuple[Tensor, Tensor]:
        """A batch's mean loss, and the share of its images whose class was named (of mixed ones it means nothing)."""
        layout = torch.channels_last if self.recipe.channels_last else torch.contiguous_format
        images = images.to(self.device, non_blocking=True).contiguous(memory_format=layout)
        labels = labels.to(self.device, non_blocking=True)
        number = part * distributed.world_size() + distributed.rank()
        generator = torch.Generator().manual_seed(batch_seed(self.recipe, done, number))
        images, targets = self.ingredients.mix(images, labels, generator)
        teacher, kind = self.ingredients.teacher, PRECISIONS.get(self.recipe.precision)
        with torch.autocast(self.device.type, kind or torch.bfloat16, enabled=kind is not None):
            logits = self.forward(images)
            loss = self.ingredients.loss(logits, targets)
            if teacher is not None:
                loss = teacher.loss(logits, teacher.logits(images), loss)
        right = (logits.detach().argmax(1) == labels).float().mean() if labels.ndim == 1 else torch.zeros_like(loss)
        return loss, right.detach()

    def _summed(self, last: bool) -> AbstractContextManager[object]:
        """Gradients of several processes are summed in the last of accumulated batches alone."""
        forward = self.forward
        return forward.no_sync() if isinstance(forward, DistributedDataParallel) and not last else nullcontext()


@dataclass
class Progress:
    """How far a run has come, as JSON values.

    Args:
        step: optimiser steps done.
        epochs: epochs that are done, evaluated and told of.
        loss, right: sums over the running epoch's steps of mean loss and of the share of right classes.
        seconds: of the running epoch's steps.
        best: the first measure of the best evaluation; None: none yet.
        best_epoch: its epoch.
        evaluations_since: evaluations after it.
    """

    step: int = 0
    epochs: int = 0
    loss: float = 0.0
    right: float = 0.0
    seconds: float = 0.0
    best: float | None = None
    best_epoch: int = 0
    evaluations_since: int = 0

    def has_ended(self, recipe: Recipe) -> bool:
        """Whether all epochs are done, or as many evaluations without a better one as the recipe waits for.

        Args:
            recipe: gives epochs and patience.
        """
        stopped = recipe.patience is not None and self.evaluations_since >= recipe.patience
        return stopped or self.epochs >= recipe.epochs


class Keeper(Protocol):
    """Stores what a run has reached."""

    def capture(self, progress: Progress) -> Callable[[], None]:
        """Collect the run's state; every process calls this. The result writes it, before the next step is taken."""

    def save_best(self, network: nn.Module, measures: Mapping[str, float]) -> None:
        """Write the weights that no evaluation has surpassed."""

    def where(self) -> str:
        """What is kept, as a sentence's part; "" if nothing is kept yet."""


@dataclass
class Loop:
    """A whole run: epochs of steps, each with its evaluation.

    Args:
        learner: takes the steps.
        batches: of this process, from the first step that isn't done yet.
        steps_per_epoch: optimiser steps of an epoch.
        evaluate: network -> {name: value}; the first one is what the best weights are chosen by.
        keeper: stores the state.
        observers: are told; in the main process alone.
        progress: what a former run had reached.
    """

    learner: Learner
    batches: Iterator[Batch]
    steps_per_epoch: int
    evaluate: Callable[[nn.Module], Mapping[str, float]]
    keeper: Keeper
    observers: list[Observer]
    progress: Progress
    interruption: Interruption = field(default_factory=Interruption)

    @property
    def recipe(self) -> Recipe:
        """How the network is trained."""
        return self.learner.recipe

    def run(self) -> None:
        """Train to the end.

        Raises:
            TrainingError: the loss is not finite; the state can't be written.
            KeyboardInterrupt: a signal came; the state is saved.
        """
        try:
            with self.interruption:
                while not self.progress.has_ended(self.recipe):
                    self._train_epoch()
                    self._end_epoch()
                    # several processes end together, after the next step
                    if distributed.world_size() == 1 or self.progress.has_ended(self.recipe):
                        self.interruption.end()
        except KeyboardInterrupt as error:
            kept = self.keeper.where()
            error.args = (f"{kept}: the same command with --resume goes on",) if kept else ()
            raise

    def _train_epoch(self) -> None:
        """The steps of the running epoch that aren't done yet."""
        last, since = (self.progress.epochs + 1) * self.steps_per_epoch, time.monotonic()
        taken: Tensor | None = None  # of the step whose loss is not known yet: a GPU is still computing it
        while self.progress.step < last:
            sums = self._over_processes(self.learner.step(self.batches, self.progress.step))
            if taken is not None:
                since = self._tell(taken, self.progress.step, since)
            self.progress.step += 1
            taken = sums
            every = self.recipe.save_every
            due = every is not None and self.progress.step % every == 0 and self.progress.step < last
            if due or self._interrupted(sums):
                since, taken = self._tell(taken, self.progress.step, since), None
                self.keeper.capture(self.progress)()
                self._end_if_interrupted(sums)
        if taken is not None:
            self._tell(taken, self.progress.step, since)

    def _over_processes(self, sums: Tensor) -> Tensor:
        """(mean loss, share of right classes, processes that a signal has reached), of all processes."""
        asked = torch.full((1,), float(self.interruption.asked), device=sums.device)
        sums = torch.cat([sums / distributed.world_size(), asked])
        if distributed.world_size() > 1:
            torch.distributed.all_reduce(sums)
        return sums

    def _interrupted(self, sums: Tensor) -> bool:
        """Whether a signal has reached any of the processes, the same in all of them."""
        return self.interruption.asked if distributed.world_size() == 1 else bool(sums[2] > 0)

    def _end_if_interrupted(self, sums: Tensor) -> None:
        if self._interrupted(sums):
            self.interruption.end()
            raise KeyboardInterrupt  # another process was reached, which ends, too

    def _tell(self, sums: Tensor, step: int, since: float) -> float:
        """Note a step's loss and tell the observers of it; return the time.

        Raises:
            TrainingError: the loss is not finite.
        """
        loss, right, _ = sums.tolist()
        if not math.isfinite(loss):
            raise TrainingError(
                f"the loss is {loss} at iteration {step}; lower train.lr, or clip the gradients by train.clip_grad, "
                f"and begin anew by --overwrite{self._kept()}"
            )
        now, recipe = time.monotonic(), self.recipe
        self.progress.loss += loss
        self.progress.right += right
        self.progress.seconds += now - since
        epoch, steps = self.progress.epochs + 1, recipe.epochs * self.steps_per_epoch
        rate, top1 = self.learner.ingredients.rate(step - 1), 100 * right if self._named else None
        event = Step(epoch, step, steps, rate, loss, top1, recipe.batch_size, now - since)
        for observer in self.observers:
            observer.on_step(event)
        return now

    @property
    def _named(self) -> bool:
        """Whether a training image has one class, whose share of right answers means something."""
        return not (self.recipe.mixup or self.recipe.cutmix or self.recipe.loss == "bce")

    def _end_epoch(self) -> None:
        """Evaluate, tell the observers, save."""
        progress, recipe = self.progress, self.recipe
        number = progress.epochs + 1
        due = number % recipe.evaluate_every == 0 or number == recipe.epochs
        measures = self._measures() if due else {}
        if measures:
            value = next(iter(measures.values()))
            if progress.best is None or value > progress.best:
                progress.best, progress.best_epoch, progress.evaluations_since = value, number, 0
                self.keeper.save_best(self.learner.measured, measures)
            else:
                progress.evaluations_since += 1
        taken = self.steps_per_epoch
        top1 = 100 * progress.right / taken if self._named else None
        rate, loss = self.learner.ingredients.rate(progress.step - 1), progress.loss / taken
        event = Epoch(number, recipe.epochs, progress.step, rate, loss, top1, progress.seconds, measures)
        for observer in self.observers:
            observer.on_epoch(event)
        progress.epochs, progress.loss, progress.right, progress.seconds = number, 0.0, 0.0, 0.0
        self.keeper.capture(progress)()

    def _measures(self) -> Mapping[str, float]:
        """The evaluation; a signal ends it at once, the state before it saved."""
        write = self.keeper.capture(self.progress)
        try:
            with self.interruption.at_once():
                return self.evaluate(self.learner.measured)
        except KeyboardInterrupt:
            write()
            self.interruption.end()
            raise
        except distributed.Lost:  # of another process, which the watch over them names
            raise
        except EvaluationError as error:  # the last step may have lost the weights
            raise TrainingError(
                f"the evaluation of epoch {self.progress.epochs + 1}: {error}; if its steps were too large, lower "
                f"train.lr, or clip the gradients by train.clip_grad, and begin anew by --overwrite{self._kept()}"
            ) from None

    def _kept(self) -> str:
        """What is kept, as the end of an error's message."""
        kept = self.keeper.where()
        return f" ({kept})" if kept else ""
