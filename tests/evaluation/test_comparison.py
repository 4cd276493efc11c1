"""Two runs compared image by image."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from examples import example_facts

from densezoo.errors import EvaluationError
from densezoo.evaluation.comparison import compare_runs, mcnemar
from densezoo.evaluation.metrics import Records, score
from densezoo.evaluation.predictions import read_predictions, write_predictions

IDS = [f"image {i}" for i in range(10_000)]


def predictions(path: Path, seed: int, fingerprint: str = "f" * 64, shuffled: bool = False) -> Records:
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(len(IDS)) % 7
    logits = torch.randn(len(IDS), 7, generator=generator) + 2 * torch.nn.functional.one_hot(labels, 7)
    order = torch.randperm(len(IDS), generator=generator) if shuffled else torch.arange(len(IDS))
    records = score(logits[order], labels[order], order)
    facts = example_facts(dataset_fingerprint=fingerprint)
    write_predictions(path, np.array_split(records, 100), IDS, facts, 7)
    return records


def test_two_runs_in_different_orders(tmp_path: Path) -> None:
    first, second = predictions(tmp_path / "a", 1), predictions(tmp_path / "b", 2, shuffled=True)
    found = compare_runs(read_predictions(tmp_path / "a"), read_predictions(tmp_path / "b"))
    right = {int(r["index"]): r["rank"] == 0 for r in second}
    pairs = [(bool(r["rank"] == 0), bool(right[int(r["index"])])) for r in first]
    expected = [pairs.count(pair) for pair in ((True, True), (True, False), (False, True), (False, False))]
    assert [found.both, found.only_first, found.only_second, found.neither] == expected


def test_other_images_can_t_be_compared(tmp_path: Path) -> None:
    predictions(tmp_path / "a", 1)
    predictions(tmp_path / "b", 2, "e" * 64)
    with pytest.raises(EvaluationError, match="are over different images or labels"):
        compare_runs(read_predictions(tmp_path / "a"), read_predictions(tmp_path / "b"))


@pytest.mark.parametrize(
    ("only_first", "only_second", "chi2", "p_value"),
    [
        (0, 0, 0.0, 1.0),
        (1, 5, 16 / 6, 14 / 64),  # 2 x (1 + 6) / 2^6
        (5, 5, 0.0, 1.0),
        (0, 10, 10.0, 2 / 1024),
    ],
)
def test_mcnemar_by_hand(only_first: int, only_second: int, chi2: float, p_value: float) -> None:
    found = mcnemar(50, only_first, only_second, 3)
    assert (found.chi2, found.p_value) == pytest.approx((chi2, p_value))
