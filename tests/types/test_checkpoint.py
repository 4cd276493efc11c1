"""What a conversion's report says, and when it stands."""

from __future__ import annotations

import pytest

from densezoo.families.densenet.architecture import DenseNetArchitecture
from densezoo.types import ConversionReport

REPORT = ConversionReport(
    source="caffe",
    format="caffemodel",
    architecture=DenseNetArchitecture(growth_rate=4, block_config=(1, 2), num_init_features=8, num_classes=3),
    matched=41,
    dropped={"counter of batches": 7, "label": 1},
    hints=("bn_eps 1e-05: as the file states it",),
)


def test_it_is_exact_only_if_nothing_is_left_over() -> None:
    assert REPORT.exact


@pytest.mark.parametrize("field", ["missing", "unexpected", "mismatched"])
def test_one_tensor_is_enough(field: str) -> None:
    value = {"conv1.weight": ((8, 3, 7, 7), (8, 3, 3, 3))} if field == "mismatched" else ("conv1.weight",)
    assert not ConversionReport(**{**vars(REPORT), field: value}).exact


def test_as_text_it_has_every_fact_in_a_line() -> None:
    first, architecture, tensors, *hints = str(REPORT).splitlines()
    assert first == "caffe names in a caffemodel file"
    assert architecture.startswith("  architecture: growth_rate=4, block_config=(1, 2), num_init_features=8, ")
    assert "num_classes=3" in architecture
    assert tensors == "  tensors: 41 matched, 7 dropped (counter of batches), 1 dropped (label)"
    assert hints == ["  bn_eps 1e-05: as the file states it"]
