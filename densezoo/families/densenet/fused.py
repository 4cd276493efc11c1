"""A DenseNet whose dense blocks and transitions are kernels of a GPU; stem and head stay PyTorch's.

The kernels are a backend's and know no network; which of them stands where is said here.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Protocol, cast

import torch
from torch import Tensor, nn

from densezoo.errors import BackendError
from densezoo.families.densenet.network import DenseBlock, DenseLayer, DenseNet, Transition

ALIGNMENT = (
    16  # numbers from one row of a buffer to the next are a multiple of this, so that a GPU loads 16 bytes at once
)


class Kernels(Protocol):
    """The two products of a dense block, on tensors (N, H, W, C) whose pixels are rows of one matrix."""

    def norm_relu_product(
        self,
        x: Tensor,
        norm: tuple[Tensor, Tensor],
        weight: Tensor,
        bias: Tensor,
        out: Tensor,
        *,
        relu: bool = False,
        pool: bool = False,
    ) -> None:
        """Write [ReLU](pool(ReLU(x * scale + shift)) weight + bias) into ``out``: a 1x1 convolution."""

    def convolve_3x3(self, x: Tensor, norm: tuple[Tensor, Tensor] | None, weight: Tensor, out: Tensor) -> None:
        """Write a 3x3 convolution with padding 1 of x, or of ReLU(x * scale + shift), into ``out``."""


def make_buffer(images: int, height: int, width: int, channels: int, like: Tensor) -> Tensor:
    """An unwritten (N, H, W, C) whose pixels are rows of one matrix.

    Args:
        images, height, width, channels: its shape.
        like: gives type and device.
    """
    rows = -(-channels // ALIGNMENT) * ALIGNMENT
    return like.new_empty((images, height, width, rows))[..., :channels]


class FusedLayer(nn.Module):
    """A dense layer that writes its output beside its inputs.

    Args:
        layer: the network's, float32.
        dtype: of the products' inputs.
        kernels: that compute it.
    """

    def __init__(self, layer: DenseLayer, dtype: torch.dtype, kernels: Kernels) -> None:
        super().__init__()
        self.kernels = kernels
        self.bottleneck = layer.bottleneck
        scale, shift = _norm(layer.norm1)
        self.register_buffer("scale", scale.float())
        self.register_buffer("shift", shift.float())
        if self.bottleneck:
            scale, shift = _norm(layer.norm2)
            product = layer.conv1.weight.double()[:, :, 0, 0] * scale[:, None]  # norm2 is part of the product
            self.register_buffer("product", product.t().contiguous().to(dtype))
            self.register_buffer("bias", shift.float())
        self.register_buffer("convolution", _taps(layer.conv2 if self.bottleneck else layer.conv1, dtype))
        self.scale: Tensor
        self.shift: Tensor
        self.product: Tensor
        self.bias: Tensor
        self.convolution: Tensor

    def forward(self, buffer: Tensor) -> None:
        """Compute from the first channels of a buffer (N, H, W, C) those that follow them."""
        channels, growth = self.scale.numel(), self.convolution.shape[2]
        x, out = buffer[..., :channels], buffer[..., channels : channels + growth]
        if not self.bottleneck:
            self.kernels.convolve_3x3(x, (self.scale, self.shift), self.convolution, out)
            return
        narrow = make_buffer(x.shape[0], x.shape[1], x.shape[2], self.bias.numel(), like=x)
        self.kernels.norm_relu_product(x, (self.scale, self.shift), self.product, self.bias, narrow, relu=True)
        self.kernels.convolve_3x3(narrow, None, self.convolution, out)


class FusedTransition(nn.Module):
    """A transition: (N, H, W, C) -> (N, H/2, W/2, floor(C x reduction)).

    Average pooling without incomplete windows is done before the product, of which it leaves a quarter; for other
    pools, which come after it, PyTorch's module is called.

    Args:
        transition: the network's, float32.
        dtype: of the products' inputs.
        kernels: that compute it.
    """

    def __init__(self, transition: Transition, dtype: torch.dtype, kernels: Kernels) -> None:
        super().__init__()
        self.kernels = kernels
        norm, conv = cast(nn.BatchNorm2d, transition.norm), cast(nn.Conv2d, transition.conv)
        scale, shift = _norm(norm)
        self.register_buffer("scale", scale.float())
        self.register_buffer("shift", shift.float())
        self.register_buffer("product", conv.weight.detach()[:, :, 0, 0].t().contiguous().to(dtype))
        self.register_buffer("bias", torch.zeros(conv.out_channels, device=conv.weight.device))
        self.scale: Tensor
        self.shift: Tensor
        self.product: Tensor
        self.bias: Tensor
        pool = cast(nn.Module, transition.pool)
        self.pool_after = None if isinstance(pool, nn.AvgPool2d) and not pool.ceil_mode else pool

    def forward(self, x: Tensor, channels: int) -> Tensor:
        """A buffer (N, H/2, W/2, channels) whose first channels are the transition's output.

        Args:
            x: (N, H, W, C), rows of one matrix.
            channels: of the buffer.
        """
        images, height, width, _ = x.shape
        reduced = self.bias.numel()
        norm = (self.scale, self.shift)
        if self.pool_after is None:
            buffer = make_buffer(images, height // 2, width // 2, channels, like=x)
            self.kernels.norm_relu_product(x, norm, self.product, self.bias, buffer[..., :reduced], pool=True)
            return buffer
        wide = make_buffer(images, height, width, reduced, like=x)
        self.kernels.norm_relu_product(x, norm, self.product, self.bias, wide)
        pooled: Tensor = self.pool_after(wide.permute(0, 3, 1, 2))
        return filled_buffer(pooled, channels)


def filled_buffer(x: Tensor, channels: int) -> Tensor:
    """A buffer (N, H, W, channels) with a map in its first channels.

    Args:
        x: (N, C, H, W).
        channels: of the buffer.
    """
    images, known, height, width = x.shape
    buffer = make_buffer(images, height, width, channels, like=x)
    buffer[..., :known].copy_(x.permute(0, 2, 3, 1))
    return buffer


class FusedBlocks(nn.Module):
    """All dense blocks and transitions: (N, C, H, W) after the stem -> (N, C', H', W') before the last norm.

    Args:
        network: float32.
        dtype: of the products' inputs.
        kernels: that compute them.
    """

    def __init__(self, network: DenseNet, dtype: torch.dtype, kernels: Kernels) -> None:
        super().__init__()
        self.dtype = dtype
        modules = list(network.features)
        blocks = [module for module in modules if isinstance(module, DenseBlock)]
        self.blocks = nn.ModuleList(
            nn.ModuleList(FusedLayer(cast(DenseLayer, layer), dtype, kernels) for layer in block.values())
            for block in blocks
        )
        self.transitions = nn.ModuleList(
            FusedTransition(module, dtype, kernels) for module in modules if isinstance(module, Transition)
        )

    def forward(self, x: Tensor) -> Tensor:
        buffer = filled_buffer(x.to(self.dtype), _channels(self.blocks[0]))
        for number, block in enumerate(self.blocks):
            if number:
                buffer = self.transitions[number - 1](buffer, _channels(block))
            for layer in cast(nn.ModuleList, block):
                layer(buffer)
        return buffer.permute(0, 3, 1, 2)


def fuse(network: nn.Module, copied: nn.Module, dtype: torch.dtype, kernels: Kernels) -> None:
    """Put the kernels in the place of a copy's dense blocks and transitions.

    Args:
        network: float32; its weights are taken.
        copied: the same network in the precision of ``dtype``, whose ``features`` change.
        dtype: of the products' inputs.
        kernels: that compute them.

    Raises:
        BackendError: the network is another builder's.
    """
    if not isinstance(network, DenseNet):
        kind = f"{type(network).__module__}.{type(network).__qualname__}"
        raise BackendError(f"expected densezoo's own DenseNet to put kernels in, found {kind}; use builder densezoo")
    features = copied.features
    assert isinstance(features, nn.Sequential)
    modules: OrderedDict[str, nn.Module] = OrderedDict()
    for name, module in features.named_children():
        if isinstance(module, (DenseBlock, Transition)):
            modules.setdefault("blocks", FusedBlocks(network, dtype, kernels))
        else:
            modules[name] = module
    copied.features = nn.Sequential(modules)


def _channels(block: nn.Module) -> int:
    """Channels after a dense block."""
    last = cast(FusedLayer, cast(nn.ModuleList, block)[-1])
    return int(last.scale.numel() + last.convolution.shape[2])


def _norm(norm: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    """A norm in evaluation as float64 (scale, shift): x * scale + shift."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    scale = norm.weight.detach().double() / (norm.running_var.double() + norm.eps).sqrt()
    return scale, norm.bias.detach().double() - norm.running_mean.double() * scale


def _taps(conv: nn.Conv2d, dtype: torch.dtype) -> Tensor:
    """A 3x3 kernel (out, in, 3, 3) as (9, in, out)."""
    return conv.weight.detach().permute(2, 3, 1, 0).flatten(0, 1).contiguous().to(dtype)
