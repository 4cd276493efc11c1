"""A DenseNet's feature maps and another classifier, whichever system's module it is."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from examples import randomise_statistics
from torch import Tensor, nn

from densezoo.families import build_model
from densezoo.families.densenet.architecture import STEMS, DenseNetArchitecture, Stem
from densezoo.families.densenet.features import FeatureMaps, with_fresh_classifier
from densezoo.families.densenet.layers import stages

SMALL = DenseNetArchitecture(growth_rate=8, num_init_features=16, block_config=(2, 3, 2, 2), num_classes=7, bn_eps=1e-3)
DEEP = dataclasses.replace(SMALL, stem="deep")
BLUR = dataclasses.replace(DEEP, aa_layer="blurpool")
CASES = [
    ("timm", SMALL),
    ("timm", DEEP),
    ("timm", BLUR),
    ("timm", dataclasses.replace(BLUR, aa_stem_only=False)),
    ("timm", dataclasses.replace(SMALL, in_chans=1)),
    ("torchvision", SMALL),
    ("torchvision", dataclasses.replace(SMALL, num_init_features=24)),
]


def images(arch: DenseNetArchitecture) -> Tensor:
    return torch.randn(2, arch.in_chans, 64, 64, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(("builder", "arch"), CASES)
@torch.inference_mode()
def test_feature_maps_are_timm_s(builder: str, arch: DenseNetArchitecture) -> None:
    network = randomise_statistics(build_model(arch, builder))
    maps = FeatureMaps(network, arch)
    found = maps(images(arch))
    for got, channels, reduction in zip(found, maps.channels, maps.reductions):
        assert got.shape == (2, channels, 64 // reduction, 64 // reduction)
    if builder == "timm":
        expected = network.forward_intermediates(images(arch), intermediates_only=True)  # type: ignore[operator]
        assert len(found) == len(expected)
        assert all(torch.equal(got, want) for got, want in zip(found, expected))
    names = {name for name in network.state_dict() if not name.startswith("classifier")}
    assert set(maps.state_dict()) == names


@pytest.mark.parametrize("stem", STEMS)
@torch.inference_mode()
def test_feature_maps_of_every_stem_have_the_sizes_that_are_said(stem: Stem) -> None:
    arch = DenseNetArchitecture(stem=stem, growth_rate=4, num_init_features=12, block_config=(2, 1, 2))
    maps = FeatureMaps(build_model(arch).eval(), arch)
    found = [tuple(tensor.shape[1:]) for tensor in maps(torch.zeros(1, 3, 64, 32))]
    assert found == [(width, 64 // side, 32 // side) for width, side in stages(arch)]
    assert (maps.channels, maps.reductions) == tuple(zip(*stages(arch)))


@torch.inference_mode()
def test_feature_maps_of_a_cifar_network() -> None:
    arch = DenseNetArchitecture(stem="cifar", growth_rate=4, num_init_features=8, block_config=(2, 2, 2))
    maps = FeatureMaps(build_model(arch).eval(), arch)
    assert [tuple(found.shape[1:]) for found in maps(torch.zeros(1, 3, 32, 32))] == [
        (8, 32, 32),
        (16, 32, 32),
        (16, 16, 16),
        (16, 8, 8),
    ]


@pytest.mark.parametrize("builder", ["densezoo", "timm", "torchvision"])
def test_a_fresh_classifier_takes_the_old_one_s_features(builder: str) -> None:
    network = build_model(SMALL, builder)
    before = network.get_submodule("features")
    after = with_fresh_classifier(network, 3)
    classifier = after.get_submodule("classifier")
    assert isinstance(classifier, nn.Linear)
    assert (classifier.in_features, classifier.out_features) == (stages(SMALL)[-1][0], 3)
    assert not classifier.bias.any()
    assert classifier.weight.any()
    assert after.get_submodule("features") is before
