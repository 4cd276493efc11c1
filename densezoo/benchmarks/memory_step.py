"""Training steps in less memory, by densezoo's memory modes and by other packages' checkpointing: what they keep."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from densezoo.benchmarks.programs import OWN, load
from densezoo.benchmarks.task import Task
from densezoo.benchmarks.training_step import CHANNELS_LAST, TrainingStep
from densezoo.errors import BenchmarkError
from densezoo.families import build_model, family_of
from densezoo.families.densenet.architecture import DenseNetArchitecture
from densezoo.families.densenet.network import DenseLayer


def build(task: Task) -> nn.Module:
    """The network in training mode with the task's weights.

    Args:
        task: whose program is "densezoo" and a memory mode, or a key of OTHERS, perhaps with CHANNELS_LAST.

    Raises:
        BenchmarkError: the package can't express the network.
    """
    program = task.program.removesuffix(CHANNELS_LAST)
    if program.startswith(OWN):
        network = load(build_model(task.network), task)
        family_of(task.network).set_memory(network, program.removeprefix(OWN))
    else:
        network = OTHERS[program](task)
    layout = torch.channels_last if task.program.endswith(CHANNELS_LAST) else torch.contiguous_format
    return network.train().to(task.device, memory_format=layout)  # type: ignore[call-overload,no-any-return]


def _torchvision(task: Task, *, memory_efficient: bool = False) -> nn.Module:
    """torchvision's DenseNet class; its stem is the ImageNet one, which is replaced for small images."""
    from torchvision.models import DenseNet

    arch = task.network
    if not isinstance(arch, DenseNetArchitecture) or arch.bn_size is None or arch.stem not in ("cifar", "imagenet"):
        raise BenchmarkError("torchvision's DenseNet can't express this network")
    network = DenseNet(
        arch.growth_rate,
        arch.block_config,
        arch.num_init_features,
        arch.bn_size,
        num_classes=arch.num_classes,
        memory_efficient=memory_efficient,
    )
    if arch.stem == "cifar":
        network.features.conv0 = nn.Conv2d(arch.in_chans, arch.num_init_features, 3, padding=1, bias=False)
        for name in ("norm0", "relu0", "pool0"):
            delattr(network.features, name)
    return load(network, task)


class _CheckpointedLayer(DenseLayer):
    """A layer as in gpleiss/efficient_densenet_pytorch: concatenation to 1x1 convolution under reentrant checkpointing.

    Its norm1 moves its running statistics twice a step.
    """

    def forward(self, features: list[Tensor]) -> Tensor:
        x: Tensor = checkpoint(self._first, *features, use_reentrant=True)
        return self.conv2(self.relu2(self.norm2(x))) if self.bottleneck else x

    def _first(self, *features: Tensor) -> Tensor:
        x: Tensor = self.conv1(self.relu1(self.norm1(torch.cat(features, 1))))
        return x


def _gpleiss(task: Task) -> nn.Module:
    network = load(build_model(task.network), task)
    for module in network.modules():
        if isinstance(module, DenseLayer):
            module.__class__ = _CheckpointedLayer
    return network


#: {program: task -> its network}.
OTHERS: dict[str, Callable[[Task], nn.Module]] = {
    "torchvision": _torchvision,
    "torchvision memory_efficient": lambda task: _torchvision(task, memory_efficient=True),
    "gpleiss": _gpleiss,
}


def kept_for_backward(forward: Callable[[], Tensor], weights: Iterable[Tensor]) -> tuple[Tensor, int]:
    """(what a function returns, bytes of the tensors that autograd keeps for its backward).

    A tensor counts with its whole storage, and a storage once. What autograd doesn't know of, such as a generator's
    state (5 kB a layer with dropout), is not counted.

    Args:
        forward: the function.
        weights: that don't count, as they live anyway: parameters and buffers of the network.
    """
    own = {weight.untyped_storage().data_ptr() for weight in weights}
    kept: dict[int, Tensor] = {}

    def keep(tensor: Tensor) -> Tensor:
        kept.setdefault(tensor.untyped_storage().data_ptr(), tensor.detach())  # held, so that no address comes twice
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        output = forward()
    return output, sum(each.untyped_storage().nbytes() for pointer, each in kept.items() if pointer not in own)


def measure_memory(task: Task, batch: int, seconds: float) -> tuple[float, float, int]:
    """(images a second, loss of the first step, bytes kept for backward) of steps on one batch of noise.

    Args:
        task: which network, by which program.
        batch: images a step.
        seconds: to measure for; the step that is running then is finished.
    """
    torch.set_num_threads(task.threads)
    step = TrainingStep(build(task), task, batch)
    loss, kept = kept_for_backward(step.forward, [*step.network.parameters(), *step.network.buffers()])
    first = step.finish(loss)
    return step.rate(seconds), first, kept
