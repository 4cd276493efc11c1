"""The kernels against float64, at sizes that no tile divides, on the CPU by Triton's interpreter."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
from interpreted_child import LARGEST_ERROR, errors_of

#: {case: (function of tests/interpreted_kernels.py, its arguments)}; sizes are images, height, width, input and output
#: channels.
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "product": ("product", {"precision": "float32", "sizes": (2, 5, 7, 37, 19), "relu": True}),
    "product bf16": ("product", {"precision": "bf16", "sizes": (2, 5, 7, 37, 19), "relu": True}),
    "product fp16": ("product", {"precision": "fp16", "sizes": (2, 5, 7, 37, 19), "relu": True}),
    "product of one pixel and channel": ("product", {"precision": "float32", "sizes": (1, 1, 1, 1, 1)}),
    "product wider than a tile": ("product", {"precision": "float32", "sizes": (1, 3, 3, 33, 70)}),
    "product of full tiles": ("product", {"precision": "float32", "sizes": (2, 8, 8, 64, 64)}),
    "product of a pooled map": ("product", {"precision": "float32", "sizes": (3, 6, 10, 24, 33), "pool": True}),
    "product of a pooled odd map": ("product", {"precision": "bf16", "sizes": (2, 5, 7, 37, 19), "pool": True}),
    "convolution": ("convolution", {"precision": "float32", "sizes": (2, 5, 7, 37, 19)}),
    "convolution bf16": ("convolution", {"precision": "bf16", "sizes": (2, 5, 7, 37, 19)}),
    "convolution fp16": ("convolution", {"precision": "fp16", "sizes": (2, 5, 7, 37, 19)}),
    "convolution of one pixel": ("convolution", {"precision": "float32", "sizes": (3, 1, 1, 5, 3)}),
    "convolution of one row": ("convolution", {"precision": "float32", "sizes": (2, 1, 9, 16, 12)}),
    "convolution wider than a tile": ("convolution", {"precision": "float32", "sizes": (1, 3, 4, 16, 70)}),
    "convolution after a norm": ("convolution", {"precision": "float32", "sizes": (2, 6, 5, 33, 12), "norm": True}),
    "convolution after a norm bf16": ("convolution", {"precision": "bf16", "sizes": (2, 6, 5, 33, 12), "norm": True}),
    "NaN": ("not_a_number", {"precision": "float32"}),
    "NaN bf16": ("not_a_number", {"precision": "bf16"}),
}


@cache
def errors() -> dict[str, float]:
    """All cases in one process: it takes 2 s to start."""
    return dict(zip(CASES, errors_of(CASES.values())))


@pytest.mark.parametrize("case", CASES)
def test_a_kernel_is_near_float64_and_writes_nothing_else(case: str) -> None:
    assert errors()[case] <= LARGEST_ERROR[CASES[case][1]["precision"]]
