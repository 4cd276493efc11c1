"""Measures and a comparison as a terminal shows them, figure by figure."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from examples import example_facts

from densezoo.evaluation.comparison import mcnemar
from densezoo.evaluation.metrics import RECORD, Measures, measure, score
from densezoo.evaluation.report import SHOWN, comparison_report, measures_report


def measured(rows: list[tuple[int, int, int]], num_classes: int, cut: int = 0) -> Measures:
    """Of (label, rank, the class that came first), each with loss ln 2 and all confidence in that class."""
    records = np.zeros(len(rows), RECORD)
    records["index"] = range(len(rows))
    records["label"], records["rank"], records["classes"][:, 0] = zip(*rows)
    records["loss"], records["probabilities"][:, 0] = np.log(2), 1.0
    records["truncated"][:cut] = True
    broken = records["rank"] < 0
    records["loss"][broken], records["classes"][broken] = np.nan, -1
    return measure([records], num_classes, len(rows))[0]


def test_a_run_by_hand() -> None:
    """Of four images two are right, one is third, one can't be read; the three that answer are sure: |2/3 - 1|."""
    measures = measured([(0, 0, 0), (0, 0, 0), (1, 2, 0), (2, -1, -1)], 3, cut=1)
    text = measures_report(example_facts(), measures, [1, 2, 3])
    assert text.splitlines() == [
        "densenet121.tv_in1k on imagenet1k, protocol torchvision, 4 images",
        "  top-1 50.00 %  (95 % interval 15.00 to 85.00)  2 of 4 images",
        "  top-2 50.00 %  (95 % interval 15.00 to 85.00)  2 of 4 images",
        "  top-3 75.00 %  (95 % interval 30.06 to 95.44)  3 of 4 images",
        "  loss 0.6931 nats, expected calibration error 33.33 %",
        "  1 images can't be read and are counted wrong",
        "  1 images are truncated; their missing ends were filled in",
        "  the worst classes:",
        "    class 1 (goldfish): 0.00 %, 0 of 1 images",
        "    class 2 (great white shark): 0.00 %, 0 of 1 images",
        "    class 0 (tench): 100.00 %, 2 of 2 images",
        "  the most frequent confusions:",
        "    class 1 (goldfish) taken for 0 (tench): 1 images",
    ]


def test_the_worst_class_is_that_of_the_lowest_share() -> None:
    """One of two right is better than two of five, though two are more than one."""
    measures = measured([(0, 0, 0)] * 2 + [(0, 1, 1)] * 3 + [(1, 0, 1), (1, 1, 0)], 2)
    lines = measures_report(example_facts(), measures, [1]).partition("the worst classes:\n")[2].splitlines()
    assert [line.split()[1] for line in lines[:2]] == ["0", "1"]


def test_at_most_ten_classes_are_shown() -> None:
    text = measures_report(example_facts(), measured([(i, 1, (i + 1) % 20) for i in range(20)], 20), [1])
    assert text.count("    class ") == 2 * SHOWN == 20
    assert "    class 9 (ostrich): " in text
    assert "    class 10 " not in text


@pytest.mark.parametrize(
    ("only_first", "only_second", "difference", "verdict"),
    [
        (0, 10, "-10.00", "exact p 0.00195: the second is really better (level 0.05)"),
        (10, 0, "+10.00", "exact p 0.00195: the first is really better (level 0.05)"),
        (1, 5, "-4.00", "exact p 0.219: the difference may be chance (level 0.05)"),
        (0, 0, "+0.00", "exact p 1: the difference may be chance (level 0.05)"),
    ],
)
def test_two_runs_by_hand(only_first: int, only_second: int, difference: str, verdict: str) -> None:
    comparison = mcnemar(80, only_first, only_second, 20 - only_first - only_second)
    lines = comparison_report(example_facts(), example_facts(model="b", protocol="timm"), comparison).splitlines()
    assert lines[:3] == [
        "first:  densenet121.tv_in1k, protocol torchvision",
        "second: b, protocol timm",
        f"  top-1 of the first minus the second's: {difference} points",
    ]
    assert lines[3] == (
        f"  right in both 80, only in the first {only_first}, only in the second {only_second}, in neither "
        f"{20 - only_first - only_second}"
    )
    assert lines[4].endswith(verdict)


def test_classes_are_called_by_their_names() -> None:
    logits = torch.nn.functional.one_hot(torch.tensor([8, 3]), 10).float()
    records = score(logits, torch.tensor([8, 5]), torch.arange(2))
    (measures,) = measure([records], 10, 2)
    shown = measures_report(example_facts(dataset="cifar10"), measures, [1])
    assert "    class 5 (dog): 0.00 %, 0 of 1 images\n" in shown
    assert "    class 5 (dog) taken for 3 (cat): 1 images" in shown
    assert "    class 5 taken for 3: 1 images" in measures_report(example_facts(dataset="imagefolder"), measures, [1])
