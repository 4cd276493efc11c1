"""PyTorch's eager mode: the reference that other backends are held to."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from densezoo.backends.network import ieee_float32
from densezoo.data.preprocess import normalise
from densezoo.families import family_of
from densezoo.malloc import keep_freed_memory
from densezoo.threads import one_thread
from densezoo.types import Architecture, Protocol

GROUP_PIXELS = 4 * 224 * 224  # of a group of images that a CPU computes at once: its tensors stay in the caches


class EagerBackend:
    """uint8 pixels (N, C, H, W) -> float32 logits (N, num_classes), on one device, by PyTorch's own operators.

    float32 means float32: TF32, which cuDNN uses by default, is off. Weights and activations are channels-last. A CPU
    takes a batch in groups of a few images, and a DenseNet in one buffer a block
    (`densezoo.families.densenet.buffers`).

    Args:
        network: images (N, C, H, W), normalised -> logits; put into eval mode and moved. Its weights are taken as they
            are then.
        architecture: of the network.
        protocol: how pixels become the floats that the network was trained on.
        device: "cpu", "cuda", "cuda:1", ...
        precision: "float32" alone.
    """

    name = "eager"
    concurrent = False

    def __init__(
        self,
        network: nn.Module,
        architecture: Architecture,
        protocol: Protocol,
        device: str,
        precision: str = "float32",
    ) -> None:
        self.precision = precision
        self.device = torch.device(device)
        self.protocol = protocol
        self.logits: Callable[[Tensor], Tensor]
        with one_thread():
            self.logits = network.eval().to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
            if self.device.type == "cpu":
                keep_freed_memory()
                self.logits = family_of(architecture).in_buffers(network, architecture)

    @torch.inference_mode()
    def __call__(self, pixels: Tensor) -> Tensor:
        return torch.cat([self._logits(group) for group in torch.split(pixels, self._group(pixels))])

    def _logits(self, pixels: Tensor) -> Tensor:
        x = normalise(pixels.to(self.device, non_blocking=True), self.protocol)
        with ieee_float32():
            return self.logits(x.contiguous(memory_format=torch.channels_last))

    def _group(self, pixels: Tensor) -> int:
        """Images that are computed at once: on a GPU all of them."""
        height, width = pixels.shape[-2:]
        return max(1, GROUP_PIXELS // (height * width)) if self.device.type == "cpu" else len(pixels)
