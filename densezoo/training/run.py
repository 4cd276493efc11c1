"""One whole training run: a `Recipe` and a network -> the loop, its states, and what is trained in the end."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from densezoo.evaluation import distributed
from densezoo.families import family_of
from densezoo.formats.detect import read_checkpoint
from densezoo.malloc import keep_freed_memory
from densezoo.training.averaging import Average
from densezoo.training.data import TrainingImages, load_batches
from densezoo.training.distillation import Teacher
from densezoo.training.events import Observer
from densezoo.training.gradients import mean_over_processes
from densezoo.training.keeper import FolderKeeper
from densezoo.training.loop import Ingredients, Learner, Loop, Progress
from densezoo.training.losses import get_loss
from densezoo.training.mixing import mix
from densezoo.training.optimisers import get_optimiser
from densezoo.training.parameters import parameter_groups
from densezoo.training.sampling import Batches, process_seed
from densezoo.training.schedules import learning_rate
from densezoo.training.state import BEST, State, check_room
from densezoo.training.sync_bn import synchronised
from densezoo.types import Architecture, Recipe

Evaluate = Callable[[nn.Module], Mapping[str, float]]


@dataclass(frozen=True)
class Run:
    """What is trained, and how.

    Args:
        network: densezoo's module, with the weights that training begins with; trained in place.
        architecture: of the network.
        images: to train on.
        recipe: how.
        device: "cpu", "cuda", ...
        workers: processes that decode images; 0: none but this one.
        evaluate: what to measure between epochs: network -> {name: value}; may change the network that it gets.
        folder: of states and weights; it exists.
        facts: of the run (`densezoo.training.work_folder.run_facts`), which its states hold.
        write_weights: writes a network's weights to a file: (file, network, measures of it).
        teacher: whose answers are imitated; None: none.
        class_weights: float32 (classes,), of the loss; None: all 1.
        said: of the weights that training begins with and of the teacher, in lines for the user.
    """

    network: nn.Module
    architecture: Architecture
    images: TrainingImages
    recipe: Recipe
    device: str
    workers: int
    evaluate: Evaluate
    folder: Path
    facts: Mapping[str, object]
    write_weights: Callable[[Path, nn.Module, Mapping[str, float]], None]
    teacher: Teacher | None = None
    class_weights: Tensor | None = None
    said: tuple[str, ...] = ()


def train(run: Run, observers: Sequence[Observer], state: State | None = None) -> nn.Module:
    """Train the network in place; return what is kept of it: its average if the recipe has one, else the network.

    A run that ends when nothing gets better keeps the best evaluated weights, any other run the last ones.

    Args:
        run: what is trained, and how.
        observers: are told of each step and epoch, in the main process.
        state: to go on from; None: begin.

    Raises:
        TrainingError: the loss is not finite; the disk has no room for the states.
        ConfigError, DatasetError: the images can't be shared out in batches.
        KeyboardInterrupt: a signal came; the state is saved.
    """
    images = replace(run.images, images=run.images.images.for_shuffling())
    progress = Progress() if state is None else Progress(**state.values["progress"])
    rank, processes = distributed.rank(), distributed.world_size()
    batches = Batches(images.images, run.recipe, progress.step, rank, processes)
    if run.device == "cpu":
        keep_freed_memory()
    with deterministic(run.device):
        learner = make_learner(run, batches.steps_per_epoch)
        torch.manual_seed(process_seed(run.recipe, rank))
        keeper = FolderKeeper(run.folder, learner, run.facts, run.write_weights)
        if state is not None:
            keeper.restore(state)
        check_room(run.folder, (run.recipe.keep + 2) * keeper.state(progress).size)
        with closing(load_batches(images, batches, run.workers, pin=learner.device.type == "cuda")) as loaded:
            told = list(observers) if distributed.is_main() else []
            evaluate = partial(_measured, run)
            Loop(learner, loaded, batches.steps_per_epoch, evaluate, keeper, told, progress).run()
    if run.recipe.patience is not None:
        learner.measured.load_state_dict(read_checkpoint(run.folder / BEST).tensors)
    return learner.measured


def has_ended(state: State, recipe: Recipe) -> bool:
    """Whether nothing is left to train.

    Args:
        state: of a run.
        recipe: of the run.
    """
    return Progress(**state.values["progress"]).has_ended(recipe)


@contextmanager
def deterministic(device: str) -> Iterator[None]:
    """Have torch compute the same bits each time while the block runs, on a CPU; a GPU takes the fastest algorithms.

    Args:
        device: that computes.
    """
    settings: Any = torch.utils.deterministic  # whose type is a module without this setting
    before = torch.are_deterministic_algorithms_enabled(), settings.fill_uninitialized_memory
    if device == "cpu":
        torch.use_deterministic_algorithms(True)
        settings.fill_uninitialized_memory = False  # it would write each new tensor once more
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before[0])
        settings.fill_uninitialized_memory = before[1]


def make_learner(run: Run, steps_per_epoch: int) -> Learner:
    """The network with its optimiser and the recipe's ingredients, on the device, and wrapped for several processes."""
    recipe, device = run.recipe, torch.device(run.device)
    if device.type == "cuda" and device.index is None:
        device = torch.device("cuda", torch.cuda.current_device())
    family_of(run.architecture).set_memory(run.network, recipe.memory)
    layout = torch.channels_last if recipe.channels_last else torch.preserve_format
    network = synchronised(run.network, device) if recipe.sync_bn and distributed.world_size() > 1 else run.network
    network = network.to(device, memory_format=layout)  # type: ignore[call-overload]
    groups = parameter_groups(network, recipe, run.architecture)
    network.train()
    weights = None if run.class_weights is None else run.class_weights.to(device)
    ingredients = Ingredients(
        mix=lambda images, labels, generator: mix(images, labels, run.architecture.num_classes, recipe, generator),
        loss=get_loss(recipe.loss)(recipe, weights),
        rate=lambda done: learning_rate(recipe, done, steps_per_epoch),
        teacher=run.teacher,
    )
    average = None if recipe.ema is None else Average(network, recipe.ema)
    forward: nn.Module = torch.compile(network) if recipe.compile else network  # type: ignore[assignment]  # a module, says torch
    if distributed.world_size() > 1:
        together = DistributedDataParallel(forward, [device] if device.type == "cuda" else None)
        if device.type == "cpu":
            together.register_comm_hook(None, mean_over_processes)
        forward = together
    return Learner(network, forward, get_optimiser(recipe.optimiser)(groups, recipe), ingredients, recipe, average)


def _measured(run: Run, network: nn.Module) -> Mapping[str, float]:
    """What is measured of a copy of the network; the network and torch's random numbers stay as they are."""
    device = next(network.parameters()).device
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        copied = copy.deepcopy(network)
        if distributed.world_size() > 1:  # each process has statistics of its own batches; the main one's are kept
            for tensor in copied.state_dict().values():
                torch.distributed.broadcast(tensor, 0)
        family_of(run.architecture).set_memory(copied, "none")
        return run.evaluate(copied)
