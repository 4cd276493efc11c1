"""What a training will take, before it starts: parameters, memory, steps, time.

Tensors are counted in two real steps of a few images, and seconds are measured in some more on this machine.
"""

from __future__ import annotations

import dataclasses
import itertools
import time
from dataclasses import dataclass
from types import TracebackType

import torch
from torch import Tensor, nn

from densezoo.data.workers import arrived
from densezoo.errors import DensezooError
from densezoo.evaluation import distributed
from densezoo.families import family_of
from densezoo.families.flops import count_operations, flops
from densezoo.training.data import TrainingImages, collate
from densezoo.training.loop import Batch, Learner
from densezoo.training.run import Run, make_learner
from densezoo.types import Recipe

FEW = 4  # images of the steps in which tensors are counted; half as many in the other one
SECONDS_A_STEP = 3.0  # of a measured step, at most, so that a plan takes seconds on a CPU too
STEPS = 3  # measured steps, at least
READ = 64  # images that are read to measure how long that takes


@dataclass(frozen=True)
class Images:
    """How many images there are.

    Args:
        training, test: of the dataset; None: nobody knows without the dataset.
        found: whether they were counted here; False: published numbers, and the plan is made with noise.
    """

    training: int | None
    test: int | None
    found: bool


@dataclass(frozen=True)
class Memory:
    """Bytes on the device of one process, beside what the framework itself takes.

    Args:
        weights: parameters and buffers.
        gradients: of the trained parameters.
        optimiser: what it keeps for them.
        average: of the weights; 0: none.
        teacher: its weights; 0: none.
        an_image: tensors that are kept for backward, for each image.
        images: that a process computes at once.
    """

    weights: int
    gradients: int
    optimiser: int
    average: int
    teacher: int
    an_image: int
    images: int

    @property
    def activations(self) -> int:
        """Tensors that are kept for backward."""
        return self.an_image * self.images

    @property
    def total(self) -> int:
        """All of them."""
        return self.weights + self.gradients + self.optimiser + self.average + self.teacher + self.activations


@dataclass(frozen=True)
class Speed:
    """What was measured on this machine.

    Args:
        steps, images: optimiser steps that were measured, and the images of each.
        training: seconds an image, of those steps.
        evaluating: seconds an image, of the network alone.
        reading: seconds an image to read and augment it on one core; None: the dataset isn't here.
    """

    steps: int
    images: int
    training: float
    evaluating: float
    reading: float | None


