"""What a step does: gradients of all its parts, each group at its own rate."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from densezoo.training.loop import Ingredients, Learner, Progress
from densezoo.types import Recipe

RECIPE = Recipe(epochs=4, batch_size=8)
IMAGES, LABELS = torch.randn(8, 2, 1, 1, generator=torch.Generator().manual_seed(0)), torch.arange(8) % 3


def learner(recipe: Recipe) -> Learner:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(2, 3))
    ingredients = Ingredients(
        lambda images, labels, _: (images, labels), nn.CrossEntropyLoss(), lambda done: done + 1.0
    )
    groups: list[dict[str, Any]] = [{"params": [network[1].weight]}, {"params": [network[1].bias], "lr_scale": 0.5}]
    return Learner(network, network, torch.optim.SGD(groups, lr=9.0), ingredients, recipe)


def weights(trained: Learner) -> Tensor:
    return nn.utils.parameters_to_vector(trained.network.parameters()).detach()


def test_a_step_is_one_of_gradient_descent() -> None:
    trained, expected = learner(RECIPE), learner(RECIPE)
    network = expected.network
    loss = nn.functional.cross_entropy(network(IMAGES), LABELS)
    by_weight, by_bias = torch.autograd.grad(loss, list(network.parameters()))
    sums = trained.step(iter([(IMAGES, LABELS)]), 1)
    torch.testing.assert_close(trained.network[1].weight, network[1].weight - 2 * by_weight)  # type: ignore[index]
    torch.testing.assert_close(trained.network[1].bias, network[1].bias - 1 * by_bias)  # type: ignore[index]
    right = (network(IMAGES).argmax(1) == LABELS).float().mean()
    torch.testing.assert_close(sums, torch.stack([loss.detach(), right]))


def test_accumulated_parts_give_the_step_of_the_whole() -> None:
    whole, parts = learner(RECIPE), learner(replace(RECIPE, accumulate=4))
    for done in range(2):
        told = whole.step(iter([(IMAGES, LABELS)]), done)
        of_parts = parts.step(iter([(IMAGES[i::4], LABELS[i::4]) for i in range(4)]), done)
        torch.testing.assert_close(told, of_parts)
    torch.testing.assert_close(weights(parts), weights(whole))


def test_gradients_are_clipped() -> None:
    clipped, free = learner(replace(RECIPE, clip_grad=0.01)), learner(RECIPE)
    before = weights(free)
    for trained in (clipped, free):
        trained.step(iter([(IMAGES, LABELS)]), 0)
    gradients = [parameter.grad for parameter in clipped.network.parameters()]
    norm = torch.linalg.vector_norm(torch.cat([gradient.flatten() for gradient in gradients if gradient is not None]))
    assert norm == pytest.approx(0.01, rel=1e-3)
    assert (weights(clipped) - before).norm() < (weights(free) - before).norm()


@pytest.mark.parametrize(
    ("progress", "patience", "ended"),
    [((3, 0), None, False), ((4, 0), None, True), ((1, 2), 2, True), ((1, 1), 2, False), ((1, 9), None, False)],
)
def test_when_a_run_has_ended(progress: tuple[int, int], patience: int | None, ended: bool) -> None:
    epochs, since = progress
    assert Progress(epochs=epochs, evaluations_since=since).has_ended(replace(RECIPE, patience=patience)) == ended
