from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from densezoo.backends.views import begin_sum_over_views, sum_over_views
from densezoo.protocols import get_protocol

PROTOCOL = get_protocol("digits")


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


class Queued:
    """Takes note of what is begun and what is waited for."""

    name, precision, device, protocol, concurrent = "queued", "float32", torch.device("cpu"), PROTOCOL, False

    def __init__(self) -> None:
        self.events: list[str] = []

    def __call__(self, pixels: Tensor) -> Tensor:
        return self.begin(pixels)()

    def begin(self, pixels: Tensor) -> Callable[[], Tensor]:
        self.events.append("begun")

        def wait() -> Tensor:
            self.events.append("waited for")
            return logits(pixels)

        return wait


@pytest.mark.parametrize("shape", [(2, 1, 2, 2), (2, 3, 1, 2, 2)], ids=["one view", "three views"])
def test_views_are_begun_together_and_waited_for_later(shape: tuple[int, ...]) -> None:
    backend, pixels = Queued(), torch.rand(shape)
    views = 1 if len(shape) == 4 else shape[1]
    wait = begin_sum_over_views(backend, pixels)
    assert backend.events == ["begun"] * views
    assert torch.equal(wait(), sum_over_views(logits, pixels))
    assert backend.events == ["begun"] * views + ["waited for"] * views


def test_another_backend_computes_when_it_is_waited_for() -> None:
    calls = []

    def backend(pixels: Tensor) -> Tensor:
        calls.append(len(pixels))
        return logits(pixels)

    pixels = torch.rand(2, 3, 1, 2, 2)
    wait = begin_sum_over_views(backend, pixels)  # type: ignore[arg-type]
    assert calls == []
    assert torch.equal(wait(), sum_over_views(logits, pixels))
