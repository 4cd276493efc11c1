"""Times training steps: logits, cross-entropy, gradients and the optimiser, of one network by several packages."""

from __future__ import annotations

import time

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


def measure_steps(task: Task, batch: int, seconds: float) -> tuple[float, float]:
    """(images a second, loss of the first step) of steps on one batch of noise; dropout is off, as its draws differ.

    Args:
        task: which network, by which program.
        batch: images a step.
        seconds: to measure for; the step that is running then is finished.
    """
    torch.set_num_threads(task.threads)
    torch.manual_seed(0)
    network = build_trained(task)
    for module in network.modules():
        if hasattr(module, "drop_rate"):
            setattr(module, "drop_rate", 0.0)  # noqa: B010  a module's attributes are tensors to mypy
    recipe = Recipe(epochs=1, batch_size=batch)
    optimiser = get_optimiser(recipe.optimiser)([{"params": list(network.parameters())}], recipe)
    layout = torch.channels_last if task.program.endswith(CHANNELS_LAST) else torch.contiguous_format
    pixels = random_pixels(batch, task.network.in_chans, task.image_size).to(task.device)
    images = normalise(pixels, task.preprocessing).contiguous(memory_format=layout)
    labels = torch.arange(batch, device=task.device) % task.network.num_classes
    kind = AUTOCAST.get(task.precision)

    def step() -> Tensor:
        optimiser.zero_grad()
        with torch.autocast(images.device.type, kind or torch.bfloat16, enabled=kind is not None):
            loss = functional.cross_entropy(network(images), labels)
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        wait(task.device)
        return loss

    first = step().item()
    count, start = 0, time.perf_counter()
    while count == 0 or time.perf_counter() - start < seconds:
        step()
        count += 1
    return count * batch / (time.perf_counter() - start), first
