"""What backends on NVIDIA's GPUs share: copies beside the computation, CUDA graphs, and the settings of cuDNN.

Nothing here needs a GPU until a function is captured or a batch copied; what decides when that is done runs anywhere.
"""

from __future__ import annotations

import typing
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch
from torch import Tensor, nn

from densezoo.backends.network import PixelsToLogits, ieee_float32, in_precision
from densezoo.errors import BackendError
from densezoo.types import Architecture, Protocol

Function = Callable[[Tensor], Tensor]

MOST_GRAPHS = 4  # each keeps its input and its output; intermediates are in memory that all of them share


class Copies(typing.Protocol):
    """How pixels come to the device and logits back."""

    def to_device(self, pixels: Tensor) -> Tensor:
        """The pixels on the device; the computation that is started next waits for them, this call doesn't."""

    def to_host(self, logits: Tensor) -> Callable[[], Tensor]:
        """Start to copy logits back; the function that is returned waits for them and gives them."""


class HostCopies:
    """No copies: the device is the host."""

    def to_device(self, pixels: Tensor) -> Tensor:
        return pixels

    def to_host(self, logits: Tensor) -> Callable[[], Tensor]:
        return lambda: logits


class StreamCopies:
    """Copies on a stream of their own, so that a batch comes while the one before it is computed.

    Args:
        device: a CUDA device.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]

    def to_device(self, pixels: Tensor) -> Tensor:
        computing = torch.cuda.current_stream(self.device)
        with torch.cuda.stream(self.stream):
            copied = pixels.to(self.device, non_blocking=True)
        computing.wait_stream(self.stream)
        copied.record_stream(computing)  # its memory is not reused before the computation has read it
        return copied

    def to_host(self, logits: Tensor) -> Callable[[], Tensor]:
        copied = torch.empty(logits.shape, dtype=logits.dtype, pin_memory=True)
        copied.copy_(logits, non_blocking=True)  # on the computation's stream: the next batch is queued after it
        done = torch.cuda.Event()  # type: ignore[no-untyped-call]
        done.record(torch.cuda.current_stream(self.device))

        def wait() -> Tensor:
            done.synchronize()
            return copied

        return wait


def copies_for(device: torch.device) -> Copies:
    """How pixels come to a device and logits back."""
    return StreamCopies(device) if device.type == "cuda" else HostCopies()


def current_gpu(device: torch.device) -> AbstractContextManager[object]:
    """Makes a GPU the current one, on which kernels start; for another device nothing changes.

    Args:
        device: a GPU or another device.
    """
    return torch.cuda.device(device) if device.type == "cuda" else nullcontext()


class Replays:
    """A function whose kernels are started by one call for all of them, once a batch of the same shape was recorded.

    The first shape is recorded at once, so that a check of the first batch checks the recording; another one when it
    comes for the second time, so that a small last batch, which comes once, is not.

    Args:
        function: of a batch; always the same kernels for a shape.
        capture: (the function, an example of its argument) -> a function that does the same, for this shape alone.
    """

    def __init__(self, function: Function, capture: Callable[[Function, Tensor], Function]) -> None:
        self.function, self.capture = function, capture
        self._captured: dict[object, Function] = {}
        self._met: set[object] = set()

    def __call__(self, batch: Tensor) -> Tensor:
        shape = (batch.shape, batch.dtype)
        again = shape in self._met or not self._captured
        if shape not in self._captured and again and len(self._captured) < MOST_GRAPHS:
            self._captured[shape] = self.capture(self.function, batch)
        self._met.add(shape)
        return self._captured.get(shape, self.function)(batch)


class GraphCapture:
    """Records functions as CUDA graphs.

    Args:
        device: a CUDA device.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.pool = torch.cuda.graph_pool_handle()  # shared: one graph runs at a time, and its output is copied at once

    def __call__(self, function: Function, example: Tensor) -> Function:
        """A function that replays the graph of ``function``.

        Args:
            function: of a batch on the device; it takes no decision by the batch's numbers.
            example: a batch.
        """
        given = example.clone()
        side = torch.cuda.Stream(self.device)  # type: ignore[no-untyped-call]
        side.wait_stream(torch.cuda.current_stream(self.device))
        with torch.cuda.stream(side):
            for _ in range(3):  # libraries allocate and algorithms are chosen before the recording
                function(given)
        torch.cuda.current_stream(self.device).wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=self.pool):
            result = function(given)

        def replay(batch: Tensor) -> Tensor:
            given.copy_(batch)
            graph.replay()
            return result.clone()

        return replay


@contextmanager
def cudnn_benchmark(on: bool) -> Iterator[None]:
    """Let cuDNN try its algorithms on each new shape and take the fastest, until the block ends.

    Args:
        on: False: cuDNN's rules choose, and choose the same in every run.
    """
    cudnn, before = torch.backends.cudnn, torch.backends.cudnn.benchmark
    cudnn.benchmark = on
    try:
        yield
    finally:
        cudnn.benchmark = before


class GraphBackend:
    """Computes on a GPU with CUDA graphs and overlapped copies; what is computed is a subclass's or `in_precision`'s.

    Args:
        network: densezoo's module.
        architecture: of the network.
        protocol: how pixels become the floats that the network was trained on.
        device: that computes, such as "cuda:0".
        precision: that it computes in, such as "float32".

    Raises:
        BackendError: the device is no GPU that can do the precision.
    """

    name = "cudagraphs"
    concurrent = False

    def __init__(
        self, network: nn.Module, architecture: Architecture, protocol: Protocol, device: str, precision: str
    ) -> None:
        self.precision, self.protocol, self.device = precision, protocol, torch.device(device)
        self.check_device()
        module = PixelsToLogits(self.make(network, architecture), protocol).eval()
        module = module.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._copies = copies_for(self.device)
        self._current = current_gpu(self.device)
        self._compute: Function = module
        if self.device.type == "cuda":
            self._compute = Replays(module, GraphCapture(self.device))

    def check_device(self) -> None:
        """Refuse a device that has no CUDA graphs.

        Raises:
            BackendError: says what to use instead.
        """
        if self.device.type != "cuda":
            raise BackendError(
                f"backend {self.name} computes on NVIDIA's GPUs, not on {self.device}; give --device cuda, or another "
                "--backend: auto, compile"
            )

    def make(self, network: nn.Module, architecture: Architecture) -> nn.Module:
        """The network in the backend's precision: images (N, C, H, W), normalised -> logits.

        Args:
            network: in float32; it stays as it is.
            architecture: of the network.
        """
        return in_precision(network, architecture, self.precision)

    def __call__(self, pixels: Tensor) -> Tensor:
        return self.begin(pixels)()

    def begin(self, pixels: Tensor) -> Callable[[], Tensor]:
        """Start to compute a batch; the function that is returned waits for its logits (N, num_classes) and gives them.

        A caller that begins the next batch before it waits for this one keeps the device busy.

        Args:
            pixels: (N, C, H, W), uint8 or float32; in pinned memory, if the copy is to run beside the computation.
        """
        exact = self.precision == "float32"
        with self._current, torch.inference_mode(), ieee_float32(), cudnn_benchmark(not exact):
            return self._copies.to_host(self._compute(self._copies.to_device(pixels)))
