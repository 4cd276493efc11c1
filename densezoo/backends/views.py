"""The logits of several views of an image, summed."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


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
