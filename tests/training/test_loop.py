"""What a step does: gradients of all its parts, each group at its own rate."""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Literal

import pytest
import torch
from torch import Tensor, nn

from densezoo.evaluation import distributed as evaluation_processes
from densezoo.training.averaging import Average
from densezoo.training.events import Epoch, Step
from densezoo.training.loop import Batch, Ingredients, Learner, Loop, Progress
from densezoo.types import Recipe

RECIPE = Recipe(epochs=4, batch_size=8)
IMAGES, LABELS = torch.randn(8, 2, 1, 1, generator=torch.Generator().manual_seed(2)), torch.arange(8) % 3


def unmixed(images: Tensor, labels: Tensor, _: torch.Generator) -> Batch:
    return images, labels


def learner(recipe: Recipe, mix: Callable[[Tensor, Tensor, torch.Generator], Batch] = unmixed) -> Learner:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(2, 3))
    ingredients = Ingredients(mix, nn.CrossEntropyLoss(), lambda done: done + 1.0)
    groups: list[dict[str, Any]] = [{"params": [network[1].weight]}, {"params": [network[1].bias], "lr_scale": 0.5}]
    average = Average(network, 0.5) if recipe.ema else None
    return Learner(network, network, torch.optim.SGD(groups, lr=9.0), ingredients, recipe, average)


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
    # a second step has the gradients of its own batch alone
    loss = nn.functional.cross_entropy(trained.network(IMAGES), LABELS)
    by_weight, _ = torch.autograd.grad(loss, list(trained.network.parameters()))
    trained.step(iter([(IMAGES, LABELS)]), 2)
    torch.testing.assert_close(trained.network[1].weight.grad, by_weight)  # type: ignore[index]


def test_accumulated_parts_give_the_step_of_the_whole() -> None:
    whole, parts = learner(RECIPE), learner(replace(RECIPE, accumulate=4))
    for done in range(2):
        told = whole.step(iter([(IMAGES, LABELS)]), done)
        of_parts = parts.step(iter([(IMAGES[i::4], LABELS[i::4]) for i in range(4)]), done)
        torch.testing.assert_close(told, of_parts)
    torch.testing.assert_close(weights(parts), weights(whole))


@pytest.mark.parametrize("precision", ["float32", "fp16"])  # whose gradients are scaled by 2^16 at first
def test_gradients_are_clipped(precision: Literal["float32", "fp16"]) -> None:
    clipped, free = learner(replace(RECIPE, clip_grad=0.01, precision=precision)), learner(RECIPE)
    before = weights(free)
    for trained in (clipped, free):
        trained.step(iter([(IMAGES, LABELS)]), 0)
    gradients = [parameter.grad for parameter in clipped.network.parameters()]
    norm = torch.linalg.vector_norm(torch.cat([gradient.flatten() for gradient in gradients if gradient is not None]))
    assert norm == pytest.approx(0.01, rel=1e-3)
    assert (weights(clipped) - before).norm() < (weights(free) - before).norm()


def test_a_step_moves_the_average() -> None:
    trained = learner(replace(RECIPE, ema=0.5))
    before = weights(trained)
    trained.step(iter([(IMAGES, LABELS)]), 0)
    average = nn.utils.parameters_to_vector(trained.measured.parameters())
    # the first update's decay is (1 + 1) / (10 + 1)
    torch.testing.assert_close(average, before * (2 / 11) + weights(trained) * (9 / 11))


def test_each_part_of_each_process_draws_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[int] = []

    def mix(images: Tensor, labels: Tensor, generator: torch.Generator) -> Batch:
        drawn.append(generator.initial_seed())
        return images, labels

    monkeypatch.setattr(evaluation_processes, "world_size", lambda: 2)
    for rank in (0, 1):
        monkeypatch.setattr(evaluation_processes, "rank", lambda rank=rank: rank)
        trained = learner(replace(RECIPE, accumulate=2), mix)
        for done in (0, 1):
            trained.step(iter([(IMAGES, LABELS)] * 2), done)
    assert len(set(drawn)) == len(drawn) == 8


class Told:
    """Keeps what a loop tells, in the places of its observer and of its keeper."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self.epochs: list[Epoch] = []
        self.best: list[float] = []
        self.captured: list[Progress] = []

    def on_step(self, step: Step) -> None:
        self.steps.append(step)

    def on_epoch(self, epoch: Epoch) -> None:
        self.epochs.append(epoch)

    def close(self) -> None:
        pass

    def capture(self, progress: Progress) -> Callable[[], None]:
        kept = replace(progress)
        return lambda: self.captured.append(kept)

    def save_best(self, network: nn.Module, measures: Mapping[str, float]) -> None:
        self.best.append(measures["top1"])

    def where(self) -> str:
        return "all"


def test_what_a_loop_tells_and_keeps() -> None:
    """The best weights are the first of the best, and what an epoch is told by is its own."""
    told, found = Told(), iter([10.0, 10.0, 20.0, 15.0])
    trained = learner(RECIPE)
    loop = Loop(trained, iter([(IMAGES, LABELS)] * 8), 2, lambda _: {"top1": next(found)}, told, [told], Progress())
    loop.run()
    assert [(step.epoch, step.step, step.lr) for step in told.steps] == [(1 + i // 2, i + 1, i + 1.0) for i in range(8)]
    assert [epoch.train_loss for epoch in told.epochs] == [
        pytest.approx((told.steps[2 * i].loss + told.steps[2 * i + 1].loss) / 2) for i in range(4)
    ]
    assert [epoch.measures["top1"] for epoch in told.epochs] == [10.0, 10.0, 20.0, 15.0]
    assert told.best == [10.0, 20.0]
    assert (loop.progress.best, loop.progress.best_epoch, loop.progress.evaluations_since) == (20.0, 3, 1)
    assert [(each.step, each.epochs) for each in told.captured] == [(2, 1), (4, 2), (6, 3), (8, 4)]


def test_a_signal_is_said_with_what_is_kept_and_how_to_go_on() -> None:
    told = Told()
    trained = learner(RECIPE)
    loop = Loop(trained, iter([(IMAGES, LABELS)] * 8), 2, lambda _: {"top1": 1.0}, told, [told], Progress())
    former = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        told.on_step = lambda step: signal.raise_signal(signal.SIGINT) if step.step == 3 else None  # type: ignore[method-assign]
        with pytest.raises(KeyboardInterrupt, match="^all: the same command with --resume goes on$"):
            loop.run()
    finally:
        signal.signal(signal.SIGINT, former)
    assert [(each.step, each.epochs) for each in told.captured] == [(2, 1), (4, 1)]


@pytest.mark.parametrize(
    ("progress", "patience", "ended"),
    [((3, 0), None, False), ((4, 0), None, True), ((1, 2), 2, True), ((1, 1), 2, False), ((1, 9), None, False)],
)
def test_when_a_run_has_ended(progress: tuple[int, int], patience: int | None, ended: bool) -> None:
    epochs, since = progress
    assert Progress(epochs=epochs, evaluations_since=since).has_ended(replace(RECIPE, patience=patience)) == ended
