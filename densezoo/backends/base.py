"""What computes logits: the `Backend` protocol and the table of backends. Imports no torch until one is created."""

from __future__ import annotations

import importlib.util
import typing
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from densezoo.errors import BackendError, EvaluationError, MissingDependencyError, UnknownNameError
from densezoo.threads import in_order
from densezoo.types import Architecture, Protocol

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

AUTO = "auto"  # native where it is exact, else eager
EAGER = "eager"  # PyTorch's own operators, which the others are held to
NATIVE = "native"  # densezoo's own kernels
INT8 = "int8"
GROUP = 4  # images of a call of a concurrent backend that is held to eager
EXACT = 1e-5  # the largest relative difference from eager's logits that is float32's rounding


class Backend(typing.Protocol):
    """uint8 pixels -> logits, under one protocol's normalisation.

    Args:
        name: its key in BACKENDS.
        precision: what it computes in, such as "float32".
        device: the device it computes on.
        protocol: how pixels become the floats that the network was trained on.
        concurrent: whether any number of threads may call it at once. Then each call computes on its calling thread,
            and other Python threads run meanwhile. Otherwise one thread calls it at a time, and it computes on threads
            of its own.
    """

    name: str
    precision: str
    device: torch.device
    protocol: Protocol
    concurrent: bool

    def __init__(
        self,
        network: nn.Module,
        architecture: Architecture,
        protocol: Protocol,
        device: str,
        precision: str,
        calibration: Tensor | None = None,
    ) -> None:
        """Take the weights of a network.

        Args:
            network: the family's module in eval mode, whose state_dict has the canonical names.
            architecture: of the network; `densezoo.families.family_of` gives the steps of its computation.
            protocol: how pixels become the floats that the network was trained on.
            device: "cpu", "cuda", "cuda:1", ...
            precision: one of the backend's in BACKENDS.
            calibration: pixels (N, C, H, W) of training images; of a backend with precision int8 alone.

        Raises:
            BackendError: the backend can't express this network, or has no such device or precision there.
            MissingDependencyError: what it computes with is not installed.
        """

    def __call__(self, pixels: Tensor) -> Tensor:
        """Logits.

        Args:
            pixels: (N, C, H, W) uint8; float32 under a protocol that resizes in floats.

        Returns:
            (N, num_classes) float32.
        """


@typing.runtime_checkable
class QueuedBackend(Backend, typing.Protocol):
    """A backend on a device beside the processor, which goes on while the device computes."""

    def begin(self, pixels: Tensor) -> Callable[[], Tensor]:
        """Queue a batch; the function that is returned waits for its logits and gives them.

        Args:
            pixels: (N, C, H, W), uint8 or float32; from pinned memory they are copied while the batch before is
                computed.
        """


@dataclass(frozen=True)
class BackendEntry:
    """The class of a backend, the precisions it has, and what it needs.

    Args:
        module: the module of the class; imported when the backend is used.
        class_name: of the `Backend`.
        precisions: {precision: the largest difference of its logits from eager's, relative to the largest logit}.
        packages: what it imports beside densezoo's own dependencies.
        extra: densezoo's extra that has them.
        words: what it computes with, and where, for the documents.
    """

    module: str
    class_name: str
    precisions: Mapping[str, float]
    packages: tuple[str, ...] = ()
    extra: str = ""
    words: str = ""


#: {name: entry}; a new backend is a module and a line here.
BACKENDS: dict[str, BackendEntry] = {
    EAGER: BackendEntry(
        "densezoo.backends.eager",
        "EagerBackend",
        {"float32": 0.0},
        words="PyTorch's own operators, on every device; on a CPU in one buffer a block. The others are held to it",
    ),
    NATIVE: BackendEntry(
        "densezoo.backends.native",
        "NativeBackend",
        {"float32": EXACT},
        words="densezoo's own kernels for x86-64 processors with AVX2 or AVX-512; built where there is a C++ compiler",
    ),
    "compile": BackendEntry(
        "densezoo.backends.compile",
        "CompileBackend",
        {"float32": EXACT, "bf16": 0.1, "fp16": 0.02},
        words="`torch.compile`, on every device",
    ),
    "onnxruntime": BackendEntry(
        "densezoo.backends.onnxruntime",
        "OnnxRuntimeBackend",
        {"float32": EXACT},
        ("onnxruntime", "onnx"),
        "onnxruntime",
        "ONNX Runtime, on a CPU",
    ),
    "openvino": BackendEntry(
        "densezoo.backends.openvino",
        "OpenVinoBackend",
        {"float32": EXACT, "bf16": 0.1, INT8: 1.0},
        ("openvino", "onnx"),
        "openvino",
        "OpenVINO, on a CPU; bf16 where the CPU has it, int8 by NNCF's quantisation after training",
    ),
    "cudagraphs": BackendEntry(
        "densezoo.backends.cuda",
        "GraphBackend",
        {"float32": EXACT, "bf16": 0.1, "fp16": 0.02},
        words="PyTorch's own operators as one CUDA graph, on an NVIDIA GPU",
    ),
    "triton": BackendEntry(
        "densezoo.backends.triton.backend",
        "TritonBackend",
        {"float32": EXACT, "bf16": 0.1, "fp16": 0.02},
        ("triton",),
        "gpu",
        "dense blocks in our own Triton kernels, on an NVIDIA GPU",
    ),
}


