from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from examples import example_images

from densezoo.data.loading import Batch
from densezoo.errors import EvaluationError, ImageError
from densezoo.evaluation.coverage import check_coverage
from densezoo.evaluation.evaluator import computed, log_steps, records_of, remaining
from densezoo.evaluation.metrics import RECORD, Counts, Measures, measure
from densezoo.evaluation.progress import progress
from densezoo.evaluation.record_log import RecordLog
from densezoo.types import Coverage


def one_hot(pixels: torch.Tensor) -> torch.Tensor:
    """A perfect backend: the pixel's value is the label."""
    return torch.nn.functional.one_hot(pixels.flatten().long(), 7).float()


def begin(pixels: torch.Tensor) -> Callable[[], torch.Tensor]:
    return partial(one_hot, pixels)


def batch(indices: list[int], labels: list[int], unreadable: tuple[int, ...] = ()) -> Batch:
    values = [i % 7 for place, i in enumerate(indices) if place not in unreadable]
    pixels = torch.tensor(values, dtype=torch.uint8).reshape(-1, 1, 1, 1)
    errors = {place: ImageError("broken") for place in unreadable}
    return Batch(
        torch.tensor(indices), pixels, torch.tensor(labels), errors, torch.zeros(len(indices), dtype=torch.bool)
    )


def evaluated(log: RecordLog, batches: list[Batch], num_images: int, *, show_progress: bool = False) -> Measures:
    with progress("evaluating", num_images, show=show_progress) as advance:
        records = computed([begin], ([b] for b in batches), partial(records_of, classes=None))
        log_steps(records, log, example_images(num_images), advance)
    return measure(log, 7, num_images)[0]


@pytest.fixture
def log(tmp_path: Path) -> Iterator[RecordLog]:
    with RecordLog(tmp_path / "state", {}) as log:
        yield log


def test_counts_over_batches(log: RecordLog, capsys: pytest.CaptureFixture[str]) -> None:
    measures = evaluated(log, [batch([0, 1, 2], [0, 1, 6]), batch([3], [3])], 4)
    assert measures.counts() == Counts(4, correct1=3, correct5=3)
    assert check_coverage(measures, "abcd") == Coverage(4, 4, (), 0)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("ahead", [0, 1, 5])
def test_steps_that_are_begun_ahead_keep_their_order(ahead: int) -> None:
    begun = []

    def begin_and_note(pixels: torch.Tensor) -> Callable[[], torch.Tensor]:
        begun.append(len(pixels))
        return begin(pixels)

    steps = ([batch(list(range(i, 12)), [0] * (12 - i), (0,))] for i in range(9))
    counts = []
    for number, records in enumerate(computed([begin_and_note], steps, partial(records_of, classes=None), ahead)):
        assert records["index"].tolist() == list(range(number, 12))
        counts.append(len(begun))
    assert counts == [min(number + 1 + ahead, 9) for number in range(9)]
    assert begun == [11 - i for i in range(9)]


def test_unreadable_images_stay_in_their_place(log: RecordLog) -> None:
    measures = evaluated(log, [batch([0, 1, 2], [0, 1, 2], (1,)), batch([3, 4], [3, 4], (0, 1))], 5)
    assert [part["index"].tolist() for part in log] == [[0, 1, 2], [3, 4]]
    assert measures.counts() == Counts(5, 2, 2)
    assert check_coverage(measures, "abcde") == Coverage(5, 2, ("b", "d", "e"), 0)


def test_what_remains(log: RecordLog) -> None:
    images = example_images(9)
    assert remaining(log, images, range(1, 9, 2)) == range(1, 9, 2)
    evaluated(log, [batch([1, 3], [1, 3])], 9)
    assert remaining(log, images, range(1, 9, 2)) == range(5, 9, 2)
    with pytest.raises(EvaluationError, match="holds other images than this run scores"):
        remaining(log, images, range(0, 9, 2))
    with pytest.raises(EvaluationError, match="holds other images than this run scores"):
        remaining(log, images, range(1, 2, 2))


def test_what_was_scored_has_to_be_what_it_was(log: RecordLog) -> None:
    images = example_images(5)
    evaluated(log, [batch([0, 1, 2], [0, 1, 2])], 5)
    digests = images.digests.copy()
    digests[4] ^= 1  # not scored yet
    assert remaining(log, replace(images, digests=digests), range(5)) == range(3, 5)
    digests[1] ^= 1
    with pytest.raises(EvaluationError, match="examples: b: has changed since it was scored; .*--restart"):
        remaining(log, replace(images, digests=digests), range(5))


def test_what_was_counted_wrong_is_so_only_where_that_is_asked_for(log: RecordLog) -> None:
    evaluated(log, [batch([0, 1], [0, 1], (1,))], 5)
    assert remaining(log, example_images(5), range(5), on_error="count-wrong") == range(2, 5)
    with pytest.raises(EvaluationError, match="examples: b: can't be read and was counted wrong; go on with"):
        remaining(log, example_images(5), range(5))


def test_what_remains_of_images_under_two_protocols(log: RecordLog) -> None:
    steps = ([step, step] for step in (batch([0, 1], [0, 1]), batch([2], [2])))
    log_steps(computed([begin, begin], steps, partial(records_of, classes=None)), log, example_images(5))
    assert remaining(log, example_images(5), range(5), 2) == range(3, 5)


def test_the_seconds_are_those_of_each_step(log: RecordLog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.perf_counter", iter([10.0, 11.0, 13.0, 13.5]).__next__)
    log_steps((records for records in [np.zeros(1, RECORD)] * 3), log, example_images(1))
    assert log.seconds == 3.5


def test_truncated_images_are_told_from_their_neighbours(log: RecordLog) -> None:
    truncated = torch.tensor([False, False, True])
    measures = evaluated(log, [replace(batch([0, 1, 2], [0, 1, 2], (0,)), truncated=truncated)], 3)
    assert (measures.unreadable, measures.truncated) == ([0], [2])
