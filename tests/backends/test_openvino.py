from __future__ import annotations

import pytest
import torch
from converted_backends import SMALL, VARIANTS, check_device, check_variant

from densezoo.backends.base import create_backend
from densezoo.errors import BackendError
from densezoo.families.densenet.network import DenseNet
from densezoo.protocols import get_protocol

openvino = pytest.importorskip("openvino", reason="openvino is not installed: pip install -e '.[openvino]'")


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_logits_are_eager_s(variant: str) -> None:
    check_variant("openvino", variant)


@pytest.mark.parametrize("protocol", ["torch7", "caffe", "cifar10"])
def test_under_every_kind_of_normalisation(protocol: str) -> None:
    check_variant("openvino", "cifar", protocol)


def test_it_computes_on_the_cpu_alone() -> None:
    check_device("openvino")


@pytest.mark.parametrize("able", [("FP32", "BF16"), ("FP32", "INT8")])
def test_bf16_where_the_cpu_has_it(able: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    import densezoo.backends.openvino as module

    monkeypatch.setattr(module, "capabilities", lambda core: able)
    network, protocol = DenseNet(SMALL).eval(), get_protocol("torchvision")
    if "BF16" not in able:
        with pytest.raises(BackendError, match="this CPU has no bf16, only FP32, INT8; choose float32"):
            create_backend("openvino", network, SMALL, protocol, "cpu", "bf16")
        return
    assert create_backend("openvino", network, SMALL, protocol, "cpu", "bf16").precision == "bf16"


def test_the_last_group_is_filled_up_and_cut_off() -> None:
    network, protocol = DenseNet(SMALL).eval(), get_protocol("torchvision")
    backend = create_backend("openvino", network, SMALL, protocol, "cpu", "float32")
    pixels = torch.randint(0, 256, (17, 3, 64, 64), dtype=torch.uint8)
    assert torch.equal(backend(pixels)[16:], backend(pixels[16:]))
