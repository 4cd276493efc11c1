"""The table of protocols; that each is its publisher's, pixel for pixel: tests/data/test_protocol_exactness.py."""

from __future__ import annotations

from dataclasses import replace

import pytest

from densezoo.errors import ConfigError, UnknownNameError
from densezoo.protocols import PROTOCOLS, get_protocol, imagenet, ports, same_kind, small_images


def test_every_protocol_is_in_the_table_by_its_name() -> None:
    modules = (imagenet, ports, small_images)
    assert [protocol.name for module in modules for protocol in module.PROTOCOLS] == list(PROTOCOLS)
    for module in modules:
        written = {value for name, value in vars(module).items() if isinstance(value, type(imagenet.TIMM))}
        assert written == set(module.PROTOCOLS)


def test_an_unknown_name() -> None:
    with pytest.raises(UnknownNameError, match="there is no protocol 'tim'; did you mean 'timm'"):
        get_protocol("tim")


def test_a_gpu_stands_in_for_pillow_under_a_name_of_its_own() -> None:
    own, near = get_protocol("timm"), get_protocol("timm-nvjpeg")
    assert (near.name, near.decoder, near.resize_backend) == ("timm-nvjpeg", "nvjpeg", "torch")
    assert near.source == "timm, decoded by nvJPEG and resized by PyTorch: not its pixels to the bit"
    assert replace(near, name=own.name, source=own.source, decoder="pil", resize_backend="pil") == own
    assert near.name not in PROTOCOLS
    assert near not in same_kind(own), "--protocol all is exact"


@pytest.mark.parametrize("name", ["torch7", "mmpretrain", "digits", "cifar10", "none"])
def test_for_another_library_it_does_not(name: str) -> None:
    with pytest.raises(ConfigError, match=f"protocol {name}-nvjpeg: a GPU can stand in for Pillow, where it decodes"):
        get_protocol(f"{name}-nvjpeg")
    with pytest.raises(UnknownNameError, match="there is no protocol 'tim'"):
        get_protocol("tim-nvjpeg")


def test_the_same_kind_resizes_if_it_does_and_has_as_many_channels() -> None:
    assert same_kind(get_protocol("digits")) == [get_protocol("digits")]
    assert same_kind(get_protocol("keras")) == [*imagenet.PROTOCOLS, *ports.PROTOCOLS]


def test_protocols_of_a_kind() -> None:
    assert {protocol.name for protocol in same_kind(get_protocol("cifar10"))} == {
        "cifar10", "cifar100", "cifar-dice", "cifar-huyvnphan", "cifar-hysts", "cifar100-detectors", "svhn-detectors",
        "svhn", "none",
    }  # fmt: skip
    assert [protocol.name for protocol in same_kind(get_protocol("digits"))] == ["digits"]
    assert "torch7" in {protocol.name for protocol in same_kind(get_protocol("torchvision"))}
