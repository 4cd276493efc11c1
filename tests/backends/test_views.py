from __future__ import annotations

import torch
from torch import Tensor

from densezoo.backends.views import sum_over_views


def logits(pixels: Tensor) -> Tensor:
    assert pixels.ndim == 4
    return torch.stack([pixels.flatten(1).amax(1), pixels.flatten(1).sum(1)], 1)


def test_logits_of_the_views_of_an_image_are_summed() -> None:
    pixels = torch.arange(2 * 3 * 4.0).view(2, 3, 1, 2, 2)  # 2 images, 3 views
    expected = torch.stack([sum(logits(image[view][None])[0] for view in range(3)) for image in pixels])  # type: ignore[misc]
    assert torch.equal(sum_over_views(logits, pixels), expected)


def test_one_view_is_the_backends_own_answer() -> None:
    pixels = torch.rand(2, 1, 2, 2)
    assert torch.equal(sum_over_views(logits, pixels), logits(pixels))
