"""RDNet: dense connections around layers such as ConvNeXt's.

DenseNets Reloaded: Paradigm Shift Beyond ResNets and ViTs, Kim, Heo, Han, https://arxiv.org/abs/2403.19588. state_dict
names are timm's, and with the same weights so are the outputs.
"""

from __future__ import annotations

import dataclasses
from collections import OrderedDict

import torch
from torch import Tensor, nn
from torch.nn import functional

from densezoo.families.rdnet.architecture import RDNetArchitecture
from densezoo.families.rdnet.layers import rounded_down

GAIN = 1e-6  # of a fresh layer


class ChannelNorm(nn.LayerNorm):
    """A layer norm over the channels of each pixel: (N, C, H, W) -> (N, C, H, W)."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class ChannelAttention(nn.Module):
    """Each channel times a gate in 0..1 that its mean over the map decides: (N, C, H, W) -> (N, C, H, W).

    CenterMask, https://arxiv.org/abs/1911.06667 ("effective squeeze and excitation").
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.fc = nn.Conv2d(channels, channels, kernel_size=1)

    def forward(self, x: Tensor) -> Tensor:
        return x * functional.hardsigmoid(self.fc(x.mean((2, 3), keepdim=True)))


class DenseLayer(nn.Module):
    """All features so far (N, C, H, W) -> new ones (N, growth_rate, H, W), times a gain a channel."""

    def __init__(self, channels: int, stage: int, arch: RDNetArchitecture) -> None:
        super().__init__()
        growth_rate, width = arch.growth_rates[stage], rounded_down(channels * arch.expansion)
        self.drop_path_rate = arch.drop_path_rate * stage / max(1, len(arch.growth_rates) - 1)
        self.gamma = nn.Parameter(torch.full((growth_rate,), GAIN))
        steps = [
            nn.Conv2d(channels, channels, kernel_size=7, padding=3, groups=channels),
            ChannelNorm(channels, eps=arch.norm_eps),
            nn.Conv2d(channels, width, kernel_size=1),
            nn.GELU(),
            nn.Conv2d(width, growth_rate, kernel_size=1),
        ]
        if stage in arch.attention:
            steps.append(ChannelAttention(growth_rate))
        self.layers = nn.ModuleDict({"layers": nn.Sequential(*steps)})  # two levels of one name, as published

    def forward(self, features: list[Tensor]) -> Tensor:
        x: Tensor = self.layers["layers"](torch.cat(features, 1)) * self.gamma.reshape(1, -1, 1, 1)
        if self.training and self.drop_path_rate:
            kept = torch.rand(len(x), 1, 1, 1, device=x.device) >= self.drop_path_rate
            x = x * kept / (1 - self.drop_path_rate)
        return x


class DenseStage(nn.ModuleDict):
    """Layers that each see the output of all before them: (N, C, H, W) -> (N, C + depth x growth_rate, H, W)."""

    def __init__(self, channels: int, stage: int, arch: RDNetArchitecture) -> None:
        super().__init__()
        for i in range(arch.block_config[stage]):
            self[f"dense_block{i}"] = DenseLayer(channels + i * arch.growth_rates[stage], stage, arch)

    def forward(self, x: Tensor) -> Tensor:
        features = [x]
        for layer in self.values():
            features.append(layer(features))
        return torch.cat(features, 1)


class Head(nn.Module):
    """The mean over the map, then norm and classifier: (N, C, H, W) -> logits (N, num_classes)."""

    def __init__(self, channels: int, arch: RDNetArchitecture) -> None:
        super().__init__()
        self.norm = ChannelNorm(channels, eps=arch.head_norm_eps)
        self.drop = nn.Dropout(arch.drop_rate)
        self.fc = nn.Linear(channels, arch.num_classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(functional.adaptive_avg_pool2d(x, 1))
        logits: Tensor = self.fc(self.drop(torch.flatten(x, 1)))
        return logits


class RDNet(nn.Module):
    """An RDNet: images (N, in_chans, H, W), float32 and normalised -> logits (N, num_classes).

    Args:
        arch: its architecture.
        draw_weights: draw them as the authors do; False if the caller replaces them.
    """

    def __init__(self, arch: RDNetArchitecture, *, draw_weights: bool = True) -> None:
        super().__init__()
        self.arch = arch
        channels, patch = arch.num_init_features, arch.patch_size
        self.stem = nn.Sequential(
            nn.Conv2d(arch.in_chans, channels, kernel_size=patch, stride=patch),
            ChannelNorm(channels, eps=arch.norm_eps),
        )
        stages: OrderedDict[str, nn.Module] = OrderedDict()
        for stage, (depth, growth_rate) in enumerate(zip(arch.block_config, arch.growth_rates)):
            steps: list[nn.Module] = []
            if stage:
                reduced, side = rounded_down(channels * arch.reduction), arch.transition_stride(stage)
                steps = [ChannelNorm(channels, eps=arch.norm_eps), nn.Conv2d(channels, reduced, side, stride=side)]
                channels = reduced
            stages[str(stage)] = nn.Sequential(*steps, DenseStage(channels, stage, arch))
            channels += depth * growth_rate
        self.dense_stages = nn.Sequential(stages)
        self.num_features = channels  # of `forward_features`
        self.head = Head(channels, arch)
        if draw_weights:
            self._draw_weights()

    def _draw_weights(self) -> None:
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight)  # the biases as torch draws them
            elif isinstance(module, nn.Linear):
                nn.init.zeros_(module.bias)

    def forward(self, x: Tensor) -> Tensor:
        return self.forward_head(self.forward_features(x))

    def forward_features(self, x: Tensor) -> Tensor:
        """Images (N, in_chans, H, W) -> the last feature map (N, num_features, h, w)."""
        features: Tensor = self.dense_stages(self.stem(x))
        return features

    def forward_head(self, x: Tensor) -> Tensor:
        """The last feature map (N, num_features, h, w) -> logits (N, num_classes)."""
        logits: Tensor = self.head(x)
        return logits

    def reset_classifier(self, num_classes: int) -> None:
        """Draw a classifier for other classes.

        Args:
            num_classes: its rows; 0: none, so that the network gives its pooled features (N, num_features), normed.
        """
        if num_classes == 0:
            self.head.fc = nn.Identity()  # type: ignore[assignment]  # in place of the classifier
            return
        self.arch = dataclasses.replace(self.arch, num_classes=num_classes)
        like = next(self.stem.parameters())
        self.head.fc = nn.Linear(self.num_features, num_classes, device=like.device, dtype=like.dtype)
        nn.init.zeros_(self.head.fc.bias)


NETWORK = RDNet
