"""Pixels to logits in one module, in each precision."""

from __future__ import annotations

import contextlib
import copy

import forked
import pytest
import torch
from examples import randomise_statistics
from torch import nn

from densezoo.backends.network import DTYPES, Float32, Mixed, PixelsToLogits, ieee_float32, in_precision
from densezoo.data.preprocess import normalise
from densezoo.families import build_model
from densezoo.families.densenet.architecture import DenseNetArchitecture
from densezoo.families.rdnet.architecture import RDNetArchitecture
from densezoo.protocols import get_protocol
from densezoo.types import Architecture

DENSENET = DenseNetArchitecture(8, (2, 2), 16, num_classes=6)
RDNET = RDNetArchitecture((8, 8), (1, 1), 16, downsample=(1,), attention=(1,), num_classes=6)


def example(arch: Architecture) -> nn.Module:
    torch.manual_seed(0)
    network = randomise_statistics(build_model(arch))
    head = next(module for module in reversed(list(network.modules())) if isinstance(module, nn.Linear))
    nn.init.normal_(head.weight)
    return network


@pytest.mark.parametrize("name", ["torchvision", "mmpretrain", "torch7", "digits"])
def test_what_the_network_gets_is_what_the_protocol_gives_bit_for_bit(name: str) -> None:
    protocol = get_protocol(name)
    shape = (2, len(protocol.mean), 5, 7)
    pixels = torch.rand(shape) if name == "torch7" else torch.randint(0, 256, shape, dtype=torch.uint8)
    module = PixelsToLogits(nn.Identity(), protocol)
    assert torch.equal(module(pixels), normalise(pixels, protocol))


@pytest.mark.parametrize("arch", [DENSENET, RDNET], ids=["densenet", "rdnet"])
@pytest.mark.parametrize(("precision", "largest"), [("float32", 0.0), ("bf16", 0.03), ("fp16", 0.004)])
def test_a_precision_is_near_float32(arch: Architecture, precision: str, largest: float) -> None:
    network = example(arch)
    images = torch.randn(2, 3, 64, 64)
    before = copy.deepcopy(network.state_dict())
    with torch.inference_mode():
        expected = network(images)
        logits = in_precision(network, arch, precision)(images)
    difference = float((logits - expected).abs().max() / expected.abs().max())
    assert difference <= largest
    assert (difference > 0) == (precision != "float32")
    assert logits.dtype == torch.float32
    assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items()), "a copy is changed"


def test_products_alone_are_converted() -> None:
    mixed = Mixed(example(DENSENET), DENSENET, torch.bfloat16)
    for name, module in mixed.network.named_modules():
        if isinstance(module, nn.Conv2d):
            assert module.weight.dtype == torch.bfloat16, name
        elif isinstance(module, (nn.BatchNorm2d, nn.Linear)):
            assert module.weight.dtype == torch.float32, name
    assert isinstance(mixed.network.get_submodule("classifier"), Float32)
    inputs = []
    mixed.network.get_submodule("features.conv0").register_forward_hook(lambda _, args, output: inputs.append(output))
    with torch.inference_mode():
        mixed(torch.randn(1, 3, 64, 64))
    assert inputs[0].dtype == torch.bfloat16


def test_every_precision_has_a_type() -> None:
    assert set(DTYPES) == {"float32", "bf16", "fp16"}


def tf32_settings() -> list[object]:
    """Torch's settings, which are read and written without a GPU."""
    backends = torch.backends
    older: list[object] = [backends.cudnn.allow_tf32, backends.cuda.matmul.allow_tf32]
    if not hasattr(backends.cudnn, "conv"):  # before torch 2.9
        return older
    return [*older, backends.cudnn.conv.fp32_precision, backends.cuda.matmul.fp32_precision]


def test_tf32_is_off_and_then_as_it_was() -> None:
    before = tf32_settings()
    assert before[0] is True, "torch's default, against which this is written"
    with ieee_float32(), ieee_float32():
        assert tf32_settings() in ([False, False], [False, False, "ieee", "ieee"]), "the compiler reads the older ones"
    assert tf32_settings() == before
    with contextlib.suppress(KeyError), ieee_float32():
        raise KeyError
    assert tf32_settings() == before


@pytest.mark.skipif(not hasattr(torch.backends, "fp32_precision"), reason="a setting of torch 2.9")
def test_tf32_is_off_where_a_caller_allows_it_for_all_of_torch() -> None:
    program = """
import torch
from densezoo.backends.network import ieee_float32
torch.backends.fp32_precision = "tf32"
with ieee_float32():
    assert torch.backends.cudnn.conv.fp32_precision == torch.backends.cuda.matmul.fp32_precision == "ieee"
    assert not torch.backends.cudnn.allow_tf32
assert torch.backends.cudnn.conv.fp32_precision == torch.backends.cuda.matmul.fp32_precision == "tf32"
"""
    forked.run(["-c", program]).check_returncode()
