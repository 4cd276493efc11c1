"""OpenVINO on a CPU, from densezoo's own ONNX file with the normalisation inside."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Mapping
from functools import partial
from hashlib import sha256
from io import BytesIO
from pathlib import Path

import numpy as np
import openvino
import torch
from openvino import properties
from torch import Tensor, nn
from torch.nn import functional

from densezoo.backends.converted import converted_to_onnx, identity, kept, versions_of
from densezoo.backends.device import check_is_cpu
from densezoo.data.preprocess import as_network_pixels
from densezoo.errors import BackendError
from densezoo.types import Architecture, Protocol

GROUP_PIXELS = 2 * 224 * 224  # of the images that one of its streams takes at once
MOST = 16  # images of a group

#: {precision: what it computes in where the model says nothing else}.
_TYPES = {"float32": openvino.Type.f32, "bf16": openvino.Type.bf16, "int8": openvino.Type.f32}


class OpenVinoBackend:
    """pixels (N, C, H, W) -> float32 logits (N, num_classes): groups of images side by side, a stream a core.

    A network is compiled for one size of images and of groups, which is kept; the last group is filled up.

    Args:
        network: densezoo's module.
        architecture: of the network.
        protocol: how pixels become the floats that the network was trained on.
        device: "cpu", another is refused.
        precision: that it computes in, such as "float32".
        calibration: pixels (N, C, H, W) of training images, on which int8 learns the ranges of the activations.
    """

    name = "openvino"
    concurrent = False

    def __init__(
        self,
        network: nn.Module,
        architecture: Architecture,
        protocol: Protocol,
        device: str,
        precision: str,
        calibration: Tensor | None = None,
    ) -> None:
        self.precision, self.protocol, self.device = precision, protocol, check_is_cpu(self.name, device)
        self._core = openvino.Core()
        able = capabilities(self._core)
        if precision == "bf16" and "BF16" not in able:
            raise BackendError(f"backend {self.name}: this CPU has no bf16, only {', '.join(able)}; choose float32")
        self._facts = identity(network, architecture, protocol)
        self._model = partial(self._plain, network, architecture)
        if calibration is not None:
            content = converted_to_onnx(network, architecture, protocol, self.name)
            self._model = partial(self._quantised, content, as_network_pixels(calibration, protocol))
            self._facts["images"] = sha256(calibration.numpy().tobytes()).hexdigest()
            self._facts["versions"] = versions_of(["densezoo", "onnx", "nncf"])
        self._compiled: dict[tuple[int, ...], openvino.AsyncInferQueue] = {}

    def _plain(self, network: nn.Module, architecture: Architecture) -> openvino.Model:
        """The network as it is, from densezoo's own ONNX file."""
        return self._core.read_model(BytesIO(converted_to_onnx(network, architecture, self.protocol, self.name)))

    def _quantised(self, content: bytes, calibration: Tensor) -> openvino.Model:
        """The network in int8, by NNCF's quantisation after training."""

        def make() -> bytes:
            import nncf

            # its set_log_level would change handlers, too, which others have put there
            logging.getLogger("nncf").setLevel(logging.ERROR)
            images = nncf.Dataset([image[None].numpy() for image in calibration])
            model = nncf.quantize(self._core.read_model(BytesIO(content)), images, subset_size=len(calibration))
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / "model.xml"
                openvino.save_model(model, path, compress_to_fp16=False)
                structure, weights = path.read_bytes(), path.with_suffix(".bin").read_bytes()
            return len(structure).to_bytes(8, "little") + structure + weights

        facts = {
            "onnx": sha256(content).hexdigest(),
            "images": sha256(calibration.numpy().tobytes()).hexdigest(),
            "versions": versions_of(["openvino", "nncf"]),
        }
        stored = kept("int8", facts, make)
        end = 8 + int.from_bytes(stored[:8], "little")
        return self._core.read_model(BytesIO(stored[8:end]), BytesIO(stored[end:]))

    def __call__(self, pixels: Tensor) -> Tensor:
        images = as_network_pixels(pixels, self.protocol)
        height, width = images.shape[-2:]
        group = max(1, min(MOST, GROUP_PIXELS // (height * width)))
        queue = self._queue((group, *images.shape[1:]))
        logits: list[Tensor] = [torch.empty(0)] * -(-len(images) // group)

        def receive(request: openvino.InferRequest, position: int) -> None:
            logits[position] = torch.from_numpy(np.array(request.get_output_tensor().data))

        queue.set_callback(receive)
        for position, part in enumerate(torch.split(images, group)):
            filled = functional.pad(part, (0, 0, 0, 0, 0, 0, 0, group - len(part)))
            queue.start_async({0: filled.numpy()}, position)
        queue.wait_all()
        return torch.cat(logits)[: len(images)]

    def _queue(self, shape: tuple[int, ...]) -> openvino.AsyncInferQueue:
        """The network compiled for groups of this shape, and its requests."""
        if shape not in self._compiled:
            settings = {
                properties.hint.performance_mode: properties.hint.PerformanceMode.THROUGHPUT,
                properties.hint.inference_precision: _TYPES[self.precision],
                properties.inference_num_threads: torch.get_num_threads(),
            }
            facts: dict[str, object] = {"shape": shape, "precision": self.precision, "able": capabilities(self._core)}
            facts |= {"openvino": versions_of(["openvino"]), "threads": torch.get_num_threads(), **self._facts}
            content = kept("openvino", facts, partial(self._compile, shape, settings))
            compiled = self._core.import_model(BytesIO(content), "CPU", settings)
            self._compiled[shape] = openvino.AsyncInferQueue(compiled)
        return self._compiled[shape]

    def _compile(self, shape: tuple[int, ...], settings: Mapping[str, object]) -> bytes:
        """The network compiled for groups of this shape, in OpenVINO's own form."""
        model = self._model()
        model.reshape(list(shape))
        content: bytes = self._core.compile_model(model, "CPU", settings).export_model().getvalue()
        return content


def capabilities(core: openvino.Core) -> tuple[str, ...]:
    """The precisions that this CPU computes in, by OpenVINO's names: "FP32", "BF16", "INT8", ...

    Args:
        core: of the runtime.
    """
    return tuple(core.get_property("CPU", properties.device.capabilities))
