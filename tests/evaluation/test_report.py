from __future__ import annotations

import torch
from examples import example_facts

from densezoo.evaluation.metrics import measure, score
from densezoo.evaluation.report import report


def test_classes_are_called_by_their_names() -> None:
    logits = torch.nn.functional.one_hot(torch.tensor([8, 3]), 10).float()
    records = score(logits, torch.tensor([8, 5]), torch.arange(2))
    (measures,) = measure([records], 10, 2)
    shown = report(example_facts(dataset="cifar10"), measures, [1])
    assert "    class 5 (dog): 0.00 %, 0 of 1 images\n" in shown
    assert "    class 5 (dog) taken for 3 (cat): 1 images" in shown
    assert "    class 5 taken for 3: 1 images" in report(example_facts(dataset="imagefolder"), measures, [1])
