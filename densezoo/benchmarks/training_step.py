"""Times training steps: logits, cross-entropy, gradients and the optimiser, of one network by several packages."""

from __future__ import annotations

import time
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from densezoo.benchmarks.measuring import random_pixels
from densezoo.benchmarks.programs import AUTOCAST, OWN, load, wait
from densezoo.benchmarks.task import Task
from densezoo.data.preprocess import normalise
from densezoo.families import build_model
from densezoo.training.optimisers import get_optimiser
from densezoo.types import Recipe

CHANNELS_LAST = " channels-last"  # the end of a program's name


def build_trained(task: Task) -> nn.Module:
    """The network in training mode with the task's weights, by densezoo or by the package that the task names.

    Args:
        task: whose program is "densezoo", "timm" or "torchvision", perhaps with CHANNELS_LAST.

    Raises:
        ConfigError: the package can't express the network.
    """
    builder = task.program.removesuffix(CHANNELS_LAST).removeprefix(OWN)
    layout = torch.channels_last if task.program.endswith(CHANNELS_LAST) else torch.contiguous_format
    network = load(build_model(task.network, builder), task).train()
    return network.to(task.device, memory_format=layout)  # type: ignore[call-overload,no-any-return]


@dataclass
class TrainingStep:
    """Training steps of a network on one batch of noise; dropout is off, as its draws differ.

    Args:
        network: in training mode.
        task: whose images it takes and on whose device it is.
        batch: images a step.
    """

    network: nn.Module
    task: Task
    batch: int

    def __post_init__(self) -> None:
        for module in self.network.modules():
            if hasattr(module, "drop_rate"):
                setattr(module, "drop_rate", 0.0)  # noqa: B010  a module's attributes are tensors to mypy
        task, recipe = self.task, Recipe(epochs=1, batch_size=self.batch)
        groups = [{"params": list(self.network.parameters())}]
        self.optimiser = get_optimiser(recipe.optimiser)(groups, recipe)
        layout = torch.channels_last if task.program.endswith(CHANNELS_LAST) else torch.contiguous_format
        pixels = random_pixels(self.batch, task.network.in_chans, task.image_size).to(task.device)
        self.images = normalise(pixels, task.preprocessing).contiguous(memory_format=layout)
        self.labels = torch.arange(self.batch, device=task.device) % task.network.num_classes

    def forward(self) -> Tensor:
        """The loss."""
        kind = AUTOCAST.get(self.task.precision)
        with torch.autocast(self.images.device.type, kind or torch.bfloat16, enabled=kind is not None):
            return functional.cross_entropy(self.network(self.images), self.labels)

    def finish(self, loss: Tensor) -> float:
        """Gradients and the optimiser; return the loss.

        Args:
            loss: of `forward`.
        """
        self.optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimiser.step()
        wait(self.task.device)
        return loss.item()

    def rate(self, seconds: float) -> float:
        """Images a second.

        Args:
            seconds: to measure for; the step that is running then is finished.
        """
        count, start = 0, time.perf_counter()
        while count == 0 or time.perf_counter() - start < seconds:
            self.finish(self.forward())
            count += 1
        return count * self.batch / (time.perf_counter() - start)


def measure_steps(task: Task, batch: int, seconds: float) -> tuple[float, float]:
    """(images a second, loss of the first step).

    Args:
        task: which network, by which program.
        batch: images a step.
        seconds: to measure for.
    """
    torch.set_num_threads(task.threads)
    torch.manual_seed(0)
    step = TrainingStep(build_trained(task), task, batch)
    first = step.finish(step.forward())
    return step.rate(seconds), first
