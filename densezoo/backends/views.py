"""The logits of several views of an image, summed."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from densezoo.backends.base import Backend, QueuedBackend


def sum_over_views(backend: Callable[[Tensor], Tensor], pixels: Tensor) -> Tensor:
    """The logits (N, num_classes), summed over the views of each image.

    Args:
        backend: pixels (N, C, H, W) -> logits (N, num_classes); called once a view, so that ten views
            take the memory of one.
        pixels: (N, V, C, H, W); or (N, C, H, W), where there is one view.
    """
    if pixels.ndim == 4:
        return backend(pixels)
    return torch.stack([backend(view) for view in pixels.unbind(1)]).sum(0)


def begin_sum_over_views(backend: Backend, pixels: Tensor) -> Callable[[], Tensor]:
    """A function that gives what `sum_over_views` does: of a queued backend later, of another when it is called.

    Args:
        backend: pixels (N, C, H, W) -> logits (N, num_classes).
        pixels: (N, V, C, H, W); or (N, C, H, W), where there is one view.
    """
    if not isinstance(backend, QueuedBackend):
        return partial(sum_over_views, backend, pixels)
    waiting = [backend.begin(view) for view in ([pixels] if pixels.ndim == 4 else pixels.unbind(1))]
    return waiting[0] if pixels.ndim == 4 else lambda: torch.stack([wait() for wait in waiting]).sum(0)
