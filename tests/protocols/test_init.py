"""The table of protocols; that each is its publisher's, pixel for pixel: tests/data/test_protocol_exactness.py."""

from __future__ import annotations

import pytest

from densezoo.errors import UnknownNameError
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
