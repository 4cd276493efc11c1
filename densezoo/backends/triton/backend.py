"""The backend whose dense blocks are Triton's kernels."""

from __future__ import annotations

import torch
from torch import nn

from densezoo.backends.cuda import GraphBackend
from densezoo.backends.network import DTYPES, Mixed, in_precision
from densezoo.backends.triton import launch
from densezoo.errors import BackendError
from densezoo.families import family_of
from densezoo.types import Architecture

CAPABILITY = (8, 0)  # of the GPUs whose matrix units multiply bf16


class TritonBackend(GraphBackend):
    """A network with its dense blocks and transitions in kernels of our own, the rest in PyTorch's.

    One buffer (N, H, W, C) a block; norm and ReLU are applied as a product loads its input, and every layer's output is
    stored into its columns of the buffer. float32 is computed without the matrix units, which have no float32.

    Args:
        network: densezoo's module.
        architecture: of the network.
        protocol: how pixels become the floats that the network was trained on.
        device: that computes, such as "cuda:0".
        precision: that it computes in, such as "float32".

    Raises:
        BackendError: there are no kernels for its family's blocks, or the device is no GPU of compute capability 8.0 or
            more.
    """

    name = "triton"

    def check_device(self) -> None:
        if launch.interpreted():  # on the CPU, for tests
            return
        super().check_device()
        capability = torch.cuda.get_device_capability(self.device)
        if capability < CAPABILITY:
            raise BackendError(
                f"backend triton needs a GPU of compute capability {'.'.join(map(str, CAPABILITY))} or more, "
                f"found {'.'.join(map(str, capability))} ({torch.cuda.get_device_name(self.device)}); use --backend "
                "cudagraphs"
            )

    def make(self, network: nn.Module, architecture: Architecture) -> nn.Module:
        copied = in_precision(network, architecture, self.precision)
        inner = copied.network if isinstance(copied, Mixed) else copied
        family_of(architecture).fuse(network, inner, DTYPES[self.precision], launch)
        return copied
