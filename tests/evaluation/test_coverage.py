"""Every image is scored once, or there is no result."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from densezoo.errors import EvaluationError
from densezoo.evaluation.coverage import check_coverage
from densezoo.evaluation.metrics import RECORD, Measures, measure
from densezoo.types import Coverage


def scored(
    indices: list[int], num_images: int, unreadable: tuple[int, ...] = (), cut: tuple[int, ...] = ()
) -> Measures:
    """Measures over records of these images, all of label 0."""
    records = np.zeros(len(indices), RECORD)
    records["index"] = indices
    records["rank"] = [-1 if i in unreadable else 0 for i in indices]
    records["truncated"] = [i in cut for i in indices]
    return measure([records], 7, num_images)[0]


@pytest.mark.parametrize(
    ("indices", "message"),
    [
        ([0, 1], "1 were not scored, such as c"),
        ([0, 1, 1], "1 were not scored, such as c"),
        ([0, 1, 2, 2], "1 were scored more than once, such as c"),
        ([], "3 were not scored, such as a"),
    ],
)
def test_every_image_once_or_an_error(indices: list[int], message: str) -> None:
    with pytest.raises(EvaluationError, match=f"3 images were to be scored once each; {message}"):
        check_coverage(scored(indices, 3), "abc")


def test_what_can_t_be_read_and_what_is_truncated_is_named_in_the_order_of_the_set() -> None:
    measures = scored([4, 3, 2, 1, 0], 5, unreadable=(3, 1), cut=(2, 0))
    assert check_coverage(measures, "abcde") == Coverage(5, 3, ("b", "d"), 0, ("a", "c"))


@given(st.lists(st.integers(0, 5), max_size=9))
def test_there_is_a_coverage_if_and_only_if_each_is_there_once(indices: list[int]) -> None:
    if set(Counter(indices).items()) == {(i, 1) for i in range(6)}:
        assert check_coverage(scored(indices, 6), "abcdef") == Coverage(6, 6, (), 0)
    else:
        with pytest.raises(EvaluationError, match="6 images were to be scored once each"):
            check_coverage(scored(indices, 6), "abcdef")


def test_a_sample_s_coverage_says_of_how_many() -> None:
    assert check_coverage(scored([1, 0], 2), "ab", sampled_from=50) == Coverage(50, 2, (), 0)
