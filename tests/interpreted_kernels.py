"""Triton's kernels, run by its interpreter in a process of their own, since Triton reads TRITON_INTERPRET once.

The program reads cases as JSON, [[function, arguments], ...], and prints the largest relative error of each. NumPy,
which the interpreter computes with, has no bf16; its product would take the bits for integers. `multiply` mends that.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

os.environ["TRITON_INTERPRET"] = "1"

import numpy as np
import torch
import triton.language as tl
from examples import randomise_statistics
from torch import Tensor, nn
from torch.nn import functional
from triton.runtime import interpreter

from densezoo.backends.base import create_backend
from densezoo.backends.network import DTYPES
from densezoo.backends.triton import launch
from densezoo.families.densenet.architecture import DenseNetArchitecture
from densezoo.families.densenet.fused import make_buffer
from densezoo.families.densenet.network import DenseNet
from densezoo.protocols import get_protocol

POISON = 77.0  # in every element that a kernel must leave alone

products = interpreter.interpreter_builder.create_dot


def multiply(a: Any, b: Any, *arguments: Any) -> Any:
    """The interpreter's matrix product, with bf16 as the float32 of the same upper bits."""
    if a.dtype.scalar == tl.bfloat16:
        for handle in (a, b):
            handle.data = (handle.data.astype(np.uint32) << 16).view(np.float32)
            handle.dtype = tl.float32
    return products(a, b, *arguments)


interpreter.interpreter_builder.create_dot = multiply


def draw(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape)))


def poisoned(images: int, height: int, width: int, channels: int, dtype: torch.dtype) -> Tensor:
    return make_buffer(images, height, width, channels, like=torch.empty(0, dtype=dtype)).fill_(POISON)


def relative(out: Tensor, expected: Tensor) -> float:
    return float((out.double() - expected).abs().max() / expected.abs().max())


def rounded(x: Tensor, dtype: torch.dtype) -> Tensor:
    """What the kernel multiplies, as float64: the normalised tile in the input's type."""
    return x.to(dtype).double()


def product(precision: str, sizes: Sequence[int], relu: bool = False, pool: bool = False) -> float:
    """A 1x1 convolution from the first channels of a buffer into columns of another."""
    dtype = DTYPES[precision]
    images, height, width, channels, outputs = sizes
    before = poisoned(images, height, width, channels + 5, dtype)
    before[..., :channels] = draw(images, height, width, channels).to(dtype)
    weight, bias = draw(channels, outputs).to(dtype), draw(outputs)
    scale, shift = draw(channels), draw(channels)
    side = 2 if pool else 1
    after = poisoned(images, height // side, width // side, outputs + 8, dtype)
    x, out = before[..., :channels], after[..., 3 : 3 + outputs]
    launch.norm_relu_product(x, (scale, shift), weight, bias, out, relu=relu, pool=pool)
    normalised = (x.double() * scale.double() + shift.double()).relu()
    if pool:
        normalised = functional.avg_pool2d(normalised.permute(0, 3, 1, 2), 2).permute(0, 2, 3, 1)
    expected = rounded(normalised, dtype) @ weight.double() + bias.double()
    error = relative(out, expected.relu() if relu else expected)
    return error if untouched(after[..., :3], after[..., 3 + outputs :]) else float("inf")


def convolution(precision: str, sizes: Sequence[int], norm: bool = False) -> float:
    """A 3x3 convolution from the first channels of a buffer into columns of the same."""
    dtype = DTYPES[precision]
    images, height, width, channels, outputs = sizes
    buffer = poisoned(images, height, width, channels + outputs + 3, dtype)
    buffer[..., :channels] = draw(images, height, width, channels).to(dtype)
    weight, scale, shift = draw(9, channels, outputs).to(dtype), draw(channels), draw(channels)
    x, out = buffer[..., :channels], buffer[..., channels : channels + outputs]
    launch.convolve_3x3(x, (scale, shift) if norm else None, weight, out)
    given = (x.double() * scale.double() + shift.double()).relu() if norm else x.double()
    kernel = weight.double().view(3, 3, channels, outputs).permute(3, 2, 0, 1)
    expected = functional.conv2d(rounded(given, dtype).permute(0, 3, 1, 2), kernel, padding=1).permute(0, 2, 3, 1)
    return relative(out, expected) if untouched(buffer[..., channels + outputs :]) else float("inf")


def untouched(*parts: Tensor) -> bool:
    return all(bool((part == POISON).all()) for part in parts)


def not_a_number(precision: str) -> float:
    """0 if NaN in one pixel comes out of both kernels, as it does of PyTorch's ReLU; else 1."""
    dtype = DTYPES[precision]
    x = torch.zeros((1, 4, 4, 16), dtype=dtype)
    x[0, 1, 1, 3] = float("nan")
    norm, out = (torch.ones(16), torch.zeros(16)), torch.zeros((1, 4, 4, 16), dtype=dtype)
    launch.norm_relu_product(x, norm, torch.ones((16, 16), dtype=dtype), torch.zeros(16), out, relu=True)
    pixels = int(out.isnan().any(3).sum())
    launch.convolve_3x3(x, norm, torch.ones((9, 16, 16), dtype=dtype), out)
    return float((pixels, int(out.isnan().any(3).sum())) != (1, 9))


def network(precision: str, side: int, protocol: str = "cifar10", **fields: Any) -> float:
    """A whole DenseNet: the backend's logits against eager's.

    Args:
        precision: of the backend.
        side: of the images, pixels.
        protocol: its name.
        fields: of the architecture.
    """
    arch = DenseNetArchitecture(
        12, tuple(fields.pop("block_config", (2, 1))), 20, **{"reduction": 0.7, "num_classes": 7, **fields}
    )
    torch.manual_seed(0)
    module = randomise_statistics(DenseNet(arch))
    nn.init.normal_(module.get_parameter("classifier.weight"))
    pixels = torch.randint(0, 256, (2, arch.in_chans, side, side), dtype=torch.uint8)
    eager = create_backend("eager", module, arch, get_protocol(protocol), "cpu", "float32")
    backend = create_backend("triton", module, arch, get_protocol(protocol), "cpu", precision)
    return relative(backend(pixels), eager(pixels).double())


FUNCTIONS: dict[str, Callable[..., float]] = {
    function.__name__: function for function in (product, convolution, not_a_number, network)
}

if __name__ == "__main__":
    json.dump([FUNCTIONS[name](**arguments) for name, arguments in json.load(sys.stdin)], sys.stdout)
