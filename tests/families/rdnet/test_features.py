"""An RDNet's feature maps and another classifier, whichever system's module it is."""

from __future__ import annotations

from typing import Any

import pytest
import timm
import torch
from torch import nn

from densezoo.families import build_model, family_of
from densezoo.families.rdnet.architecture import RDNetArchitecture
from densezoo.families.rdnet.features import FeatureMaps, with_fresh_classifier
from densezoo.families.rdnet.layers import stages

ARCH = RDNetArchitecture()  # timm's rdnet_tiny
SMALL = RDNetArchitecture((8, 16, 8), (2, 1, 1), 16, downsample=(1,), attention=(1,), num_classes=5)


@torch.inference_mode()
def test_feature_maps_are_timm_s() -> None:
    network = build_model(ARCH).eval()
    theirs: Any = timm.create_model("rdnet_tiny", features_only=True)
    theirs.load_state_dict(
        {
            name.replace("dense_stages.", "dense_stages_").replace("stem.", "stem_", 1): tensor
            for name, tensor in network.state_dict().items()
        },
        strict=False,
    )
    images = torch.randn(1, 3, 96, 64, generator=torch.Generator().manual_seed(1))
    expected = theirs.eval()(images)
    maps = family_of(ARCH).feature_maps(network, ARCH)(images)
    assert [map.shape for map in maps] == [map.shape for map in expected]
    assert theirs.feature_info.channels() == [channels for channels, _ in family_of(ARCH).stages(ARCH)]
    assert theirs.feature_info.reduction() == [reduction for _, reduction in family_of(ARCH).stages(ARCH)]


@torch.inference_mode()
def test_a_small_network_s_maps_are_timm_s_number_by_number() -> None:
    ours, theirs = build_model(SMALL).eval(), build_model(SMALL, "timm").eval()
    theirs.load_state_dict(ours.state_dict())
    images = torch.randn(2, 3, 32, 64, generator=torch.Generator().manual_seed(1))
    expected = theirs.get_submodule("stem")(images)
    maps = FeatureMaps(ours, SMALL)
    found = maps(images)
    assert (maps.channels, maps.reductions) == tuple(zip(*stages(SMALL)))
    wanted = []
    for stage, module in enumerate(theirs.get_submodule("dense_stages").children()):
        expected = module(expected)
        if stage in (0, 2):  # before the stage that halves the map, and the last
            wanted.append(expected)
    assert len(found) == len(wanted)
    assert all(torch.equal(one, other) for one, other in zip(found, wanted))


@pytest.mark.parametrize("builder", ["densezoo", "timm"])
def test_a_fresh_classifier_takes_the_old_one_s_features(builder: str) -> None:
    network = build_model(SMALL, builder)
    head = with_fresh_classifier(network, 3).get_submodule("head.fc")
    assert isinstance(head, nn.Linear)
    assert (head.in_features, head.out_features) == (stages(SMALL)[-1][0], 3)
    assert not head.bias.any()
    assert head.weight.any()
