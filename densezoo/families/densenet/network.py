"""The one module family of densezoo: every DenseNet of the index is a `DenseNet` with another `DenseNetArchitecture`.

Densely Connected Convolutional Networks, Huang, Liu, van der Maaten, Weinberger, https://arxiv.org/abs/1608.06993
(section 3). state_dict names are torchvision's, and with the same weights so are the outputs, bit for bit.
"""

from __future__ import annotations

import dataclasses
from collections import OrderedDict

import torch
from torch import Tensor, nn
from torch.nn import functional

from densezoo.families.densenet.architecture import DenseNetArchitecture
from densezoo.families.densenet.layers import transition_channels


class BlurPool(nn.Module):
    """Blurs by (1 2 1) x (1 2 1) / 16 and takes every second pixel: (N, C, H, W) -> (N, C, ceil(H/2), ceil(W/2)).

    Making Convolutional Networks Shift-Invariant Again, https://arxiv.org/abs/1904.11486; the filter is no weight
    and is not in the state_dict, as in timm.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels
        row = torch.tensor([0.25, 0.5, 0.25], device="cpu")  # also where the weights are made on "meta" and come later
        self.register_buffer("filter", (row[:, None] * row[None, :]).repeat(channels, 1, 1, 1), persistent=False)
        self.filter: Tensor

    def forward(self, x: Tensor) -> Tensor:
        x = functional.pad(x, (1, 1, 1, 1), mode="reflect")
        return functional.conv2d(x, self.filter, stride=2, groups=self.channels)


class SameConv2d(nn.Conv2d):
    """TensorFlow's convolution with padding "same": (N, C, H, W) -> (N, C', ceil(H/stride), ceil(W/stride)).

    Where the zeros around the image are odd in number, the one more is after it.
    """

    def forward(self, x: Tensor) -> Tensor:
        sides = zip(x.shape[2:], self.kernel_size, self.stride)
        height, width = (max(0, (-(-side // stride) - 1) * stride + kernel - side) for side, kernel, stride in sides)
        return super().forward(functional.pad(x, (width // 2, -(-width // 2), height // 2, -(-height // 2))))


class SameMaxPool(nn.MaxPool2d):
    """MindSpore's 3x3, stride 2 pool with pad_mode "same": (N, C, H, W) -> (N, C, ceil(H/2), ceil(W/2)).

    Its windows begin at the first pixel of an even map, and a pixel before it on an odd one.
    """

    def __init__(self) -> None:
        super().__init__(kernel_size=3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        odd_height, odd_width = x.shape[2] % 2, x.shape[3] % 2
        pooled: Tensor = super().forward(functional.pad(x, (odd_width, 1, odd_height, 1), value=float("-inf")))
        return pooled


class DenseLayer(nn.Module):
    """norm-ReLU-conv, twice with a bottleneck: all features so far (N, C, H, W) -> new ones (N, growth_rate, H, W)."""

    def __init__(self, channels: int, arch: DenseNetArchitecture) -> None:
        super().__init__()
        self.drop_rate = arch.drop_rate
        self.bottleneck = arch.bn_size is not None
        self.norm1 = nn.BatchNorm2d(channels, eps=arch.bn_eps)
        self.relu1 = nn.ReLU(inplace=True)
        if arch.bn_size is None:
            self.conv1 = nn.Conv2d(channels, arch.growth_rate, kernel_size=3, padding=1, bias=False)
            return
        width = arch.bn_size * arch.growth_rate
        self.conv1 = nn.Conv2d(channels, width, kernel_size=1, bias=False)
        self.norm2 = nn.BatchNorm2d(width, eps=arch.bn_eps)
        self.relu2 = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(width, arch.growth_rate, kernel_size=3, padding=1, bias=False)

    def forward(self, features: list[Tensor]) -> Tensor:
        x = self._drop(self.conv1(self.relu1(self.norm1(torch.cat(features, 1)))))
        if self.bottleneck:
            x = self._drop(self.conv2(self.relu2(self.norm2(x))))
        return x

    def _drop(self, x: Tensor) -> Tensor:
        return functional.dropout(x, self.drop_rate, self.training) if self.drop_rate else x


class DenseBlock(nn.ModuleDict):
    """Layers that each see the output of all before them: (N, C, H, W) -> (N, C + depth x growth_rate, H, W)."""

    def __init__(self, depth: int, channels: int, arch: DenseNetArchitecture) -> None:
        super().__init__()
        for i in range(depth):
            self[f"denselayer{i + 1}"] = DenseLayer(channels + i * arch.growth_rate, arch)

    def forward(self, x: Tensor) -> Tensor:
        features = [x]
        for layer in self.values():
            features.append(layer(features))
        return torch.cat(features, 1)


class Transition(nn.Sequential):
    """Fewer channels and half the resolution: (N, C, H, W) -> (N, floor(C x reduction), H/2, W/2)."""

    def __init__(self, channels: int, arch: DenseNetArchitecture) -> None:
        reduced = transition_channels(channels, arch.reduction)
        blur = arch.aa_layer is not None and not arch.aa_stem_only
        modules = OrderedDict[str, nn.Module](
            norm=nn.BatchNorm2d(channels, eps=arch.bn_eps),
            relu=nn.ReLU(inplace=True),
            conv=nn.Conv2d(channels, reduced, kernel_size=1, bias=False),
        )
        if arch.drop_rate:
            modules["drop"] = nn.Dropout(arch.drop_rate)
        modules["pool"] = BlurPool(reduced) if blur else _transition_pool(arch)
        super().__init__(modules)


def _transition_pool(arch: DenseNetArchitecture) -> nn.Module:
    if arch.transition_pool == "max":
        return nn.MaxPool2d(kernel_size=2, stride=2, ceil_mode=arch.ceil_mode)
    return nn.AvgPool2d(kernel_size=2, stride=2, ceil_mode=arch.ceil_mode)


def _stem(arch: DenseNetArchitecture) -> OrderedDict[str, nn.Module]:
    """{name: module} from the image to num_init_features channels."""
    stem, channels = arch.stem_layout, arch.in_chans
    modules: OrderedDict[str, nn.Module] = OrderedDict()
    for i, (kernel, stride) in enumerate(stem.convs):
        width = arch.growth_rate if i + 1 < len(stem.convs) else arch.num_init_features
        if i == 0 and arch.stem_padding == "same":
            modules["conv0"] = SameConv2d(channels, width, kernel, stride, bias=False)
        else:
            modules[f"conv{i}"] = nn.Conv2d(channels, width, kernel, stride, padding=kernel // 2, bias=False)
        if stem.norms:
            modules[f"norm{i}"] = nn.BatchNorm2d(width, eps=arch.bn_eps)
            modules[f"relu{i}"] = nn.ReLU(inplace=True)
        channels = width
    if stem.pool:
        modules["pool0"] = _stem_pool(arch)
    return modules


def _stem_pool(arch: DenseNetArchitecture) -> nn.Module:
    if arch.aa_layer is not None:
        return nn.Sequential(nn.MaxPool2d(kernel_size=3, stride=1, padding=1), BlurPool(arch.num_init_features))
    if arch.pool_padding == "same":
        return SameMaxPool()
    ceil_mode = arch.ceil_mode if arch.stem_ceil_mode is None else arch.stem_ceil_mode
    return nn.MaxPool2d(kernel_size=3, stride=2, padding=1, ceil_mode=ceil_mode)


class DenseNet(nn.Module):
    """A DenseNet: images (N, in_chans, H, W), float32 and normalised -> logits (N, num_classes).

    Args:
        arch: what to build.
        draw_weights: draw them as the authors do, He for convolutions (paper, section 4.2); False where others replace
            them: of "meta" tensors torch draws normal numbers by way of its compiler, which takes seconds to import.
    """

    def __init__(self, arch: DenseNetArchitecture, *, draw_weights: bool = True) -> None:
        super().__init__()
        self.arch = arch
        modules = _stem(arch)
        channels = arch.num_init_features
        for i, depth in enumerate(arch.block_config, start=1):
            modules[f"denseblock{i}"] = DenseBlock(depth, channels, arch)
            channels += depth * arch.growth_rate
            if i < len(arch.block_config):
                modules[f"transition{i}"] = Transition(channels, arch)
                channels = transition_channels(channels, arch.reduction)
        modules["norm5"] = nn.BatchNorm2d(channels, eps=arch.bn_eps)  # torchvision's name, whatever the block count
        self.features = nn.Sequential(modules)
        self.num_features = channels  # of `forward_features`
        self.classifier = nn.Linear(channels, arch.num_classes)
        if draw_weights:
            self._draw_weights()

    def _draw_weights(self) -> None:
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight)
            elif isinstance(module, nn.Linear):
                nn.init.zeros_(module.bias)

    def forward(self, x: Tensor) -> Tensor:
        return self.forward_head(self.forward_features(x))

    def forward_features(self, x: Tensor) -> Tensor:
        """Images (N, in_chans, H, W) -> the last feature map (N, num_features, h, w), after norm and ReLU."""
        return functional.relu(self.features(x), inplace=True)

    def forward_head(self, x: Tensor) -> Tensor:
        """The last feature map (N, num_features, h, w) -> logits (N, num_classes)."""
        pool = self.arch.head_pool
        x = functional.avg_pool2d(x, pool) if pool else functional.adaptive_avg_pool2d(x, (1, 1))
        logits: Tensor = self.classifier(torch.flatten(x, 1))
        return logits

    def reset_classifier(self, num_classes: int) -> None:
        """Draw a classifier for other classes.

        Args:
            num_classes: its rows; 0: none, so that the network gives its pooled features (N, num_features).
        """
        if num_classes == 0:
            self.classifier = nn.Identity()  # type: ignore[assignment]  # in place of the classifier
            return
        self.arch = dataclasses.replace(self.arch, num_classes=num_classes)
        like = next(self.features.parameters())
        self.classifier = nn.Linear(self.num_features, num_classes, device=like.device, dtype=like.dtype)
        nn.init.zeros_(self.classifier.bias)


NETWORK = DenseNet
