"""The native engine as a backend: uint8 pixels -> logits."""

from __future__ import annotations

import ctypes
import threading

import numpy as np
import torch
from torch import Tensor, nn

from densezoo.backends.native.library import Floats, aligned, engine
from densezoo.backends.native.lowering import lower
from densezoo.backends.native.program import SizedProgram, Sizing, Weights
from densezoo.data.preprocess import normalise
from densezoo.errors import BackendError
from densezoo.families import family_of
from densezoo.types import Architecture, Protocol
from densezoo.types.computation import channels

GROUP = 4  # images that go through the network together: their maps stay in the processor's cache
PIXELS = GROUP * 512 * 512  # of all of them: memory is for one image alone where images are large
SIZES = 64  # of images whose programs are kept

_thread = threading.local()  # its arena, which grows to the largest that it has needed


class NativeBackend:
    """Pixels (N, C, H, W) -> float32 logits (N, num_classes), on the thread that calls it.

    Args:
        network: the family's module; its weights are packed.
        architecture: of the network.
        protocol: how pixels become the floats that the network was trained on.
        device: "cpu" alone.
        precision: "float32" alone.
        bits: width of the vectors, 256 (AVX2 and FMA) or 512 (AVX-512); None: the widest that the processor has.

    Raises:
        BackendError: there is no library for this processor, the device is no CPU, or the network has a step that no
            kernel computes.
    """

    name = "native"
    concurrent = True

    def __init__(
        self,
        network: nn.Module,
        architecture: Architecture,
        protocol: Protocol,
        device: str,
        precision: str = "float32",
        bits: int | None = None,
    ) -> None:
        if torch.device(device).type != "cpu":
            raise BackendError(f"backend native: computes on the CPU, not on {device}; use --device cpu")
        self.precision, self.device, self.protocol = precision, torch.device(device), protocol
        self._engine = engine(bits)
        self._computation = family_of(architecture).computation(architecture)
        self._lowered = lower(self._computation, channels(self._computation))
        tensors = {name: tensor.detach().float().numpy() for name, tensor in network.state_dict().items()}
        self._weights = Weights(tensors, self._engine.vector)
        self._normalisation = _normalisation(protocol)
        self._programs: dict[tuple[int, int, bool], SizedProgram] = {}
        self._lock = threading.Lock()

    def __call__(self, pixels: Tensor) -> Tensor:
        """Logits, as `densezoo.backends.base.Backend` says."""
        return self._run(pixels, None)

    def seconds(self, pixels: Tensor) -> list[tuple[str, str, float]]:
        """(kind of a step, its node, seconds that it took) for each step of a call.

        Args:
            pixels: (N, C, H, W), uint8 or float32.
        """
        program = self._program(pixels)
        taken = np.zeros(len(program.steps))
        self._run(pixels, taken.ctypes.data)
        return [(step.kind.name, step.node.name, value) for step, value in zip(program.steps, taken.tolist())]

    def _run(self, pixels: Tensor, seconds: int | None) -> Tensor:
        sized = self._program(pixels)
        program, pixels, memory = ctypes.byref(sized.program), pixels.contiguous(), _arena(sized.floats)
        logits = torch.empty(len(pixels), sized.program.logits.channels, dtype=torch.float32, device="cpu")
        at_once = _group(*pixels.shape[2:])
        for first in range(0, len(pixels), at_once):
            group, rows = pixels[first : first + at_once], logits[first : first + at_once]
            self._engine.run(program, group.data_ptr(), len(group), memory.ctypes.data, rows.data_ptr(), seconds)
        return logits

    def _program(self, pixels: Tensor) -> SizedProgram:
        """The program for images of that size."""
        expected = self._computation.input.attributes["channels"]
        if pixels.ndim != 4 or pixels.shape[1] != expected or pixels.dtype not in (torch.uint8, torch.float32):
            raise BackendError(
                f"backend native: expected uint8 or float32 images (N, {expected}, H, W), "
                f"found {pixels.dtype} {tuple(pixels.shape)}"
            )
        size = (pixels.shape[2], pixels.shape[3])
        key = (*size, pixels.dtype == torch.float32)
        with self._lock:
            if key not in self._programs:
                if len(self._programs) == SIZES:  # images that no protocol resizes
                    self._programs.clear()
                sizing = Sizing(self._computation, self._lowered, self._weights, self._engine, size, _group(*size))
                self._programs[key] = sizing.program(self._normalisation, key[2])
            return self._programs[key]


def _group(height: int, width: int) -> int:
    """How many images of a size in pixels go through the network together."""
    return max(1, min(GROUP, PIXELS // (height * width)))


def _normalisation(protocol: Protocol) -> dict[str, Floats]:
    """What every byte of every channel means, and the numbers by which floats are normalised: the protocol's own."""
    count = len(protocol.mean)
    bytes_ = torch.arange(256, dtype=torch.uint8).expand(count, 1, 256)
    return {
        "table": normalise(bytes_, protocol).reshape(count, 256).contiguous().numpy(),
        "mean": np.array(protocol.mean, np.float32),
        "deviation": np.array(protocol.std, np.float32),
    }


def _arena(floats: int) -> Floats:
    """This thread's memory for maps, of at least that many floats."""
    memory: Floats | None = getattr(_thread, "arena", None)
    if memory is None or len(memory) < floats:
        _thread.arena = memory = None  # freed before the larger one is allocated
        try:
            _thread.arena = memory = aligned(floats)
        except MemoryError:
            raise BackendError(
                f"backend native: images of this size need {floats * 4 / 2**30:.1f} GiB a thread, which can't be had; "
                "use --backend eager, fewer --workers or a protocol that makes images smaller"
            ) from None
    return memory