def check_backend(name: str, precision: str) -> None:
    """Refuse a backend or a precision that doesn't exist or isn't installed, before anything is imported.

    Args:
        name: a key of BACKENDS, or AUTO.
        precision: one of the backend's; AUTO has float32 alone.

    Raises:
        UnknownNameError: names the nearest.
        BackendError: AUTO was asked for another precision than float32.
        MissingDependencyError: a package that the backend needs is not installed.
    """
    if name == AUTO and precision == "float32":
        return
    if name not in BACKENDS and name != AUTO:
        raise UnknownNameError("backend", name, [AUTO, *BACKENDS])
    if name == AUTO:
        able = [other for other, entry in BACKENDS.items() if precision in entry.precisions]
        if not able:
            raise UnknownNameError("precision", precision, {each for e in BACKENDS.values() for each in e.precisions})
        raise BackendError(
            f"--precision {precision} is not exact, which --backend {AUTO} is: name a backend that has it, --backend "
            + " or ".join(able)
        )
    if precision not in BACKENDS[name].precisions:
        raise UnknownNameError(f"precision of backend {name}", precision, BACKENDS[name].precisions)
    for package in packages_of(name, precision):
        if importlib.util.find_spec(package) is None:
            raise MissingDependencyError(f"backend {name}", package, BACKENDS[name].extra)


def packages_of(name: str, precision: str) -> tuple[str, ...]:
    """The installed packages beside densezoo's own dependencies that a backend's logits depend on.

    Args:
        name: a key of BACKENDS, or AUTO.
        precision: one of the backend's.
    """
    packages = BACKENDS[name].packages if name in BACKENDS else ()
    return (*packages, "nncf") if precision == INT8 else packages


def create_backend(
    name: str,
    network: nn.Module,
    architecture: Architecture,
    protocol: Protocol,
    device: str,
    precision: str,
    calibration: Tensor | None = None,
) -> Backend:
    """Create a backend of the table.

    Args:
        name: a key of BACKENDS.
        network: densezoo's module.
        architecture: of the network.
        protocol: how pixels become the floats that the network was trained on.
        device: that computes, such as "cpu".
        precision: one of the backend's.
        calibration: pixels (N, C, H, W) of training images, which precision int8 needs; None: none.

    Raises:
        UnknownNameError: there is no such backend or precision.
        BackendError: the backend can't express this network, or has no such device or precision there.
        MissingDependencyError: what it computes with is not installed.
    """
    check_backend(name, precision)
    entry = BACKENDS[name]
    try:
        backend_class: type[Backend] = getattr(importlib.import_module(entry.module), entry.class_name)
    except ModuleNotFoundError as error:
        if error.name != entry.module:
            raise
        raise MissingDependencyError(f"backend {name}", entry.module) from None
    if precision != INT8:
        return backend_class(network, architecture, protocol, device, precision)
    if calibration is None:
        raise BackendError(
            f"backend {name} in {INT8} needs training images, on which it learns the ranges of the activations: give "
            "the root of the dataset's training set by densezoo test --calibration"
        )
    return backend_class(network, architecture, protocol, device, precision, calibration)


def difference_from_eager(backend: Backend, eager: Backend, pixels: Tensor, expected: Tensor | None = None) -> float:
    """How far a backend's logits are from eager's: the largest over the images, relative to the image's largest logit.

    Where it has to be exact, noise is compared as well: images of one colour, or all the same, show little. The first
    image is computed a second time and alone: what a call leaves behind, or does to the rest of a batch, would show.

    Args:
        backend, eager: of the same network and protocol.
        pixels: (N, C, H, W), uint8, or float32 of protocols that resize in floats.
        expected: eager's logits of the pixels; None: they are computed.

    Raises:
        EvaluationError: the difference is larger than the table allows, or not a number.
    """
    import torch

    allowed = BACKENDS[backend.name].precisions[backend.precision]
    expected = (eager(pixels) if expected is None else expected).cpu()
    group = GROUP if backend.concurrent else len(pixels)
    calls = [*zip(torch.split(pixels, group), torch.split(expected, group)), (pixels[:1], expected[:1])]
    if allowed <= EXACT:
        noise = _noise_like(pixels)
        calls.append((noise, eager(noise).cpu()))
    own = _each([part for part, _ in calls], backend)
    differences = [_relative(logits, logits_of_eager) for logits, (_, logits_of_eager) in zip(own, calls)]
    wrong = [difference for difference in differences if not difference <= allowed]  # nan is not
    if wrong:
        raise EvaluationError(
            f"backend {backend.name} in {backend.precision} on {backend.device}: its logits differ from eager's by "
            f"{wrong[0]:.1e} of the largest on the first batch; expected at most {allowed:.0e}; measure with "
            "--backend eager, and report this"
        )
    return max(differences)


def _each(parts: Sequence[Tensor], backend: Backend) -> list[Tensor]:
    """A backend's logits of each part; by as many threads as torch has, if any number may call it at once."""
    import torch

    threads = torch.get_num_threads() if backend.concurrent else 0
    with closing(in_order(parts.__getitem__, backend, len(parts), threads)) as results:
        return [logits.cpu() for logits in results]


def _relative(logits: Tensor, expected: Tensor) -> float:
    """The largest over the images; nan if a logit is none, or all of an image are zero."""
    return float(((logits - expected).abs().amax(1) / expected.abs().amax(1)).max())


def _noise_like(pixels: Tensor) -> Tensor:
    """Two images of noise in the size and type of pixels, always the same."""
    import torch

    generator, shape = torch.Generator().manual_seed(0), (2, *pixels.shape[1:])
    if pixels.is_floating_point():
        return torch.rand(shape, generator=generator)
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)
