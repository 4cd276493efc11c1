"""What computes logits: the `Backend` protocol and the table of backends. Imports no torch until one is created."""

from __future__ import annotations

import importlib
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from densezoo.errors import EvaluationError, UnknownNameError
from densezoo.types import Protocol

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

EAGER = "eager"  # PyTorch as it is, which the others are held to


class Backend(typing.Protocol):
    """uint8 pixels -> logits, under one protocol's normalisation.

    Args:
        name: its key in BACKENDS.
        precision: what it computes in, such as "float32".
        device: the device it computes on.
        protocol: how pixels become the floats that the network was trained on.
    """

    name: str
    precision: str
    device: torch.device
    protocol: Protocol

    def __init__(self, model: nn.Module, protocol: Protocol, device: str, precision: str) -> None: ...

    def __call__(self, pixels: Tensor) -> Tensor:
        """Logits.

        Args:
            pixels: (N, C, H, W) uint8; float32 under a protocol that resizes in floats.

        Returns:
            (N, num_classes) float32.
        """


@dataclass(frozen=True)
class BackendEntry:
    """The class of a backend, and the precisions it has.

    Args:
        module: the module of the class; imported when the backend is used.
        class_name: of the `Backend`.
        precisions: {precision: the largest difference of its logits from eager's, relative to the largest logit}.
    """

    module: str
    class_name: str
    precisions: Mapping[str, float]


#: {name: entry}; a new backend is a module and a line here.
BACKENDS: dict[str, BackendEntry] = {
    EAGER: BackendEntry("densezoo.backends.eager", "EagerBackend", {"float32": 0.0}),
}


def check_backend(name: str, precision: str) -> None:
    """Refuse a backend or a precision that doesn't exist, before anything is imported.

    Args:
        name: a key of BACKENDS.
        precision: one of the backend's.

    Raises:
        UnknownNameError: names the nearest.
    """
    if name not in BACKENDS:
        raise UnknownNameError("backend", name, BACKENDS)
    if precision not in BACKENDS[name].precisions:
        raise UnknownNameError(f"precision of backend {name}", precision, BACKENDS[name].precisions)


def create_backend(name: str, model: nn.Module, protocol: Protocol, device: str, precision: str) -> Backend:
    """Create a backend of the table.

    Args:
        name, precision: as `check_backend` takes them.
        model: images (N, C, H, W), normalised -> logits (N, num_classes).
        protocol: how pixels become the floats that the model was trained on.
        device: "cpu", "cuda", "cuda:1", ...

    Raises:
        UnknownNameError: there is no such backend or precision.
    """
    check_backend(name, precision)
    entry = BACKENDS[name]
    backend_class: type[Backend] = getattr(importlib.import_module(entry.module), entry.class_name)
    return backend_class(model, protocol, device, precision)


def difference_from_eager(backend: Backend, eager: Backend, pixels: Tensor) -> float:
    """How far a backend's logits are from eager's on one batch, relative to eager's largest one.

    Args:
        backend, eager: of the same network and protocol.
        pixels: (N, C, H, W), as for `Backend`.

    Raises:
        EvaluationError: the difference is larger than the table allows, or not a number.
    """
    expected = eager(pixels).cpu()
    difference = float((backend(pixels).cpu() - expected).abs().max() / expected.abs().max())
    allowed = BACKENDS[backend.name].precisions[backend.precision]
    if not difference <= allowed:  # nan is not
        raise EvaluationError(
            f"backend {backend.name} in {backend.precision} on {backend.device}: its logits differ from eager's by "
            f"{difference:.1e} of the largest on the first batch; expected at most {allowed:.0e}; measure with "
            "--backend eager, and report this"
        )
    return difference