@dataclass(frozen=True)
class TrainingPlan:
    """What a training will take.

    Args:
        run: that is planned.
        images: of the dataset.
        image_size: (height, width) that the network is trained with.
        parameters, trained: of the network, all and those that change.
        flops: multiply-adds of convolutions and classifier for one image of that size, one way.
        memory: of one process.
        processes: that train together.
        speed: None: not measured.
    """

    run: Run
    images: Images
    image_size: tuple[int, int]
    parameters: int
    trained: int
    flops: int
    memory: Memory
    processes: int
    speed: Speed | None

    @property
    def recipe(self) -> Recipe:
        """How the network is trained."""
        return self.run.recipe

    @property
    def steps_per_epoch(self) -> int | None:
        """Optimiser steps of an epoch; None: nobody knows without the dataset."""
        return None if self.images.training is None else self.images.training // self.recipe.batch_size

    @property
    def evaluations(self) -> int:
        """How often the network is evaluated: every so many epochs, and at the end."""
        return -(-self.recipe.epochs // self.recipe.evaluate_every)

    @property
    def seconds(self) -> float | None:
        """Of the whole training, on as many such machines as there are processes; None: nobody knows.

        On a CPU, reading and computing take the same cores one after the other; on a GPU the slower one decides.
        """
        if self.speed is None or self.steps_per_epoch is None:
            return None
        taken = self.recipe.epochs * self.steps_per_epoch * self.recipe.batch_size
        tested = self.evaluations * (self.images.test or 0)
        reading = (self.speed.reading or 0.0) / max(self.run.workers, 1)
        both = sum if torch.device(self.run.device).type == "cpu" else max
        parts = [(taken, self.speed.training), (tested, self.speed.evaluating)]
        return sum(number * both([computing, reading]) for number, computing in parts) / self.processes


def make_plan(run: Run, images: Images, seconds: float = 10.0) -> TrainingPlan:
    """Count and measure in a few steps; the run's network is trained by them, and of no use afterwards.

    Args:
        run: that is planned; its images may be noise of the right size.
        images: of the dataset.
        seconds: that the measured steps may take; 0: nothing is measured.

    Raises:
        DensezooError: an image can't be read; network, images and recipe don't fit.
    """
    recipe, processes = run.recipe, distributed.world_size()
    part = max(1, recipe.batch_size // (recipe.accumulate * processes))
    first = _batch(run.images, FEW)
    learner = make_learner(
        dataclasses.replace(run, recipe=dataclasses.replace(recipe, accumulate=1, compile=False)),
        (images.training or recipe.batch_size) // recipe.batch_size or 1,
    )
    memory, a_step = _count(run, learner, first, part)
    height, width = first[0].shape[2:]
    parameters = list(learner.network.parameters())
    computation = family_of(run.architecture).computation(run.architecture)
    return TrainingPlan(
        run,
        images,
        (height, width),
        sum(each.numel() for each in parameters),
        sum(each.numel() for each in parameters if each.requires_grad),
        flops(count_operations(computation, height), "torchvision"),
        memory,
        processes,
        _measure(run, learner, min(part, max(FEW, int(SECONDS_A_STEP * FEW / a_step))), images.found, seconds, a_step)
        if seconds
        else None,
    )


class SavedTensors:
    """Counts what autograd keeps for backward while the block runs, until backward begins.

    A storage counts once and whole, however many views of it are kept; the network's own tensors don't count.

    Args:
        network: whose parameters and buffers are its own.
    """

    def __init__(self, network: nn.Module) -> None:
        own = itertools.chain(network.parameters(), network.buffers())
        self._counted = {each.untyped_storage().data_ptr() for each in own}
        self._hooks = torch.autograd.graph.saved_tensors_hooks(self._pack, self._unpack)
        self._backward = False
        self.bytes = 0

    def __enter__(self) -> SavedTensors:
        self._hooks.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._hooks.__exit__(kind, error, traceback)

    def _pack(self, tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()  # what is kept isn't freed, so its address is no other's until backward
        if not self._backward and storage.data_ptr() not in self._counted:
            self._counted.add(storage.data_ptr())
            self.bytes += storage.nbytes()
        return tensor

    def _unpack(self, tensor: Tensor) -> Tensor:
        self._backward = True
        return tensor


def _count(run: Run, learner: Learner, batch: Batch, part: int) -> tuple[Memory, float]:
    """The memory of a process, counted in two steps; and the seconds of the second one.

    Args:
        run: that is planned.
        learner: takes the steps.
        batch: of FEW images.
        part: images that a process computes at once.
    """
    images, labels = batch
    kept = []
    for number in (FEW // 2, FEW):  # from two sizes follows what one more image takes
        start = time.perf_counter()
        with SavedTensors(learner.network) as saved:
            _step(learner, (images[:number], labels[:number]))
        kept.append(saved.bytes)
        seconds = time.perf_counter() - start
    network, average = learner.network, learner.average
    teacher = None if run.teacher is None else run.teacher.network
    parameters = [each for each in network.parameters() if each.requires_grad]
    state = [value for each in learner.optimiser.state.values() for value in each.values()]
    memory = Memory(
        weights=_size(*network.parameters(), *network.buffers()),
        gradients=_size(*parameters),
        optimiser=_size(*(value for value in state if isinstance(value, Tensor))),
        average=0 if average is None else _size(*average.network.parameters(), *average.network.buffers()),
        teacher=0 if teacher is None else _size(*teacher.parameters(), *teacher.buffers()),
        an_image=(kept[1] - kept[0]) // (FEW - FEW // 2),
        images=part,
    )
    return memory, seconds


def _measure(run: Run, learner: Learner, number: int, found: bool, seconds: float, counted: float) -> Speed:
    """Time steps on one batch, an evaluation of it, and how it is read.

    Where a step takes longer than SECONDS_A_STEP, the step in which tensors were counted is the one that is timed.

    Args:
        run: that is planned.
        learner: takes the steps.
        number: images of a step.
        found: whether the images are the dataset's.
        seconds: that the steps may take.
        counted: seconds of the step of FEW images in which tensors were counted.
    """
    start = time.perf_counter()
    reading, batch = None, _batch(run.images, number)
    if found:
        _batch(run.images, READ)
        reading = (time.perf_counter() - start) / (number + READ)
    if counted > SECONDS_A_STEP:
        steps, timed, training = 1, FEW, counted / FEW
    else:
        _step(learner, batch)  # what is done once for a shape
        steps, timed, start = 0, number, time.perf_counter()
        while steps == 0 or (steps < STEPS and time.perf_counter() - start < seconds):
            _step(learner, batch)
            steps += 1
        training = (time.perf_counter() - start) / (steps * number)
    network = learner.measured.eval()
    images = batch[0].to(learner.device)
    start = time.perf_counter()
    with torch.inference_mode():
        network(images).sum().item()
    return Speed(steps, timed, training, (time.perf_counter() - start) / number, reading)


def _step(learner: Learner, batch: Batch) -> None:
    """Take an optimiser step on a batch, and wait for it."""
    learner.step(iter([batch]), 0).tolist()


def _batch(images: TrainingImages, number: int) -> Batch:
    """The first images of a set, augmented; over again where the set is smaller.

    Raises:
        DensezooError: an image can't be read.
    """
    batch = collate([images[(index % len(images), index)] for index in range(number)])
    if isinstance(batch, DensezooError):
        raise batch
    return arrived(batch[0]), batch[1]


def _size(*tensors: Tensor) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)
