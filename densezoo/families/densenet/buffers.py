"""A DenseNet's evaluation in plain PyTorch with one buffer a block, where the module's own concatenates at every layer.

A layer's output is written into its slice of the block's buffer, and the next layer reads all slices before it. The
norm after a 1x1 convolution is folded into its weights; a transition averages before its convolution, a quarter of the
work. With the same weights the logits are the module's but for rounding.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from densezoo.families.densenet.architecture import DenseNetArchitecture
from densezoo.families.densenet.network import DenseBlock, DenseLayer, DenseNet, Transition


def in_buffers(network: nn.Module, arch: DenseNetArchitecture) -> Callable[[Tensor], Tensor]:
    """images (N, in_chans, H, W), normalised and channels-last -> logits (N, num_classes), without gradients.

    Args:
        network: in eval mode and channels-last; its weights are taken as they are now. Another builder's is returned.
        arch: its architecture.
    """
    if not isinstance(network, DenseNet):
        return network
    features = nn.Sequential()
    for name, module in network.features.named_children():
        if isinstance(module, DenseBlock):
            module = _Block(module, arch.growth_rate)
        elif isinstance(module, Transition):
            module = _Transition(module)
        features.add_module(name, module)
    return _WithHead(network, features).eval()


class _WithHead(nn.Module):
    """Other modules for a network's features, and its own head."""

    def __init__(self, network: DenseNet, features: nn.Sequential) -> None:
        super().__init__()
        self.arch, self.features, self.classifier = network.arch, features, network.classifier

    forward, forward_features, forward_head = DenseNet.forward, DenseNet.forward_features, DenseNet.forward_head


@dataclass(frozen=True)
class _Affine:
    """A norm in evaluation: x * scale + shift for every channel, (1, C, 1, 1) each."""

    scale: Tensor
    shift: Tensor

    @classmethod
    def of(cls, norm: nn.BatchNorm2d) -> _Affine:
        """The norm's, computed in float64."""
        mean, var = norm.running_mean, norm.running_var
        assert mean is not None
        assert var is not None
        scale = norm.weight.detach().double() / (var.double() + norm.eps).sqrt()
        shift = norm.bias.detach().double() - mean.double() * scale
        return cls(*(values.to(norm.weight.dtype).view(1, -1, 1, 1) for values in (scale, shift)))

    def then_relu(self, x: Tensor) -> Tensor:
        return torch.addcmul(self.shift, x, self.scale).relu_()


class _Layer:
    """`DenseLayer`: all features so far (N, C, H, W) -> new ones (N, growth_rate, H, W)."""

    def __init__(self, layer: DenseLayer) -> None:
        self.norm1 = _Affine.of(layer.norm1)
        self.weight, self.bias = layer.conv1.weight.detach(), None
        self.last: nn.Conv2d | None = None
        if layer.bottleneck:
            norm2 = _Affine.of(layer.norm2)
            self.weight = (self.weight * norm2.scale.view(-1, 1, 1, 1)).contiguous(memory_format=torch.channels_last)
            self.bias, self.last = norm2.shift.flatten(), layer.conv2
        self.padding = layer.conv1.padding[0]

    def __call__(self, features: Tensor) -> Tensor:
        x = functional.conv2d(self.norm1.then_relu(features), self.weight, self.bias, padding=self.padding)
        if self.last is not None:
            x = self.last(x.relu_())
        return x


class _Block(nn.Module):
    """`DenseBlock` in one buffer."""

    def __init__(self, block: DenseBlock, growth_rate: int) -> None:
        super().__init__()
        self.layers = [_Layer(layer) for layer in _layers(block)]
        self.growth_rate = growth_rate

    def forward(self, x: Tensor) -> Tensor:
        number, channels, *side = x.shape
        width = channels + self.growth_rate * len(self.layers)
        buffer = x.new_empty((number, width, *side)).contiguous(memory_format=torch.channels_last)
        buffer[:, :channels] = x
        for layer in self.layers:
            buffer[:, channels : channels + self.growth_rate] = layer(buffer[:, :channels])
            channels += self.growth_rate
        return buffer


def _layers(block: DenseBlock) -> Iterator[DenseLayer]:
    for layer in block.values():
        assert isinstance(layer, DenseLayer)
        yield layer


class _Transition(nn.Module):
    """`Transition`, with an average before the convolution: both are linear, and so may change places."""

    def __init__(self, transition: Transition) -> None:
        super().__init__()
        steps = dict(transition.named_children())
        norm, conv, pool = steps["norm"], steps["conv"], steps["pool"]
        assert isinstance(norm, nn.BatchNorm2d)
        self.norm = _Affine.of(norm)
        self.steps = nn.Sequential(*((pool, conv) if isinstance(pool, nn.AvgPool2d) else (conv, pool)))

    def forward(self, x: Tensor) -> Tensor:
        pooled: Tensor = self.steps(self.norm.then_relu(x))
        return pooled
