"""A network as backends run it: one module from pixels to logits, in one precision."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from densezoo.families import family_of
from densezoo.types import Architecture, Protocol

#: {precision of the table of backends: type of the products' inputs}.
DTYPES = {"float32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


class PixelsToLogits(nn.Module):
    """Normalisation and network as one graph: pixels (N, C, H, W) -> float32 logits (N, num_classes).

    The normalised floats are those of `densezoo.data.preprocess.normalise`, bit for bit. Mean and deviation are
    buffers, because a tensor made of Python numbers is a copy that a CUDA graph can't hold.

    Args:
        network: images (N, C, H, W), normalised -> logits.
        protocol: its value range, mean and deviation are used.
    """

    def __init__(self, network: nn.Module, protocol: Protocol) -> None:
        super().__init__()
        self.network = network
        self.value_range = protocol.value_range
        for name, values in (("mean", protocol.mean), ("std", protocol.std)):
            self.register_buffer(name, torch.tensor(values).view(-1, 1, 1), persistent=False)
        self.mean: Tensor
        self.std: Tensor

    def forward(self, pixels: Tensor) -> Tensor:
        x = pixels.to(torch.float32)
        if pixels.dtype == torch.uint8 and self.value_range != 255.0:
            x = x / (255.0 / self.value_range)
        x = (x - self.mean) / self.std
        logits: Tensor = self.network(x.contiguous(memory_format=torch.channels_last))
        return logits.float()


class Float32(nn.Module):
    """A module that computes in float32 whatever is around it."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, x: Tensor) -> Tensor:
        with torch.autocast(x.device.type, enabled=False):
            y: Tensor = self.module(x.float())
        return y


class Mixed(nn.Module):
    """A network with the inputs of its products in bf16 or fp16: torch's autocast.

    The products' weights are converted once, so that autocast, which would do it at every call, finds them as they
    should be. Norms keep float32 parameters: a running variance in bf16 has two to three digits. So does the
    classifier, with its input: logits in bf16 are steps of 1 in 256, in which two classes are often equal.

    Args:
        network: images (N, C, H, W), normalised -> logits; a copy is converted.
        architecture: of the network; its family says which layers are the classifier's.
        dtype: torch.bfloat16 or torch.float16.
    """

    def __init__(self, network: nn.Module, architecture: Architecture, dtype: torch.dtype) -> None:
        super().__init__()
        self.network, self.dtype = copy.deepcopy(network), dtype
        family = family_of(architecture)
        head = {layer.name for layer in family.layers(architecture) if layer.role in family.head}
        for name, module in list(self.network.named_modules()):
            if name in head:
                self.network.set_submodule(name, Float32(module))
            elif isinstance(module, (nn.Conv2d, nn.Linear)):
                module.to(dtype)

    def forward(self, x: Tensor) -> Tensor:
        with torch.autocast(x.device.type, self.dtype, cache_enabled=False):  # which a graph would outlive
            logits: Tensor = self.network(x)
        return logits


def in_precision(network: nn.Module, architecture: Architecture, precision: str) -> nn.Module:
    """A copy of a network in eval mode that computes in a precision.

    Args:
        network: images (N, C, H, W), normalised -> logits.
        architecture: of the network.
        precision: a key of DTYPES.
    """
    dtype = DTYPES[precision]
    copied = copy.deepcopy(network) if dtype == torch.float32 else Mixed(network, architecture, dtype)
    return copied.eval()


@contextmanager
def ieee_float32() -> Iterator[None]:
    """Let float32 be float32 until the block ends: no TF32, which cuDNN's convolutions use by default.

    torch 2.9 has new settings, an operation each, beside the older two. Both are set: the new ones decide, whatever a
    caller has allowed for all of torch, and torch's compiler reads the older ones, which raise where the two disagree.
    """
    cudnn, product = torch.backends.cudnn, torch.backends.cuda.matmul
    operations = [getattr(cudnn, name) for name in ("conv", "rnn") if hasattr(cudnn, name)]
    if operations:
        operations.append(product)
        before = [operation.fp32_precision for operation in operations]
        older = (before[0] == "tf32", before[-1] == "tf32")
    else:
        before, older = [], (cudnn.allow_tf32, product.allow_tf32)
    try:
        cudnn.allow_tf32 = product.allow_tf32 = False
        for operation in operations:
            operation.fp32_precision = "ieee"
        yield
    finally:
        cudnn.allow_tf32, product.allow_tf32 = older
        for operation, precision in zip(operations, before):
            operation.fp32_precision = precision
