"""The order of the images: by seed and epoch alone, the same for any number of processes, a row group at a time."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import groupby

import numpy as np
import pytest

from densezoo.data.images import ArrayImages, ImageSet
from densezoo.errors import ConfigError, DatasetError
from densezoo.training.sampling import Batches, batch_seed, process_seed
from densezoo.types import Recipe

RECIPE = Recipe(epochs=2, batch_size=4)
IMAGES = ArrayImages("here", [str(i) for i in range(10)], [0] * 10, np.zeros((10, 2, 2), np.uint8))


class Grouped(ArrayImages):
    """Images of which three are read together, as from row groups."""

    random_access = False
    groups_kept = 2

    def group_of(self, index: int) -> object:
        return index // 3


def grouped(number: int) -> ImageSet:
    return Grouped("here", [str(i) for i in range(number)], [0] * number, np.zeros((number, 2, 2), np.uint8))


def test_an_epoch_has_each_image_once_and_leaves_no_part_of_a_batch() -> None:
    batches = list(Batches(IMAGES, RECIPE))
    assert [len(batch) for batch in batches] == [4] * 4
    first, second = ([index for batch in half for index, _ in batch] for half in (batches[:2], batches[2:]))
    assert len(set(first)) == len(set(second)) == 8
    assert first != second
    draws = [draw for batch in batches for _, draw in batch]
    assert len(set(draws)) == 16
    assert list(Batches(IMAGES, RECIPE)) == batches
    assert list(Batches(IMAGES, replace(RECIPE, seed=1))) != batches


@pytest.mark.parametrize("first_step", range(5))
def test_a_resumed_run_takes_the_batches_that_are_left(first_step: int) -> None:
    assert list(Batches(IMAGES, RECIPE, first_step)) == list(Batches(IMAGES, RECIPE))[first_step:]


@pytest.mark.parametrize(("processes", "accumulate"), [(2, 1), (1, 2), (2, 2), (4, 1)])
def test_processes_take_the_batches_of_one_together(processes: int, accumulate: int) -> None:
    recipe = replace(RECIPE, accumulate=accumulate)
    shares = [list(Batches(IMAGES, recipe, 0, rank, processes)) for rank in range(processes)]
    for step, whole in enumerate(Batches(IMAGES, RECIPE)):
        parts = [part for share in shares for part in share[step * accumulate : (step + 1) * accumulate]]
        assert {len(part) for part in parts} == {4 // (processes * accumulate)}
        assert sorted(place for part in parts for place in part) == sorted(whole)


def test_what_processes_compute_at_once_is_a_part_of_a_single_one() -> None:
    """So statistics that are taken over the processes are those of one process that accumulates as often."""
    recipe = replace(RECIPE, batch_size=8, accumulate=2)
    shares = [list(Batches(IMAGES, recipe, 0, rank, 2)) for rank in range(2)]
    for at_once, alone in zip(zip(*shares), Batches(IMAGES, recipe), strict=True):
        assert sorted(place for part in at_once for place in part) == sorted(alone)


def test_repeated_augmentation() -> None:
    batches = list(Batches(IMAGES, replace(RECIPE, repeats=2)))
    for batch in batches:
        assert list(Counter(index for index, _ in batch).values()) == [2, 2]
        assert len({draw for _, draw in batch}) == 4


def test_each_row_group_is_read_once() -> None:
    batches = Batches(grouped(24), replace(RECIPE, epochs=3))
    for epoch in range(3):
        order = batches.order(epoch).tolist()
        assert sorted(order) == list(range(24))
        windows = [order[i : i + 6] for i in range(0, 24, 6)]
        assert [len({index // 3 for index in window}) for window in windows] == [2] * 4
        assert any(len(list(groupby(window, lambda index: index // 3))) > 2 for window in windows)  # mixed
    assert not np.array_equal(batches.order(0), batches.order(1))
    assert len({frozenset(batches.order(epoch)[:6] // 3) for epoch in range(3)}) > 1, "the groups are shuffled, too"
    assert sorted(Batches(grouped(26), RECIPE).order(0).tolist()) == list(range(26))  # an odd number of groups


def test_what_can_t_be_shared_out() -> None:
    with pytest.raises(ConfigError, match="batch_size 4: expected a multiple of .*accumulate 1 x 3 processes.*give 6"):
        Batches(IMAGES, RECIPE, 0, 0, 3)
    with pytest.raises(ConfigError, match="a multiple of .*accumulate 2 x 4 processes.*give 8"):
        Batches(IMAGES, replace(RECIPE, accumulate=2), 0, 0, 4)
    with pytest.raises(DatasetError, match="here: 10 training images, fewer than one batch of 11; give a smaller"):
        Batches(IMAGES, replace(RECIPE, batch_size=11))
    assert Batches(IMAGES, replace(RECIPE, batch_size=10)).steps_per_epoch == 1


def test_seeds_differ_by_all_that_they_follow_from() -> None:
    seeds = [batch_seed(RECIPE, step, part) for step in range(3) for part in range(3)]
    seeds += [process_seed(RECIPE, rank) for rank in range(3)]
    seeds += [batch_seed(replace(RECIPE, seed=1), 0, 0), process_seed(replace(RECIPE, seed=1), 0)]
    seeds += [process_seed(replace(RECIPE, seed=1 << 32), 0), process_seed(replace(RECIPE, seed=1 << 33), 0)]
    assert len(set(seeds)) == len(seeds)
    # the draws of numpy's RandomState are frozen; a run begun under another version goes on with the same order
    assert Batches(IMAGES, RECIPE).order(0).tolist() == ORDER


ORDER = [4, 8, 9, 6, 3, 5, 2, 7, 0, 1]
