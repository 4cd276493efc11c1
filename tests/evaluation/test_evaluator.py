from __future__ import annotations

import pytest
import torch

from densezoo.data.loading import Batch
from densezoo.errors import EvaluationError
from densezoo.evaluation.evaluator import evaluate
from densezoo.evaluation.metrics import Counts


def one_hot(pixels: torch.Tensor) -> torch.Tensor:
    """A perfect backend: the pixel's value is the label."""
    return torch.nn.functional.one_hot(pixels.flatten().long(), 7).float()


def batch(indices: list[int], labels: list[int]) -> Batch:
    values = torch.tensor([i % 7 for i in indices], dtype=torch.uint8).reshape(-1, 1, 1, 1)
    return Batch(torch.tensor(indices), values, torch.tensor(labels))


def test_counts_over_batches(capsys: pytest.CaptureFixture[str]) -> None:
    batches = [batch([0, 1, 2], [0, 1, 6]), batch([3], [3])]
    assert evaluate(one_hot, batches, range(4)) == Counts(4, correct1=3, correct5=3)
    assert capsys.readouterr() == ("", "")


def test_the_progress_shows_images_a_second(capsys: pytest.CaptureFixture[str]) -> None:
    evaluate(one_hot, [batch([0, 1], [0, 1])], range(2), show_progress=True)
    shown = capsys.readouterr()
    assert "2/2" in shown.err
    assert "images/s" in shown.err
    assert shown.out == ""


@pytest.mark.parametrize("indices", [[0, 1], [0, 1, 1], [0, 1, 3], [0, 1, 2, 2]])
def test_every_image_once_or_an_error(indices: list[int]) -> None:
    with pytest.raises(EvaluationError, match="3 images were to be scored once each"):
        evaluate(one_hot, [batch(indices, [i % 7 for i in indices])], range(3))
