"""Training a DenseNet in less memory: a dense block's features live once, and what follows from them is computed again.

Memory-Efficient Implementation of DenseNets, Pleiss, Chen, Huang, Li, van der Maaten, Weinberger,
https://arxiv.org/abs/1707.06990, done for autograd. A block and the transition after it are one function with one
buffer of features, into whose slices the layers write, so nothing is concatenated. A channel's batch statistics are
the same for every layer that reads it, and are taken once. Backward computes norm and ReLU again, a few images at a
time, and adds up all layers' gradients in one buffer. The part of a norm's gradient that comes by way of the batch
statistics is linear in the features, so its coefficients are added up over the layers and applied once.
"""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import Tensor, nn

from densezoo.errors import ConfigError, UnknownNameError
from densezoo.families.densenet.block_function import BlockFunction
from densezoo.families.densenet.network import DenseBlock, DenseLayer, DenseNet, Transition
from densezoo.families.densenet.recomputed_step import Modules

#: {mode: what of a dense block and its transition is kept for backward}.
MEMORY_MODES = {
    "none": "everything, by plain modules",
    "shared": "the features once, and the outputs of the 1x1 convolutions",
    "recompute": "the features once",
    "checkpoint": "the block's input",
}

#: {beginning of a module's name: its class}.
KINDS: dict[str, type[nn.Module]] = {"norm": nn.BatchNorm2d, "relu": nn.ReLU, "conv": nn.Conv2d}


def set_memory(network: nn.Module, mode: str) -> None:
    """Change what a network keeps for backward; its tensors, their names and its function stay.

    Only with "none" are the forward hooks of a dense block's and a transition's modules called.

    Args:
        network: a `DenseNet`.
        mode: one of MEMORY_MODES.

    Raises:
        UnknownNameError: there is no such mode.
        ConfigError: another builder's network.
    """
    if mode not in MEMORY_MODES:
        raise UnknownNameError("memory mode", mode, MEMORY_MODES)
    if not isinstance(network, DenseNet):
        raise ConfigError(f"memory mode {mode!r} is for densezoo's own DenseNet; found a {type(network).__qualname__}")
    steps = OrderedDict(network.features.named_children())
    network.features = nn.Sequential(steps) if mode == "none" else SharedFeatures(steps, mode)


class SharedFeatures(nn.Sequential):
    """A network's features that keep less for backward; without gradients the plain modules compute them.

    Args:
        steps: {name: module} of the plain features.
        mode: one of MEMORY_MODES.
    """

    def __init__(self, steps: OrderedDict[str, nn.Module], mode: str) -> None:
        super().__init__(steps)
        self.mode = mode

    def forward(self, x: Tensor) -> Tensor:
        if not torch.is_grad_enabled():
            plain: Tensor = super().forward(x)  # type: ignore[no-untyped-call]
            return plain
        modules, layout = list(self), None
        for module, following in zip(modules, [*modules[1:], None]):
            if isinstance(module, DenseBlock):
                layout = layout or (torch.contiguous_format if x.is_contiguous() else torch.channels_last)
                transition = following if isinstance(following, Transition) else None
                x = run_block(x, module, transition, self.mode, layout)
            elif not isinstance(module, Transition):
                x = module(x)
        return x


@torch.compiler.disable  # type: ignore[untyped-decorator]
def run_block(
    x: Tensor, block: DenseBlock, transition: Transition | None, mode: str, layout: torch.memory_format
) -> Tensor:
    """A dense block in one buffer, and the transition after it: (N, C, H, W) -> (N, C', H', W'), channels-last.

    Args:
        x: the block's input.
        block: the plain module.
        transition: the one after it; None: the last block has none.
        mode: one of MEMORY_MODES but "none".
        layout: of the plain network's maps.

    Raises:
        ConfigError: a norm takes its statistics over several processes; a module is of another kind than DenseNet's.
    """
    if any(isinstance(module, nn.SyncBatchNorm) for module in block.modules()):
        raise ConfigError(f"memory mode {mode!r} has no statistics over processes; use 'none', or sync_bn=False")
    _check_modules(block, mode)
    if transition is not None:
        _check_modules(transition, mode)
    layers = [_layer(layer) for layer in block.values() if isinstance(layer, DenseLayer)]
    if transition is not None:
        steps = dict(transition.named_children())
        norm, conv, pool = steps["norm"], steps["conv"], steps["pool"]
        assert isinstance(norm, nn.BatchNorm2d)
        assert isinstance(conv, nn.Conv2d)
        drop = steps.get("drop")
        dropped = drop.p if isinstance(drop, nn.Dropout) and drop.training else 0.0
        first = isinstance(pool, nn.AvgPool2d) and not dropped  # an average may come before a 1x1 convolution
        layers.append([Modules(norm, conv, dropped, pool if first else None)])
    weights = [weight for steps in layers for step in steps for weight in step.weights]
    x = BlockFunction.apply(x, layers, transition is not None, mode, layout, *weights)
    return x if transition is None or first else pool(x)


def _check_modules(parent: nn.Module, mode: str) -> None:
    """Refuse modules whose function `Step` doesn't compute, such as an adapter put in a convolution's place."""
    for name, module in parent.named_modules():
        expected = next((kind for word, kind in KINDS.items() if name.rpartition(".")[2].startswith(word)), nn.Module)
        if not isinstance(module, expected) or (expected is nn.Conv2d and module.bias is not None):
            found = type(module).__name__ if not isinstance(module, expected) else "one with a bias"
            raise ConfigError(f"memory mode {mode!r}: {name} is to be a {expected.__name__}; found {found}; use 'none'")


def _layer(layer: DenseLayer) -> list[Modules]:
    """The one or two steps of a layer."""
    dropped = layer.drop_rate if layer.training else 0.0
    steps = [Modules(layer.norm1, layer.conv1, dropped)]
    return [*steps, Modules(layer.norm2, layer.conv2, dropped)] if layer.bottleneck else steps
