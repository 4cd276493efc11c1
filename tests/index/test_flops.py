from __future__ import annotations

import dataclasses

from densezoo.index.flops import flops_under
from densezoo.index.load import get_spec


def test_at_the_index_s_size_they_are_the_index_s() -> None:
    spec = get_spec("densenet121.ra_in1k")
    assert flops_under(spec, "timm") == (224, spec.flops)
    cifar = get_spec("densenet_bc_100_12.dice_cifar10")
    assert flops_under(cifar, "cifar-dice") == flops_under(cifar, None) == (32, cifar.flops)


def test_at_another_size_they_are_counted() -> None:
    """The claims of the index at 384 px stand in the metafile, so the count from 224 px can be held against them."""
    spec = get_spec("rdnet_large.nv_in1k_ft_in1k_384")
    claimed_elsewhere = dataclasses.replace(get_spec("rdnet_large.nv_in1k"), architecture=spec.architecture)
    assert flops_under(claimed_elsewhere, "rdnet-384") == (384, {"torchvision": spec.flops["torchvision"]})


def test_of_weights_whose_protocol_nobody_knows_they_are_the_index_s() -> None:
    spec = get_spec("densenet121.detectors_camelyon17")
    assert flops_under(spec, spec.protocol) == (96, {"torchvision": 520_374_272})


def test_a_convention_without_a_definition_is_left_out() -> None:
    side, counts = flops_under(get_spec("densenet121.ra_in1k"), "timm-288")
    assert side == 288
    assert counts == {"torchvision": 4_684_374_016, "timm": 4_736_172_544}
    assert 288**2 / 224**2 * 0.99 < counts["torchvision"] / 2_834_161_664 < 288**2 / 224**2
