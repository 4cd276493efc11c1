"""Trains a network by a `Recipe`, with mmengine's Runner and an evaluation after each epoch."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from mmengine import dist
from mmengine.dataset import DefaultSampler
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from mmengine.optim import OptimWrapper
from mmengine.runner import Runner
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader

from densezoo.errors import TrainingError
from densezoo.training.data import TrainingImages
from densezoo.training.optimisers import get_optimiser
from densezoo.training.schedules import learning_rate
from densezoo.types import Recipe

_NUMBERS = itertools.count(1)  # of the runs in this process


class Classifier(BaseModel):  # type: ignore[misc]  # mmengine is untyped
    """The model that the Runner trains: a network with its cross-entropy.

    Args:
        network: images (N, C, H, W) -> logits (N, classes).
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor, labels: Tensor, mode: str = "tensor") -> Tensor | dict[str, Tensor]:
        """Logits, or with mode "loss" {"loss": the batch's mean cross-entropy}."""
        logits: Tensor = self.network(images)
        return {"loss": functional.cross_entropy(logits, labels)} if mode == "loss" else logits


class EvaluateHook(Hook):  # type: ignore[misc]
    """Calls ``evaluate(network)`` after every epoch; stops a run whose loss is lost."""

    def __init__(self, evaluate: Callable[[nn.Module], Mapping[str, float]]) -> None:
        self.evaluate = evaluate

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: dict[str, Any] | None = None
    ) -> None:
        if outputs is not None and not math.isfinite(loss := outputs["loss"].item()):
            raise TrainingError(f"the loss is {loss} at iteration {runner.iter + 1}; lower train.lr")

    def after_train_epoch(self, runner: Runner) -> None:
        network = self._network(runner)
        measures = self.evaluate(network)
        network.train()
        line = ", ".join(f"{name} {value:.2f}" for name, value in measures.items())
        runner.logger.info(f"epoch {runner.epoch + 1}: {line}")

    def _network(self, runner: Runner) -> nn.Module:
        model = runner.model.module if hasattr(runner.model, "module") else runner.model
        network: nn.Module = model.network
        return network


class ScheduleHook(Hook):  # type: ignore[misc]
    """Sets the learning rate of each step."""

    def __init__(self, recipe: Recipe, steps_per_epoch: int) -> None:
        self.recipe, self.steps_per_epoch = recipe, steps_per_epoch

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        for group in runner.optim_wrapper.param_groups:
            group["lr"] = learning_rate(self.recipe, runner.iter, self.steps_per_epoch)


class ResumeHook(Hook):  # type: ignore[misc]
    """Adds torch's random state and the run's facts to each checkpoint, and restores the random state on resuming.

    Of mmengine's message hub only the list of kept checkpoints is written, because ``torch.load`` refuses the rest.

    Args:
        facts: of the run (`densezoo.training.work_folder.run_facts`).
    """

    def __init__(self, facts: Mapping[str, Any]) -> None:
        self.facts = facts
        self.random: Mapping[str, Tensor] = {}

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        kept_checkpoints = {"keep_ckpt_ids": checkpoint["message_hub"]["runtime_info"]["keep_ckpt_ids"]}
        checkpoint["message_hub"] = {"log_scalars": {}, "runtime_info": kept_checkpoints, "resumed_keys": {}}
        checkpoint["run"] = dict(self.facts)
        gpu = {"cuda": torch.cuda.get_rng_state()} if torch.cuda.is_available() else {}
        checkpoint["random"] = {"cpu": torch.get_rng_state(), **gpu}

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        self.random = checkpoint["random"]
        if not all(tensor.is_contiguous() for tensor in checkpoint["state_dict"].values()):
            runner.model.to(memory_format=torch.channels_last)  # as an evaluation leaves it; dropout depends on it

    def before_train_epoch(self, runner: Runner) -> None:
        if "cpu" in self.random:
            torch.set_rng_state(self.random["cpu"].cpu())
        if "cuda" in self.random and torch.cuda.is_available():
            torch.cuda.set_rng_state(self.random["cuda"].cpu())
        self.random = {}


def train(
    network: nn.Module,
    images: TrainingImages,
    recipe: Recipe,
    evaluate: Callable[[nn.Module], Mapping[str, float]],
    work_dir: str | Path,
    workers: int,
    launcher: str,
    facts: Mapping[str, Any],
    resume_from: Path | None = None,
) -> None:
    """Train the network in place, measured after each epoch; logs and mmengine's checkpoints go to ``work_dir``.

    Args:
        evaluate: what to measure between epochs: network -> {name: value}.
        workers: processes that decode images; 0: none but this one.
        launcher: "none", "pytorch", "slurm" or "mpi" (mmengine's).
        facts: of the run (`densezoo.training.work_folder.run_facts`), for its checkpoints.
        resume_from: the checkpoint of such a run to go on from; None: begin at epoch 1.
        eval_interval: epochs between evaluations, and between checkpoints.

    Raises:
        TrainingError: the loss is not finite.
    """
    loader = _loader(images, recipe, workers)
    Runner(
        model=Classifier(network),
        work_dir=str(work_dir),
        experiment_name=f"{Path(work_dir).name}_{next(_NUMBERS)}",  # mmengine refuses equal names in one process
        train_dataloader=loader,
        train_cfg={"by_epoch": True, "max_epochs": recipe.epochs},
        optim_wrapper=OptimWrapper(get_optimiser(recipe.optimiser)([{"params": list(network.parameters())}], recipe)),
        default_hooks={
            "logger": {"type": "LoggerHook", "interval": max(1, len(loader) // 4)},
            # two, because mmengine removes the oldest before it writes: a run that is killed then keeps one
            "checkpoint": {"type": "CheckpointHook", "interval": 1, "max_keep_ckpts": 2},
        },
        custom_hooks=[EvaluateHook(evaluate), ResumeHook(facts), ScheduleHook(recipe, len(loader))],
        load_from=None if resume_from is None else str(resume_from),
        resume=resume_from is not None,
        randomness={"seed": recipe.seed, "deterministic": True},
        launcher=launcher,
    ).train()


def _loader(images: TrainingImages, recipe: Recipe, workers: int) -> DataLoader[tuple[Tensor, int]]:
    """Batches of this process's share of the images, in the order that the recipe's seed draws."""
    return DataLoader(
        images,
        batch_size=max(1, recipe.batch_size // dist.get_world_size()),
        sampler=DefaultSampler(images, shuffle=True, seed=recipe.seed),
        num_workers=workers,
        drop_last=False,
        persistent_workers=workers > 0,
    )
