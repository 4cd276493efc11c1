"""PyTorch's eager mode: the reference that other backends are held to."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from densezoo.data.preprocess import normalise
from densezoo.threads import one_thread
from densezoo.types import Architecture, Protocol


class EagerBackend:
    """uint8 pixels (N, C, H, W) -> float32 logits (N, num_classes), on one device.

    float32 means float32: TF32, which cuDNN uses by default, is off. Weights and activations are channels-last,
    which a CPU computes 1.6 times as fast.

    Args:
        network: images (N, C, H, W), normalised -> logits; put into eval mode and moved.
        architecture: of the network.
        protocol: how pixels become the floats that the model was trained on.
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
        with one_thread():
            self.network = network.eval().to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]

    @torch.inference_mode()
    def __call__(self, pixels: Tensor) -> Tensor:
        x = normalise(pixels.to(self.device, non_blocking=True), self.protocol)
        with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
            logits: Tensor = self.network(x.contiguous(memory_format=torch.channels_last))
        return logits
