"""Backends that any number of threads may call at once: an exact one, and ones that are slow, out of order or fail."""

from __future__ import annotations

import os
import random
import threading
import time

import torch
from torch import Tensor, nn

from densezoo.backends.base import BACKENDS, EXACT, BackendEntry
from densezoo.backends.eager import EagerBackend
from densezoo.types import Architecture, Protocol

seen: set[tuple[str, int]] = set()  # (thread, torch's threads in it) of all calls
calls: list[int] = []  # images of each call


class Exact(EagerBackend):
    """Eager on one image after the other, so that its logits don't depend on which images come together."""

    name = "exact"
    concurrent = True

    def __init__(
        self, network: nn.Module, architecture: Architecture, protocol: Protocol, device: str, precision: str
    ) -> None:
        super().__init__(network, architecture, protocol, device, precision)

    def __call__(self, pixels: Tensor) -> Tensor:
        seen.add((threading.current_thread().name, torch.get_num_threads()))
        calls.append(len(pixels))
        return torch.cat([super(Exact, self).__call__(image[None]) for image in pixels])


class Unsteady(Exact):
    """Takes a random time for each call, so that later images are often done first."""

    name = "unsteady"

    def __call__(self, pixels: Tensor) -> Tensor:
        time.sleep(random.random() / 50)
        return super().__call__(pixels)


class Slow(Exact):
    """Takes a tenth of a second for each call, or what CALL_SECONDS says."""

    name = "slow"

    def __call__(self, pixels: Tensor) -> Tensor:
        time.sleep(float(os.environ.get("CALL_SECONDS", "0.1")))
        return super().__call__(pixels)


class Failing(Exact):
    """Fails from the seventh call on."""

    name = "failing"

    def __call__(self, pixels: Tensor) -> Tensor:
        if len(calls) >= 6:
            raise RuntimeError("out of registers")
        return super().__call__(pixels)


def entries() -> dict[str, BackendEntry]:
    """BACKENDS with these ones."""
    own = {kind.name: BackendEntry(__name__, kind.__name__, {"float32": EXACT}) for kind in (Exact, Unsteady, Slow)}
    return {**BACKENDS, **own, "failing": BackendEntry(__name__, "Failing", {"float32": EXACT})}
