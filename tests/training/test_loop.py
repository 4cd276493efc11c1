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
from densezoo.training.distillation import Teacher
from densezoo.training.events import Epoch, Step
from densezoo.training.loop import Batch, Ingredients, Learner, Loop, Progress
from densezoo.types import Distillation, Recipe

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


def looped(recipe: Recipe, evaluate: Callable[[nn.Module], Mapping[str, float]] = lambda _: {"top1": 1.0}) -> Told:
    """What a loop over two steps an epoch tells."""
    told, trained = Told(), learner(recipe)
    batches = iter([(IMAGES, LABELS)] * 2 * recipe.epochs)
    Loop(trained, batches, 2, evaluate, told, [told], Progress()).run()
    return told


def test_the_average_is_what_is_measured_and_kept() -> None:
    told, trained, seen = Told(), learner(replace(RECIPE, epochs=1, ema=0.5)), list[nn.Module]()

    def see(network: nn.Module, _: object = None) -> dict[str, float]:
        seen.append(network)
        return {"top1": 1.0}

    told.save_best = see  # type: ignore[assignment, method-assign]
    Loop(trained, iter([(IMAGES, LABELS)] * 2), 2, see, told, [told], Progress()).run()
    assert trained.average is not None
    assert [network is trained.average.network for network in seen] == [True, True]


def test_the_last_epoch_is_evaluated_whatever_comes_between() -> None:
    told = looped(replace(RECIPE, evaluate_every=3))
    assert [bool(epoch.measures) for epoch in told.epochs] == [False, False, True, True]


def test_a_state_is_saved_once_where_an_epoch_ends() -> None:
    told = looped(replace(RECIPE, epochs=2, save_every=1))
    assert [(each.step, each.epochs) for each in told.captured] == [(1, 0), (2, 1), (3, 1), (4, 2)]


def test_an_epoch_s_seconds_are_its_own_steps() -> None:
    told = looped(replace(RECIPE, epochs=3))
    for i, epoch in enumerate(told.epochs):
        assert epoch.seconds == pytest.approx(sum(step.seconds for step in told.steps[2 * i : 2 * i + 2]))


@pytest.mark.parametrize("changes", [{"mixup": 0.5}, {"cutmix": 1.0}, {"loss": "bce"}])
def test_a_share_of_right_answers_is_told_where_it_means_something(changes: dict[str, Any]) -> None:
    assert all(step.top1 is not None for step in looped(replace(RECIPE, epochs=1)).steps)
    told = looped(replace(RECIPE, epochs=1, **changes))
    assert [step.top1 for step in told.steps] == [None, None]
    assert told.epochs[0].train_top1 is None


def test_the_teacher_s_answers_are_the_ones_that_are_imitated() -> None:
    trained = learner(RECIPE)
    torch.manual_seed(5)
    teacher = Teacher(nn.Sequential(nn.Flatten(), nn.Linear(2, 3)), Distillation("", 0.7, 3.0), nn.Identity(), 1)
    trained.ingredients = replace(trained.ingredients, teacher=teacher)
    logits = trained.network(IMAGES)
    expected = teacher.loss(logits, teacher.logits(IMAGES), nn.functional.cross_entropy(logits, LABELS)).detach()
    assert trained.step(iter([(IMAGES, LABELS)]), 0)[0] == pytest.approx(expected.item(), rel=1e-5)


@pytest.mark.parametrize(("precision", "kind"), [("float32", "float32"), ("bf16", "bfloat16"), ("fp16", "float16")])
def test_products_are_computed_in_the_precision_that_is_asked_for(precision: Any, kind: str) -> None:
    trained, kinds = learner(replace(RECIPE, precision=precision)), []
    trained.network.register_forward_hook(lambda module, images, logits: kinds.append(logits.dtype))
    trained.step(iter([(IMAGES, LABELS)]), 0)
    assert kinds == [getattr(torch, kind)]


def test_of_two_processes_the_mean_is_told_and_a_signal_to_one_ends_both(monkeypatch: pytest.MonkeyPatch) -> None:
    """The other one's halves of loss and share are added, and in the second step a signal has reached it."""
    own = nn.functional.cross_entropy(learner(RECIPE).network(IMAGES), LABELS).item()
    others = iter([torch.tensor([1.0, 0.25, 0.0]), torch.tensor([1.0, 0.25, 1.0])])
    monkeypatch.setattr(evaluation_processes, "world_size", lambda: 2)
    monkeypatch.setattr(torch.distributed, "all_reduce", lambda sums: sums.add_(next(others)))
    told, trained = Told(), learner(RECIPE)
    loop = Loop(trained, iter([(IMAGES, LABELS)] * 8), 4, lambda _: {"top1": 1.0}, told, [told], Progress())
    with pytest.raises(KeyboardInterrupt):
        loop.run()
    assert told.steps[0].loss == pytest.approx(own / 2 + 1, rel=1e-5)
    assert [(each.step, each.epochs) for each in told.captured] == [(2, 0)]


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
