"""torch.compile: the network as kernels that torch's compiler, Inductor, generates."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from densezoo.backends.cuda import copies_for, current_gpu
from densezoo.backends.network import PixelsToLogits, ieee_float32, in_precision
from densezoo.errors import BackendError, MissingDependencyError
from densezoo.types import Architecture, Protocol

#: {type of device: Inductor's options; those that the installed torch doesn't have are left out}.
OPTIONS: dict[str, dict[str, bool]] = {
    # Weights are constants, which norms are folded into and layouts chosen for.
    "cpu": {"freezing": True},
    # A 1x1 convolution is a product, whose Triton kernel takes norm and ReLU into its prologue. A graph starts all.
    "cuda": {
        "freezing": True,
        "conv_1x1_as_mm": True,
        "max_autotune_gemm": True,
        "prologue_fusion": True,
        "epilogue_fusion": True,
        "triton.cudagraphs": True,
    },
}
GROUP_PIXELS = 8 * 224 * 224  # of a batch on a CPU, whose caches larger ones leave
CAPABILITY = (7, 0)  # of the GPUs that Triton generates code for
PRECISIONS = {"cpu": ("float32", "bf16"), "cuda": ("float32", "bf16", "fp16")}


def batch_sizes(kind: str, height: int, width: int) -> tuple[int, ...]:
    """Images of the batches that are compiled, in rising order; one alone, for its latency, is the first.

    A batch is filled up to the next size, and one larger than all is divided: each size costs minutes to compile.

    Args:
        kind: type of the device.
        height, width: of an image, pixels.
    """
    if kind == "cuda":
        return 1, 64, 128, 256
    return 1, max(2, min(64, GROUP_PIXELS // (height * width)))


class CompileBackend:
    """uint8 pixels (N, C, H, W) -> float32 logits (N, num_classes), compiled for one size of batches.

    The first batch of a size is compiled for, which is said with the seconds that it took.

    Args:
        network: densezoo's module.
        architecture: of the network.
        protocol: how pixels become the floats that the network was trained on.
        device: that computes, such as "cpu".
        precision: that it computes in, such as "float32".

    Raises:
        BackendError: the compiler, what it needs or the device isn't there; or it can't compile the network.
        MissingDependencyError: there is no Triton for a GPU.
    """

    name = "compile"
    concurrent = False

    def __init__(
        self, network: nn.Module, architecture: Architecture, protocol: Protocol, device: str, precision: str
    ) -> None:
        self.precision, self.protocol, self.device = precision, protocol, torch.device(device)
        self._check()
        module = PixelsToLogits(in_precision(network, architecture, precision), protocol).eval()
        module = module.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._module = module
        self._compiled: Callable[[Tensor], Tensor] | None = None
        self._copies = copies_for(self.device)
        self._current = current_gpu(self.device)
        self._shapes: set[tuple[torch.Size, torch.dtype]] = set()
        #: Time that compiling took so far, seconds.
        self.compile_seconds = 0.0

    def _check(self) -> None:
        """Refuse what can't be compiled for, before anything is.

        Raises:
            BackendError: says what to do.
        """
        kind = self.device.type
        if self.precision not in PRECISIONS.get(kind, ()):
            known = ", ".join(f"{', '.join(precisions)} on {name}" for name, precisions in PRECISIONS.items())
            raise BackendError(f"backend compile has no {self.precision} on {kind}; it has {known}")
        compiler = os.environ.get("CXX", "clang++" if sys.platform == "darwin" else "g++")  # as Inductor finds it
        if kind == "cpu" and not shutil.which(compiler):
            raise BackendError(
                f"backend compile needs a C++ compiler for a CPU, and there is no {compiler}: install it, or name "
                "another by the environment variable CXX; or use another --backend"
            )
        if kind == "cuda" and importlib.util.find_spec("triton") is None:
            raise MissingDependencyError("backend compile on a GPU", "triton", "gpu")
        if kind == "cuda" and torch.cuda.get_device_capability(self.device) < CAPABILITY:
            raise BackendError(
                f"backend compile needs a GPU of compute capability {'.'.join(map(str, CAPABILITY))} or more, as "
                f"Triton does; {torch.cuda.get_device_name(self.device)} is older; use --backend cudagraphs"
            )

    def __call__(self, pixels: Tensor) -> Tensor:
        return self.begin(pixels)()

    def begin(self, pixels: Tensor) -> Callable[[], Tensor]:
        """Start to compute a batch; the function that is returned waits for its logits (N, num_classes) and gives them.

        Args:
            pixels: (N, C, H, W), uint8 or float32.

        Raises:
            BackendError: the compiler failed.
        """
        sizes = batch_sizes(self.device.type, *pixels.shape[-2:])
        waiting = [
            self._begin(part, min(size for size in sizes if size >= len(part)))
            for part in torch.split(pixels, sizes[-1])
        ]
        return waiting[0] if len(waiting) == 1 else lambda: torch.cat([wait() for wait in waiting])

    def _begin(self, pixels: Tensor, size: int) -> Callable[[], Tensor]:
        images, missing = len(pixels), size - len(pixels)
        if missing:
            pixels = torch.cat([pixels, pixels.new_zeros((missing, *pixels.shape[1:]))])
        run = self._run if (pixels.shape, pixels.dtype) in self._shapes else self._compile
        with self._current, torch.inference_mode(), ieee_float32():
            return self._copies.to_host(run(self._copies.to_device(pixels))[:images])

    def _run(self, pixels: Tensor) -> Tensor:
        if self._compiled is None:  # here, as it imports the compiler, which takes seconds
            known = torch._inductor.list_options()
            options: dict[str, str | int | bool | Callable[..., Any]] = {
                name: on for name, on in OPTIONS[self.device.type].items() if name in known
            }
            # A graph in one piece or an error; otherwise what can't be compiled runs in eager mode, without a word.
            self._compiled = torch.compile(self._module, fullgraph=True, dynamic=False, options=options)
        return self._compiled(pixels)

    def _compile(self, pixels: Tensor) -> Tensor:
        start = time.perf_counter()
        try:
            logits = self._run(pixels)
        except Exception as error:  # of Dynamo, Inductor, Triton or the C++ compiler, each with classes of its own
            raise BackendError(
                f"backend compile: torch {torch.__version__} could not compile the network for {self.device}: "
                f"{_first_line(error)}; for a CPU it needs a C++ compiler and Python's headers, for a GPU Triton: "
                "https://docs.pytorch.org/docs/stable/torch.compiler.html; or use another --backend"
            ) from error
        seconds = time.perf_counter() - start
        self.compile_seconds += seconds
        self._shapes.add((pixels.shape, pixels.dtype))
        size = " x ".join(map(str, pixels.shape))
        print(f"backend compile: compiled for batches of {size} in {seconds:.0f} s", file=sys.stderr)  # noqa: T201
        return logits


def _first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0][:300] or type(error).__name__
