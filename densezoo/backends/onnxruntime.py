"""ONNX Runtime on a CPU, from densezoo's own ONNX file with the normalisation inside."""

from __future__ import annotations

import onnxruntime
import torch
from torch import Tensor, nn

from densezoo.backends.converted import converted_to_onnx
from densezoo.backends.device import check_is_cpu
from densezoo.data.preprocess import as_network_pixels
from densezoo.types import Architecture, Protocol


class OnnxRuntimeBackend:
    """pixels (N, C, H, W) -> float32 logits (N, num_classes), on as many threads as torch has.

    Args:
        network: densezoo's module.
        architecture: of the network.
        protocol: how pixels become the floats that the network was trained on.
        device: "cpu", another is refused.
        precision: that it computes in, such as "float32".
    """

    name = "onnxruntime"
    concurrent = False

    def __init__(
        self, network: nn.Module, architecture: Architecture, protocol: Protocol, device: str, precision: str
    ) -> None:
        self.precision, self.protocol, self.device = precision, protocol, check_is_cpu(self.name, device)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        # threads that spin for work take the cores from those that decode: 8 images/s in place of 24 on a busy machine
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3  # errors; a warning says that it can't pin threads in a container
        content = converted_to_onnx(network, architecture, protocol, self.name)
        self._session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])

    def __call__(self, pixels: Tensor) -> Tensor:
        (logits,) = self._session.run(None, {"images": as_network_pixels(pixels, self.protocol).numpy()})
        return torch.from_numpy(logits)
