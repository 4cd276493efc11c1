from __future__ import annotations

import pytest
from converted_backends import VARIANTS, check_device, check_variant


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_logits_are_eager_s(variant: str) -> None:
    check_variant("onnxruntime", variant)


@pytest.mark.parametrize("protocol", ["torch7", "caffe", "cifar10"])
def test_under_every_kind_of_normalisation(protocol: str) -> None:
    check_variant("onnxruntime", "cifar", protocol)


def test_it_computes_on_the_cpu_alone() -> None:
    check_device("onnxruntime")
