"""The windows of pools; that they pool as torch does is tested with the kernels."""

from __future__ import annotations

import pytest

from densezoo.backends.native.windows import taps
from densezoo.errors import BackendError
from densezoo.types import Node
from densezoo.types.computation import Pads


def pool(op: str, kernel: int, pads: Pads) -> Node:
    return Node(op, "pool", ("x",), {"kernel": (kernel, kernel), "stride": (2, 2), "pads": pads})


def test_a_window_that_is_cut_off_repeats_its_nearest_row() -> None:
    found = taps(pool("max_pool", 3, (1, 1, 1, 1)), 4, 2, 0)
    assert found.index.tolist() == [[0, 0, 1], [1, 2, 3]]


def test_same_padding_begins_at_the_first_row_of_an_even_map() -> None:
    assert taps(pool("max_pool", 3, "same"), 4, 2, 1).index.tolist() == [[0, 1, 2], [2, 3, 3]]
    assert taps(pool("max_pool", 3, "same"), 5, 3, 1).index.tolist() == [[0, 0, 1], [1, 2, 3], [3, 4, 4]]


def test_a_mean_is_over_the_rows_that_are_there() -> None:
    found = taps(pool("avg_pool", 2, (0, 0, 0, 0)), 3, 2, 0)
    assert (found.index.tolist(), found.weight.tolist()) == ([[0, 1], [2, 2]], [[0.5, 0.5], [1, 0]])


def test_a_blur_reflects() -> None:
    found = taps(pool("blur", 3, (1, 1, 1, 1)), 4, 2, 0)
    assert (found.index.tolist(), found.weight[0].tolist()) == ([[1, 0, 1], [1, 2, 3]], [0.25, 0.5, 0.25])
    assert taps(pool("blur", 3, (1, 1, 1, 1)), 3, 2, 0).index.tolist() == [[1, 0, 1], [1, 2, 1]]


def test_what_it_has_no_windows_for() -> None:
    with pytest.raises(BackendError, match="pool averages over padding"):
        taps(pool("avg_pool", 3, (1, 1, 1, 1)), 4, 2, 0)
    with pytest.raises(BackendError, match="reflects a map of 1 pixel"):
        taps(pool("blur", 3, (1, 1, 1, 1)), 1, 1, 0)
