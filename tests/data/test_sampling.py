"""A sample is a share of every class, however a set is ordered, and nothing else of the set is read."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from densezoo.data.contents import content_digests
from densezoo.data.images import ArrayImages, ChosenImages
from densezoo.data.sampling import sample


def images(labels: list[int]) -> ArrayImages:
    pixels = np.arange(len(labels), dtype=np.uint8).reshape(-1, 1, 1)
    return ArrayImages("here", [str(i) for i in range(len(labels))], labels, pixels)


@pytest.mark.parametrize("number", [10, 30, 45])
@pytest.mark.parametrize("order", ["by class", "in turns", "shuffled"])
def test_every_class_has_its_share(order: str, number: int) -> None:
    labels = np.repeat(np.arange(10), 9)
    if order == "in turns":
        labels = np.tile(np.arange(10), 9)
    elif order == "shuffled":
        labels = np.random.default_rng(0).permutation(labels)
    found = sample(images(labels.tolist()), number)
    assert len(found) == number
    assert set(Counter(found.labels).values()) <= {number // 10, -(-number // 10)}
    positions = [int(name) for name in found.ids]
    assert positions == sorted(set(positions)), "in the set's own order, each once"
    assert [int(found.read(i)[0, 0]) for i in range(number)] == positions  # type: ignore[call-overload]
    assert (found.sampled_from, [labels[i] for i in positions]) == (90, list(found.labels))


def test_the_middle_images_of_a_set_of_one_class() -> None:
    assert list(sample(images([0] * 9), 3).ids) == ["1", "4", "7"]


@pytest.mark.parametrize("number", [None, 4, 5])
def test_a_set_that_has_no_more_is_whole(number: int | None) -> None:
    whole = images([0, 0, 1, 1])
    assert sample(whole, number) is whole
    assert whole.sampled_from is None


def test_several_labels_and_a_part_of_another_set() -> None:
    whole = images([0, 0, 1, 1])
    part = ChosenImages("part", ["3", "2", "1"], [1, 1, 0], whole, [3, 2, 1], label_sets=[(1,), (0, 1), (0,)])
    found = sample(part, 2)
    assert (list(found.ids), found.label_sets, found.location_of(0)) == (["2", "1"], [(0, 1), (0,)], "here: 2")


def test_only_what_is_sampled_is_hashed(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []
    original = ArrayImages.read

    def noted(self: ArrayImages, index: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
        read.append(index)
        return original(self, index)

    monkeypatch.setattr(ArrayImages, "read", noted)
    found = sample(images([0] * 100), 2)
    assert content_digests(found).shape == (2, 32)
    assert read == [25, 75]
