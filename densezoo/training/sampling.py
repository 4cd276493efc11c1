"""The order of the training images: which images make a batch, in which process, and what is drawn for each.

All follows from the recipe's seed, the epoch and the position in it. So a resumed run, any number of worker processes
and any number of training processes see the same batches.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from densezoo.data.images import ImageSet
from densezoo.errors import ConfigError, DatasetError
from densezoo.training.balance import balanced_order
from densezoo.types import Recipe

Draws = list[tuple[int, int]]  # (index of an image, what its augmentation's random numbers are seeded with)
_ORDER, _IMAGES, _BATCH, _PROCESS = range(4)  # what is drawn: each has random numbers of its own


def seeded(*numbers: int) -> np.random.RandomState:
    """Random numbers that follow from numbers of 0 or more; numpy keeps what a `RandomState` draws in all versions."""
    words = [word for number in numbers for word in (number & 0xFFFFFFFF, number >> 32)]
    return np.random.RandomState(words)


def batch_seed(recipe: Recipe, step: int, part: int) -> int:
    """What is drawn for a batch as a whole, such as mixup, is seeded with this.

    Args:
        recipe: gives the seed.
        step: optimiser steps done before it.
        part: of the step's parts (`Batches`), from 0.
    """
    return int(seeded(_BATCH, recipe.seed, step, part).randint(0, 2**63 - 1, dtype=np.int64))


def process_seed(recipe: Recipe, rank: int) -> int:
    """What a process draws in the network, such as dropout, is seeded with this when a run begins.

    Args:
        recipe: gives the seed.
        rank: of the process.
    """
    return int(seeded(_PROCESS, recipe.seed, rank).randint(0, 2**63 - 1, dtype=np.int64))


@dataclass(frozen=True)
class Batches:
    """This process's batches of a whole run, epoch after epoch.

    An optimiser step takes ``batch_size`` images in ``accumulate * processes`` parts of equal size; each process
    computes ``accumulate`` of them, one after the other. What all processes compute at once are the images of one part
    of a single process, so that batch statistics over processes are its own. The images that are left at an epoch's end
    are not taken.

    Args:
        images: the training set.
        recipe: gives epochs, batch_size, accumulate, repeats and seed.
        first_step: optimiser steps that a former run has done.
        rank, processes: of the processes that train together, this one's number and how many they are.

    Raises:
        ConfigError: the parts would not be equal.
        DatasetError: there are fewer images than one step takes.
    """

    images: ImageSet
    recipe: Recipe
    first_step: int = 0
    rank: int = 0
    processes: int = 1

    def __post_init__(self) -> None:
        size, parts = self.recipe.batch_size, self.parts
        if size % parts:
            raise ConfigError(
                f"train.batch_size {size}: expected a multiple of train.accumulate {self.recipe.accumulate} x "
                f"{self.processes} processes, because each takes an equal part; give {-(-size // parts) * parts}"
            )
        if len(self.images) < size:
            raise DatasetError(
                f"{self.images.location}: {len(self.images)} training images, fewer than one batch of {size}; "
                "give a smaller train.batch_size"
            )

    @property
    def parts(self) -> int:
        """The equal parts of a step's images."""
        return self.recipe.accumulate * self.processes

    @property
    def steps_per_epoch(self) -> int:
        """Optimiser steps of an epoch."""
        return len(self.images) // self.recipe.batch_size

    @cached_property
    def groups(self) -> list[NDArray[np.int64]] | None:
        """The indices of images that are read together; None: each image is read alone."""
        if self.images.random_access:
            return None
        by_group: dict[object, list[int]] = {}
        for index in range(len(self.images)):
            by_group.setdefault(self.images.group_of(index), []).append(index)
        return [np.array(indices) for indices in by_group.values()]

    def order(self, epoch: int) -> NDArray[np.int64]:
        """The indices of an epoch's images, in the order in which they are taken; as many as there are images.

        Each image comes once. Those that are read together, such as a parquet file's row groups, come close together:
        the groups are shuffled, and then the images of as many groups as stay in memory, so that each is read once.
        With ``balanced_sampling`` each class comes equally often, and images in any order.
        With ``repeats`` an image comes that many times in a row, and an epoch takes fewer images accordingly.

        Args:
            epoch: from 0.
        """
        random = seeded(_ORDER, self.recipe.seed, epoch)
        if self.recipe.balanced_sampling:
            order = balanced_order(self.images.labels, self.recipe.seed, epoch)
        elif self.groups is None:
            order = random.permutation(len(self.images))
        else:
            groups, kept = [self.groups[i] for i in random.permutation(len(self.groups))], self.images.groups_kept
            windows = [np.concatenate(groups[i : i + kept]) for i in range(0, len(groups), kept)]
            order = np.concatenate([random.permutation(window) for window in windows])
        return np.repeat(order, self.recipe.repeats)[: len(order)].astype(np.int64)

    def __iter__(self) -> Iterator[Draws]:
        first_epoch, first = divmod(self.first_step, self.steps_per_epoch)
        for epoch in range(first_epoch, self.recipe.epochs):
            order = self.order(epoch)
            draws = seeded(_IMAGES, self.recipe.seed, epoch).randint(0, 2**63 - 1, len(order), dtype=np.int64)
            size = self.recipe.batch_size
            for start in range(first * size, self.steps_per_epoch * size, size):
                for part in range(self.rank * self.recipe.accumulate, (self.rank + 1) * self.recipe.accumulate):
                    chosen = slice(start + part, start + size, self.parts)
                    yield list(zip(order[chosen].tolist(), draws[chosen].tolist()))
            first = 0
